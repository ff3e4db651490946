// SPDX-License-Identifier: Apache-2.0
// A whole log, audited by all rules.
#include <cstdlib>
#include <string_view>

#include "rules/catalogue.h"
#include "src/strace/import.h"

using namespace epaudit;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size)
{
    std::string_view text(reinterpret_cast<const char*>(bytes), size);
    Auditor auditor(Profile::kTest, make_rules());
    uint64_t last = 0;
    StraceImport log(auditor, 64, [&](const Snapshot& books) {
        if (books.time < last)
            abort();  // time went back
        last = books.time;
    });
    uint64_t lines = 0;
    while (!text.empty()) {
        size_t end = std::min(text.find('\n'), text.size());
        log.line(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        lines++;
    }
    log.finish();
    log.notes();
    log.lost();
    auditor.coverage(log.sight());
    if (log.lines() != lines || log.audit().tables().registrations() > 4096)
        abort();
    return 0;
}
