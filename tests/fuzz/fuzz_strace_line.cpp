// SPDX-License-Identifier: Apache-2.0
// One line of a log, and every reader of values on all of its arguments.
#include <cstdlib>
#include <string_view>

#include "src/strace/arguments.h"
#include "src/strace/line.h"
#include "src/strace/values.h"

using namespace epaudit;

namespace {

void inside(std::string_view part, std::string_view whole)
{
    if (!part.empty() && (part.data() < whole.data() || part.data() + part.size() > whole.data() + whole.size()))
        abort();  // a view that points elsewhere
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size)
{
    std::string_view text(reinterpret_cast<const char*>(bytes), size);
    LogLine line = parse_line(text);
    inside(line.name, text);
    inside(line.rest, text);
    inside(line.comm, text);
    Arguments arguments(line.rest);
    for (std::string_view part = arguments.raw(); !part.empty(); part = arguments.raw()) {
        inside(part, text);
        PrintedEvent event;
        PrintedFd fd;
        int64_t number;
        uint16_t family, port;
        uint8_t address[16];
        socket_name name;
        parse_event(part, event);
        for_elements(part, [&](std::string_view element) {
            inside(element, text);
            parse_event(element, event);
            return true;
        });
        if (parse_fd(part, fd) && fd.number < 0)
            abort();
        parse_number(part, number);
        parse_timeout(part);
        iov_length(part);
        kind_of_decoration(fd.decoration);
        name_of_decoration(fd.decoration, name);
        parse_sockaddr(part, family, port, address);
        field(part, "msg_iov");
    }
    PrintedResult result;
    Arguments(line.rest).result(result);
    inside(result.decoration, text);
    inside(result.note, text);
    return 0;
}
