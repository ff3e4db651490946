// SPDX-License-Identifier: Apache-2.0
#include "src/support/regular_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace epaudit {

namespace {

int flags_of(Links links) { return O_PATH | O_CLOEXEC | (links == Links::kRefuse ? O_NOFOLLOW : 0); }

Descriptor open_place(const Descriptor& place)
{
    struct stat info {};
    if (!place || fstat(place.get(), &info))
        return {};
    if (!S_ISREG(info.st_mode)) {
        errno = EINVAL;
        return {};
    }
    // That file, whatever its name leads to by now.
    return Descriptor(open(fmt::format("/proc/self/fd/{}", place.get()).c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace

// Not by openat2(2), which containers may refuse.
Descriptor open_regular(const std::string& path, Links links)
{
    return open_place(Descriptor(open(path.c_str(), flags_of(links))));
}

Descriptor open_regular_at(int directory, const std::string& path, Links links, uint64_t resolve)
{
    open_how how{};
    how.flags = static_cast<uint64_t>(flags_of(links));
    how.resolve = resolve;
    return open_place(Descriptor(static_cast<int>(syscall(SYS_openat2, directory, path.c_str(), &how, sizeof(how)))));
}

Descriptor open_regular_below(int directory, const std::string& path)
{
    return open_place(Descriptor(openat(directory, path.c_str(), flags_of(Links::kRefuse))));
}

}  // namespace epaudit
