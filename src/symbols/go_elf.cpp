// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/go_elf.h"

#include <gelf.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "src/symbols/elf_contents.h"

namespace epaudit {
namespace {

constexpr uint64_t kMostTableBytes = uint64_t{256} << 20;
constexpr uint64_t kMostDataBytes = uint64_t{64} << 20;
constexpr size_t kMostRelocations = 1 << 20;
constexpr uint8_t kMagics[][4] = {{0xf0, 0xff, 0xff, 0xff}, {0xf1, 0xff, 0xff, 0xff}};
// Words of moduledata: src/runtime/symtab.go.
constexpr uint64_t kNamesWord = 1, kFunctionsWord = 16, kFunctionCountWord = 17, kTextWord = 22;
constexpr uint64_t kGoFuncWord118 = 38, kGoFuncWord120 = 40;
constexpr uint64_t kModuleWords = 41;

class Contents : public ElfContents {
public:
    explicit Contents(Elf* elf) : ElfContents(elf) { read_relocations(); }

    // As the program will find it: position-independent ones have the value in a relocation.
    uint64_t word(uint64_t address) const
    {
        const auto at = std::lower_bound(moved_.begin(), moved_.end(), std::pair<uint64_t, uint64_t>(address, 0));
        if (at != moved_.end() && at->first == address)
            return at->second;
        uint64_t value = 0;
        const std::vector<uint8_t> found = bytes(address, sizeof(value));
        if (found.size() == sizeof(value))
            memcpy(&value, found.data(), sizeof(value));
        return value;
    }

    const std::vector<std::pair<uint64_t, uint64_t>>& moved() const { return moved_; }

private:
    void read_relocations()
    {
        Elf_Scn* section = nullptr;
        while ((section = elf_nextscn(elf_, section))) {
            GElf_Shdr header;
            if (!gelf_getshdr(section, &header) || header.sh_type != SHT_RELA || !(header.sh_flags & SHF_ALLOC) ||
                !header.sh_entsize)
                continue;
            Elf_Data* data = elf_getdata(section, nullptr);
            const size_t count = std::min<size_t>(header.sh_size / header.sh_entsize, kMostRelocations);
            GElf_Rela one;
            for (size_t i = 0; data && i < count && gelf_getrela(data, static_cast<int>(i), &one); i++)
                if (GELF_R_TYPE(one.r_info) == R_X86_64_RELATIVE || GELF_R_TYPE(one.r_info) == R_AARCH64_RELATIVE)
                    moved_.emplace_back(one.r_offset, static_cast<uint64_t>(one.r_addend));
        }
        std::sort(moved_.begin(), moved_.end());
    }

    std::vector<std::pair<uint64_t, uint64_t>> moved_;  // where, what
};

bool find_section(Elf* elf, std::initializer_list<std::string_view> names, uint64_t& address, uint64_t& size)
{
    size_t strings = 0;
    Elf_Scn* section = nullptr;
    if (elf_getshdrstrndx(elf, &strings))
        return false;
    while ((section = elf_nextscn(elf, section))) {
        GElf_Shdr header;
        const char* name = gelf_getshdr(section, &header) ? elf_strptr(elf, strings, header.sh_name) : nullptr;
        if (!name || header.sh_type != SHT_PROGBITS || std::find(names.begin(), names.end(), name) == names.end())
            continue;
        address = header.sh_addr;
        size = header.sh_size;
        return true;
    }
    return false;
}

bool has_sections(Elf* elf)
{
    size_t count = 0;
    return !elf_getshdrnum(elf, &count) && count > 1;
}

// The table begins on a multiple of 32 bytes, in what is not executed.
std::optional<GoTable> by_magic(const Contents& contents, uint64_t& address)
{
    for (const GElf_Phdr& load : contents.loads()) {
        if (load.p_flags & PF_X)
            continue;
        const std::vector<uint8_t> bytes = contents.bytes(load.p_vaddr, kMostTableBytes);
        for (size_t at = 0; at + 8 < bytes.size(); at += 16) {
            if (memcmp(bytes.data() + at, kMagics[0], 4) != 0 && memcmp(bytes.data() + at, kMagics[1], 4) != 0)
                continue;
            if (bytes[at + 4] || bytes[at + 5] || bytes[at + 7] != 8)
                continue;
            address = load.p_vaddr + at;
            if (auto table = GoTable::parse({bytes.begin() + static_cast<ptrdiff_t>(at), bytes.end()}))
                return table;
        }
    }
    return std::nullopt;
}

bool is_module(const Contents& contents, const GoTable& table, uint64_t table_at, uint64_t at)
{
    return contents.word(at) == table_at && contents.word(at + kNamesWord * 8) == table_at + table.names_offset() &&
           contents.word(at + kFunctionsWord * 8) == table_at + table.functions_offset() &&
           contents.word(at + kFunctionCountWord * 8) == table.function_count() + 1;
}

// runtime.firstmoduledata: it begins with the address of the table. 0: not found.
uint64_t find_module(Elf* elf, const Contents& contents, const GoTable& table, uint64_t table_at)
{
    uint64_t at = 0, size = 0;
    if (find_section(elf, {".go.module"}, at, size) && is_module(contents, table, table_at, at))
        return at;
    for (const auto& [where, what] : contents.moved())
        if (what == table_at && is_module(contents, table, table_at, where))
            return where;
    for (const GElf_Phdr& load : contents.loads()) {
        if (!(load.p_flags & PF_W))
            continue;
        const std::vector<uint8_t> bytes = contents.bytes(load.p_vaddr, kMostDataBytes);
        for (size_t i = 0; i + kModuleWords * 8 <= bytes.size(); i += 8)
            if (memcmp(bytes.data() + i, &table_at, 8) == 0 && is_module(contents, table, table_at, load.p_vaddr + i))
                return load.p_vaddr + i;
    }
    return 0;
}

}  // namespace

std::optional<GoTable> go_table_of(Elf* elf)
{
    GElf_Ehdr header;
    if (!elf || !gelf_getehdr(elf, &header) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB)
        return std::nullopt;
    uint64_t address = 0, size = 0;
    const bool named = find_section(elf, {".gopclntab", ".data.rel.ro.gopclntab"}, address, size);
    if (!named && has_sections(elf))
        return std::nullopt;  // a program in another language: not worth a search
    const Contents contents(elf);
    std::optional<GoTable> table = named ? GoTable::parse(contents.bytes(address, std::min(size, kMostTableBytes)))
                                         : by_magic(contents, address);
    if (!table)
        return std::nullopt;
    GoModule module;
    if (const uint64_t at = find_module(elf, contents, *table, address)) {
        module.text = contents.word(at + kTextWord * 8);
        const uint64_t data = contents.word(at + (table->since_120() ? kGoFuncWord120 : kGoFuncWord118) * 8);
        module.function_data = contents.bytes(data, kMostDataBytes);
    }
    if (!table->header_text() && !module.text)
        module.text = contents.word(address + 8 + 2 * 8);
    if (!table->header_text() && !module.text)
        return std::nullopt;
    table->set_module(std::move(module));
    return table;
}

}  // namespace epaudit
