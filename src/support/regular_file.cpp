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

Descriptor open_regular(const std::string& path, Links links) { return open_regular_at(AT_FDCWD, path, links, 0); }

Descriptor open_regular_at(int directory, const std::string& path, Links links, uint64_t resolve)
{
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC | (links == Links::kRefuse ? static_cast<uint64_t>(O_NOFOLLOW) : 0);
    how.resolve = resolve;
    const Descriptor place(static_cast<int>(syscall(SYS_openat2, directory, path.c_str(), &how, sizeof(how))));
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

}  // namespace epaudit
