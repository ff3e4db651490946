// SPDX-License-Identifier: Apache-2.0
// From an address to frames: the function, those inlined into it at that place, and their lines.
#include <dwarf.h>
#include <elfutils/libdw.h>

#include <cstdlib>
#include <filesystem>

#include "src/symbols/demangle.h"
#include "src/symbols/image_impl.h"

namespace epaudit {
namespace {

struct Free {
    void operator()(void* memory) const { free(memory); }
};
using Scopes = std::unique_ptr<Dwarf_Die, Free>;

// The declaration that an inlined or out-of-line function refers to: it stands inside its class and namespace.
Dwarf_Die declaration_of(Dwarf_Die die)
{
    for (int steps = 0; steps < 4; steps++) {
        Dwarf_Attribute space;
        Dwarf_Attribute* link = dwarf_attr(&die, DW_AT_abstract_origin, &space);
        if (!link)
            link = dwarf_attr(&die, DW_AT_specification, &space);
        Dwarf_Die next;
        if (!link || !dwarf_formref_die(link, &next))
            break;
        die = next;
    }
    return die;
}

// Functions of an unnamed namespace have no linkage name: "Publisher::on_connect" is put together here.
std::string qualified_name(Dwarf_Die* die)
{
    Dwarf_Die declaration = declaration_of(*die);
    const char* own = dwarf_diename(&declaration);
    std::string name = own ? own : "";
    Dwarf_Die* raw = nullptr;
    int count = own ? dwarf_getscopes_die(&declaration, &raw) : 0;
    Scopes scopes(raw);
    for (int i = 1; i < count; i++) {
        int tag = dwarf_tag(scopes.get() + i);
        if (tag != DW_TAG_namespace && tag != DW_TAG_class_type && tag != DW_TAG_structure_type &&
            tag != DW_TAG_union_type)
            break;
        if (const char* outer = dwarf_diename(scopes.get() + i))
            name = std::string(outer) + "::" + name;
    }
    return name;
}

std::string function_name(Dwarf_Die* die)
{
    Dwarf_Attribute space;
    for (unsigned attribute : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name})
        if (const char* name = dwarf_formstring(dwarf_attr_integrate(die, attribute, &space)))
            return demangled(name);
    return qualified_name(die);
}

// Compilers name a file relative to the directory they ran in, which the unit names; glibc's is relative itself.
std::string source_path(const char* file, Dwarf_Die* unit)
{
    Dwarf_Attribute space;
    const char* directory = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &space));
    if (file[0] == '/' || !directory || directory[0] != '/')
        return file;
    return (std::filesystem::path(directory) / file).lexically_normal().string();
}

// Where the function that `inlined` describes was called.
void set_call_place(Frame& frame, Dwarf_Die* inlined, Dwarf_Die* unit)
{
    Dwarf_Attribute space;
    Dwarf_Word file = 0, line = 0;
    Dwarf_Files* files = nullptr;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &space), &file) == 0 &&
        dwarf_getsrcfiles(unit, &files, nullptr) == 0)
        if (const char* name = dwarf_filesrc(files, file, nullptr, nullptr))
            frame.file = source_path(name, unit);
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &space), &line) == 0)
        frame.line = static_cast<int>(line);
}

// The functions that contain the address in the debug information, innermost first, the last one not inlined.
std::vector<Frame> functions_at(Dwfl_Module* module, uint64_t address)
{
    std::vector<Frame> frames;
    Dwarf_Addr bias = 0;
    Dwarf_Die* unit = dwfl_module_addrdie(module, address, &bias);
    if (!unit)
        return frames;
    Dwarf_Die* raw = nullptr;
    if (dwarf_getscopes(unit, address - bias, &raw) <= 0)
        return frames;
    Scopes innermost(raw);
    raw = nullptr;
    int count = dwarf_getscopes_die(innermost.get(), &raw);  // as the code nests, not as the source does
    Scopes scopes(raw);
    Frame frame;
    for (int i = 0; i < count; i++) {
        Dwarf_Die* die = scopes.get() + i;
        int tag = dwarf_tag(die);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
            continue;
        frame.function = function_name(die);
        frame.inlined = tag == DW_TAG_inlined_subroutine;
        frames.push_back(frame);
        if (!frame.inlined)
            break;
        frame = Frame();
        set_call_place(frame, die, unit);
    }
    return frames;
}

// Code between units (_start) has no line; libdwfl would name the one before it.
void set_line(Frame& frame, Dwfl_Module* module, uint64_t address)
{
    Dwarf_Addr bias = 0;
    Dwarf_Die* unit = dwfl_module_addrdie(module, address, &bias);
    if (!unit || dwarf_haspc(unit, address - bias) <= 0)
        return;
    int number = 0;
    Dwfl_Line* line = dwfl_module_getsrc(module, address);
    const char* file = line ? dwfl_lineinfo(line, nullptr, &number, nullptr, nullptr, nullptr) : nullptr;
    if (!file)
        return;
    frame.file = source_path(file, unit);
    frame.line = number;
}

}  // namespace

std::vector<Frame> frames_of(Dwfl* dwfl, uint64_t address)
{
    Dwfl_Module* module = dwfl_addrmodule(dwfl, address);
    if (!module) {
        Frame unknown;  // code made at run time
        unknown.offset = address;
        return {unknown};
    }
    std::vector<Frame> frames = functions_at(module, address);
    if (frames.empty())
        frames.emplace_back();
    if (frames.front().function.empty())
        if (const char* symbol = dwfl_module_addrname(module, address))
            frames.front().function = demangled(symbol);
    set_line(frames.front(), module, address);
    GElf_Addr bias = 0;
    const char* name = dwfl_module_info(module, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
    bool have_file = dwfl_module_getelf(module, &bias) != nullptr;
    for (Frame& frame : frames) {
        frame.module = name ? name : "";
        frame.offset = have_file ? address - bias : address;
    }
    return frames;
}

}  // namespace epaudit
