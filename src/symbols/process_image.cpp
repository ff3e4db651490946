// SPDX-License-Identifier: Apache-2.0
// The map of a process: which files, where.
#include "src/symbols/process_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "src/support/proc.h"
#include "src/support/regular_file.h"
#include "src/symbols/image_impl.h"

namespace epaudit {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

// In ticks since boot; 0 when it is gone.
uint64_t start_time(uint32_t pid)
{
    const auto stat = read_proc_stat(pid);
    return stat ? stat->started_ticks : 0;
}

// libdwfl closes what it is given.
int given_away(const Descriptor& file) { return file ? fcntl(file.get(), F_DUPFD_CLOEXEC, 3) : -1; }

// The very file that is mapped, whatever has its name by now. It takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE.
Descriptor open_mapped(uint32_t pid, uint64_t start)
{
    std::error_code error;
    const std::string from = fmt::format("{:x}-", start);
    for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/map_files", pid), error))
        if (entry.path().filename().string().starts_with(from))
            return open_regular(entry.path(), Links::kFollow);
    return {};
}

// As the process itself names it. The map has no links in it: whoever put one there since has something in mind.
Descriptor open_in_root(uint32_t pid, const std::string& name)
{
    const Descriptor root(open(fmt::format("/proc/{}/root", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root)
        return {};
    return open_regular_at(root.get(), name, Links::kRefuse,
                           RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
}

// A file as the process itself sees it: in its mount namespace, and even when it has been replaced or deleted. `path` is
// a name for it, beside which its debug information may lie.
Descriptor open_module(uint32_t pid, const std::string& name, uint64_t start, std::string& path)
{
    const std::string exe = fmt::format("/proc/{}/exe", pid);
    char target[4096];
    const ssize_t length = readlink(exe.c_str(), target, sizeof(target));
    if (length > 0 && name == std::string(target, static_cast<size_t>(length))) {
        path = exe;
        return open_regular(path, Links::kFollow);
    }
    path = fmt::format("/proc/{}/root{}", pid, name);
    if (Descriptor file = open_mapped(pid, start))
        return file;
    if (name.ends_with(kDeleted))
        return {};
    if (Descriptor file = open_in_root(pid, name))
        return file;
    path = name;
    return open_regular(path);
}

// read_map() put it there.
uint32_t pid_of(void** data) { return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(*data)); }

// libdwfl asks for the file of a module that dwfl_linux_proc_report() named after its line in the map.
int find_elf(Dwfl_Module* module, void** data, const char* name, Dwarf_Addr base, char** file_name, Elf** elf)
{
    *elf = nullptr;
    if (name[0] != '/')  // [vdso]: its own reader knows how
        return dwfl_linux_proc_find_elf(module, data, name, base, file_name, elf);
    const uint32_t pid = pid_of(data);
    std::string path;
    Descriptor file = open_module(pid, name, base, path);
    if (file)
        *file_name = strdup(path.c_str());
    return given_away(file);
}

// Does this file have the checksum that a .gnu_debuglink asks for?
bool has_checksum(int fd, uint32_t wanted)
{
    uLong sum = crc32(0, nullptr, 0);
    std::vector<Bytef> part(1 << 16);
    ssize_t got;
    for (off_t at = 0; (got = pread(fd, part.data(), part.size(), at)) > 0; at += got)
        sum = crc32(sum, part.data(), static_cast<uInt>(got));
    return got == 0 && sum == wanted;
}

// As dwfl_standard_find_debuginfo(), with two differences: the network is never asked (DEBUGINFOD_URLS), and names that
// the program chose lead to regular files only.
int find_debuginfo(Dwfl_Module* module, void** data, const char* name, Dwarf_Addr base, const char* file_name,
                   const char* link, GElf_Word checksum, char** found_name)
{
    if (int fd = dwfl_build_id_find_debuginfo(module, data, name, base, file_name, link, checksum, found_name); fd >= 0)
        return fd;
    if (!link || strchr(link, '/') || name[0] != '/')
        return -1;
    const std::string directory = std::filesystem::path(name).parent_path();
    const std::string beside = fmt::format("/proc/{}/root{}", pid_of(data), directory);
    const std::string system = "/usr/lib/debug" + directory;
    for (const std::string& path : {beside + "/" + link, beside + "/.debug/" + link, system + "/" + link}) {
        Descriptor file = open_regular(path);
        if (!file || !has_checksum(file.get(), checksum))
            continue;
        *found_name = strdup(path.c_str());
        return given_away(file);
    }
    return -1;
}

const Dwfl_Callbacks kCallbacks = {find_elf, find_debuginfo, nullptr, nullptr};

}  // namespace

// 0, or why the map cannot be read; that of a process that has ended is empty.
static int map_error(uint32_t pid)
{
    int fd = open(fmt::format("/proc/{}/maps", pid).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    char byte;
    ssize_t got = read(fd, &byte, 1);
    int error = got < 0 ? errno : got == 0 ? ESRCH : 0;
    close(fd);
    return error;
}

// Modules that are still there are kept as they are, and all of them when the process has ended.
static int read_map(Dwfl* dwfl, uint32_t pid)
{
    if (int error = map_error(pid))
        return error;
    dwfl_report_begin(dwfl);
    int error = dwfl_linux_proc_report(dwfl, static_cast<pid_t>(pid));
    dwfl_report_end(dwfl, nullptr, nullptr);
    auto name_owner = [](Dwfl_Module*, void** user, const char*, Dwarf_Addr, void* owner) {
        *user = owner;
        return static_cast<int>(DWARF_CB_OK);
    };
    dwfl_getmodules(dwfl, name_owner, reinterpret_cast<void*>(static_cast<uintptr_t>(pid)), 0);
    return error < 0 ? errno : error;
}

int refresh(ProcessImage::Impl& impl)
{
    if (int error = read_map(impl.dwfl.get(), impl.pid))
        return error;
    if (std::string maps = read_proc_file(fmt::format("/proc/{}/maps", impl.pid)); !maps.empty())
        impl.code = CodeMap(maps);
    return 0;
}

ProcessImage::ProcessImage(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProcessImage::~ProcessImage() = default;

std::unique_ptr<ProcessImage> ProcessImage::open(uint32_t pid, int& why)
{
    pid = living_thread(pid);
    auto impl = std::make_unique<Impl>();
    impl->pid = pid;
    impl->started = start_time(pid);
    struct stat exe {};
    if (stat(fmt::format("/proc/{}/exe", pid).c_str(), &exe)) {
        why = errno;
        return nullptr;
    }
    impl->device = exe.st_dev;
    impl->inode = exe.st_ino;
    impl->dwfl.reset(dwfl_begin(&kCallbacks));
    impl->perf_map = std::make_unique<PerfMapFile>(pid);
    why = impl->dwfl ? refresh(*impl) : ENOMEM;
    if (why)
        return nullptr;
    return std::unique_ptr<ProcessImage>(new ProcessImage(std::move(impl)));
}

bool ProcessImage::current() const
{
    struct stat exe {};
    return !stat(fmt::format("/proc/{}/exe", impl_->pid).c_str(), &exe) && exe.st_dev == impl_->device &&
           exe.st_ino == impl_->inode && start_time(impl_->pid) == impl_->started;
}

std::vector<CodeAddress> ProcessImage::unwind(const StackSlice& slice)
{
    Impl& impl = *impl_;
    // Libraries may have been loaded since.
    if (!dwfl_addrmodule(impl.dwfl.get(), slice.pc))
        refresh(impl);
    std::vector<CodeAddress> addresses = walk(impl, slice);
    if (addresses.empty())
        addresses.push_back({slice.pc, true});
    return addresses;
}

static Frame made_code(uint64_t address)
{
    Frame frame;
    frame.offset = address;
    return frame;
}

std::vector<Frame> ProcessImage::symbolise(const std::vector<CodeAddress>& addresses)
{
    std::vector<Frame> frames;
    for (const CodeAddress& address : addresses) {
        if (address.named) {
            frames.push_back(*address.named);
            frames.back().guessed = address.guessed;
            continue;
        }
        uint64_t at = address.pc - (address.exact ? 0 : 1);
        auto [known, fresh] = impl_->known.try_emplace(at);
        if (fresh) {
            known->second = is_made_code(*impl_, at) ? std::vector<Frame>{made_code(at)}
                                                     : frames_of(impl_->dwfl.get(), at);
            add_go_names(*impl_, at, known->second);
        }
        for (const Frame& frame : known->second) {
            frames.push_back(frame);
            frames.back().guessed = address.guessed;
        }
    }
    return frames;
}

std::string ProcessImage::hint(const std::vector<Frame>& frames) const
{
    return missing_names(impl_->code.runtime(), frames);
}

}  // namespace epaudit
