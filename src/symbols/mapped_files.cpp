// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/mapped_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "src/support/regular_file.h"
#include "src/symbols/module_files.h"

namespace epaudit {
namespace {

constexpr std::string_view kDeleted = " (deleted)";
// A map has up to 65,530 lines, or as many as vm.max_map_count says; what is beyond stays without names.
constexpr size_t kLongestRead = 32 << 20;
constexpr size_t kLongestKept = 4 << 20;

bool is_inode(const Descriptor& file, uint64_t inode)
{
    struct stat info {};
    return file && !fstat(file.get(), &info) && info.st_ino == inode;
}

Descriptor root_of(uint32_t pid)
{
    return Descriptor(open(fmt::format("/proc/{}/root", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

// As the process itself names it. The map has no links in it: whoever put one there since has something in mind.
Descriptor open_in_root(uint32_t pid, const std::string& name)
{
    const Descriptor root = root_of(pid);
    if (!root)
        return {};
    return open_regular_at(root.get(), name, Links::kRefuse,
                           RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
}

// "7f00-7f10 r-xp 00001000 08:01 42   /lib/x.so"
struct Line {
    uint64_t start = 0, end = 0, inode = 0;
    bool code = false;
    std::string_view name;
};

bool parse(std::string_view text, Line& line)
{
    const char* at = text.data();
    const char* last = at + text.size();
    auto number = [&](uint64_t& value, int base) {
        const auto [next, error] = std::from_chars(at, last, value, base);
        at = next;
        return error == std::errc();
    };
    auto skip_word = [&] {
        while (at < last && *at == ' ')
            at++;
        while (at < last && *at != ' ')
            at++;
    };
    if (!number(line.start, 16) || at == last || *at++ != '-' || !number(line.end, 16))
        return false;
    line.code = last - at > 3 && at[3] == 'x';  // " r-xp"
    for (int words = 0; words < 3; words++)     // rights, offset, device
        skip_word();
    while (at < last && *at == ' ')
        at++;
    if (!number(line.inode, 10))
        return false;
    while (at < last && *at == ' ')
        at++;
    line.name = std::string_view(at, static_cast<size_t>(last - at));
    return true;
}

}  // namespace

// A map that is empty is that of a process that has ended.
int MappedFiles::read()
{
    const Descriptor file(::open(fmt::format("/proc/{}/maps", pid_).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file)
        return errno;
    std::string text;
    char part[65536];
    ssize_t got;
    while ((got = ::read(file.get(), part, sizeof(part))) > 0 && text.size() < kLongestRead)
        text.append(part, static_cast<size_t>(got));
    if (got < 0)
        return errno;
    if (text.empty())
        return ESRCH;
    take(text);
    return 0;
}

void MappedFiles::take(std::string_view text)
{
    auto map = std::make_unique<Map>();
    while (!text.empty() && map->text.size() < kLongestKept) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        Line mapped;
        if (!parse(line, mapped))
            continue;
        const bool file = mapped.name.starts_with('/');
        if (file || mapped.code)
            map->text.append(line).push_back('\n');
        if (file)
            map->ranges[mapped.start] = {mapped.end, mapped.inode, std::string(mapped.name)};
    }
    map_ = keep_once(std::move(map));
}

// Each is known for as long as somebody has it.
std::shared_ptr<const MappedFiles::Map> MappedFiles::keep_once(std::unique_ptr<Map> map)
{
    static std::map<std::string_view, std::weak_ptr<const Map>> kept;
    auto [at, fresh] = kept.try_emplace(map->text);
    if (!fresh)
        return at->second.lock();
    map->code = CodeMap(map->text);
    std::shared_ptr<const Map> shared(map.release(), [](const Map* last) {
        kept.erase(last->text);
        delete last;
    });
    at->second = shared;
    return shared;
}

bool MappedFiles::read_code(uint64_t address, void* into, size_t size) const
{
    const CodeRange* range = map_->code.find(address);
    if (!range || size > kMostCodeBytes || size > range->end - address)
        return false;
    return read_memory(address, into, size);
}

bool MappedFiles::read_memory(uint64_t address, void* into, size_t size) const
{
    iovec to{into, size};
    iovec from{reinterpret_cast<void*>(address), size};
    return process_vm_readv(static_cast<pid_t>(pid_), &to, 1, &from, 1, 0) == static_cast<ssize_t>(size);
}

Descriptor MappedFiles::root() const { return root_of(pid_); }

Descriptor MappedFiles::open(uint64_t base, std::string& path) const
{
    auto at = map_->ranges.find(base);
    if (at == map_->ranges.end())
        return {};
    const auto& [start, range] = *at;
    const std::string exe = fmt::format("/proc/{}/exe", pid_);
    char target[4096];
    const ssize_t length = readlink(exe.c_str(), target, sizeof(target));
    if (length > 0 && range.name == std::string_view(target, static_cast<size_t>(length))) {
        path = exe;
        return open_regular(path, Links::kFollow);
    }
    path = fmt::format("/proc/{}/root{}", pid_, range.name);
    // It takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE.
    const std::string mapped = fmt::format("/proc/{}/map_files/{:x}-{:x}", pid_, start, range.end);
    if (Descriptor file = open_regular(mapped, Links::kFollow); is_inode(file, range.inode))
        return file;
    if (range.name.ends_with(kDeleted))
        return {};
    if (Descriptor file = open_in_root(pid_, range.name))
        return file;
    path = range.name;
    Descriptor file = open_regular(path);
    return is_inode(file, range.inode) ? std::move(file) : Descriptor();
}

}  // namespace epaudit
