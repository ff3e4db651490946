// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/perf_map_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "src/support/proc.h"
#include "src/support/regular_file.h"

namespace epaudit {
namespace {

// The numbers of a line of /proc/PID/status.
std::vector<uint32_t> numbers_of(std::string_view status, std::string_view name)
{
    std::vector<uint32_t> numbers;
    size_t at = status.find(name);
    if (at == std::string_view::npos)
        return numbers;
    std::string_view line = status.substr(at + name.size());
    line = line.substr(0, line.find('\n'));
    for (const char* from = line.data(); from < line.data() + line.size();) {
        uint32_t number = 0;
        auto [end, error] = std::from_chars(from, line.data() + line.size(), number);
        if (error == std::errc())
            numbers.push_back(number);
        from = error == std::errc() ? end : from + 1;
    }
    return numbers;
}

// It calls itself by its number in its own pid namespace.
Descriptor open_named(uint32_t pid, const std::string& status)
{
    const std::vector<uint32_t> numbers = numbers_of(status, "\nNSpid:");
    const Descriptor root(open(fmt::format("/proc/{}/root", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root)
        return {};
    return open_regular_at(root.get(), fmt::format("tmp/perf-{}.map", numbers.empty() ? pid : numbers.back()),
                           Links::kRefuse, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
}

// Of a file larger than that, its end: there are the newest lines.
std::string text_of(int fd, off_t size)
{
    std::string text(std::min(static_cast<size_t>(size), kMostPerfMapBytes), '\0');
    const off_t start = size - static_cast<off_t>(text.size());
    size_t have = 0;
    while (have < text.size()) {
        const ssize_t got = pread(fd, text.data() + have, text.size() - have, start + static_cast<off_t>(have));
        if (got <= 0)
            break;
        have += static_cast<size_t>(got);
    }
    text.resize(have);
    if (start > 0)
        text.erase(0, std::min(text.find('\n'), text.size() - 1) + 1);
    return text;
}

}  // namespace

Descriptor open_perf_map(uint32_t pid)
{
    const std::string status = read_proc_file(fmt::format("/proc/{}/status", pid));
    Descriptor file = status.empty() ? Descriptor() : open_named(pid, status);
    struct stat info {};
    if (!file || fstat(file.get(), &info))
        return {};
    const std::vector<uint32_t> users = numbers_of(status, "\nUid:");
    const bool trusted = info.st_uid == 0 || std::find(users.begin(), users.end(), info.st_uid) != users.end();
    return trusted ? std::move(file) : Descriptor();
}

const PerfMap* PerfMapFile::read(const Descriptor& file)
{
    struct stat info {};
    if (!file || fstat(file.get(), &info))
        return known_ ? &map_ : nullptr;
    const bool same = known_ && info.st_ino == inode_ && info.st_size == size_ &&
                      info.st_mtim.tv_sec == changed_.tv_sec && info.st_mtim.tv_nsec == changed_.tv_nsec;
    if (!same) {
        map_ = PerfMap(text_of(file.get(), info.st_size));
        known_ = true;
        inode_ = info.st_ino;
        size_ = info.st_size;
        changed_ = info.st_mtim;
    }
    return &map_;
}

}  // namespace epaudit
