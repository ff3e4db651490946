// SPDX-License-Identifier: Apache-2.0
// The map of a process, as libdwfl has it.
#include <fcntl.h>
#include <fmt/format.h>
#include <zlib.h>

#include <cstdio>
#include <cstring>
#include <filesystem>

#include "src/support/regular_file.h"
#include "src/symbols/image_impl.h"

namespace epaudit {
namespace {

// libdwfl closes what it is given.
int given_away(const Descriptor& file) { return file ? fcntl(file.get(), F_DUPFD_CLOEXEC, 3) : -1; }

// read() put it there.
const ModuleMap& map_of(void** data) { return *static_cast<const ModuleMap*>(*data); }

// libdwfl asks for the file of a module that was named after its line in the map.
int find_elf(Dwfl_Module*, void** data, const char*, Dwarf_Addr base, char** file_name, Elf** elf)
{
    *elf = nullptr;
    std::string path;
    Descriptor file = map_of(data).files.open(base, path);
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
    const Descriptor root = map_of(data).files.root();
    auto try_this = [&](const std::string& path, bool in_root) {
        Descriptor file = in_root ? open_regular_below(root.get(), path.substr(1)) : open_regular(path);
        if (!file || !has_checksum(file.get(), checksum))
            return -1;
        *found_name = strdup(path.c_str());
        return given_away(file);
    };
    for (const std::string& path : {directory + "/" + link, directory + "/.debug/" + link})
        for (bool in_root : {true, false})
            if (int fd = in_root && !root ? -1 : try_this(path, in_root); fd >= 0)
                return fd;
    return try_this("/usr/lib/debug" + directory + "/" + link, false);
}

const Dwfl_Callbacks kCallbacks = {find_elf, find_debuginfo, nullptr, nullptr};

struct CloseFile {
    void operator()(FILE* file) const { fclose(file); }
};

}  // namespace

ModuleMap::ModuleMap(uint32_t process, ModuleFiles& module_files)
    : pid(process), files(module_files), dwfl(dwfl_begin(&kCallbacks))
{
}

bool ModuleMap::read(const std::string& maps)
{
    const std::unique_ptr<FILE, CloseFile> text(
        maps.empty() ? nullptr : fmemopen(const_cast<char*>(maps.data()), maps.size(), "r"));
    if (!dwfl || !text)
        return false;
    dwfl_report_begin(dwfl.get());
    const int error = dwfl_linux_proc_maps_report(dwfl.get(), text.get());
    dwfl_report_end(dwfl.get(), nullptr, nullptr);
    auto name_owner = [](Dwfl_Module*, void** user, const char*, Dwarf_Addr, void* owner) {
        *user = owner;
        return static_cast<int>(DWARF_CB_OK);
    };
    dwfl_getmodules(dwfl.get(), name_owner, this, 0);
    code = CodeMap(maps);
    return error == 0;
}

std::vector<Frame> ModuleMap::frames_of(const CodeAddress& address)
{
    if (!dwfl)
        return {};
    const uint64_t at = address.pc - (address.exact ? 0 : 1);
    if (is_made_code(*this, at)) {
        Frame frame;
        frame.offset = at;
        return {frame};
    }
    std::vector<Frame> frames = epaudit::frames_of(dwfl.get(), at);
    add_go_names(*this, at, frames);
    return frames;
}

}  // namespace epaudit
