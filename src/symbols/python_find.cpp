// SPDX-License-Identifier: Apache-2.0
// The interpreter of Python in a process: a program or a library whose file has _PyRuntime among what it exports, stripped or
// not. What the file says is what the process finds in its memory: the version and the offsets are constants.
#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>

#include "src/symbols/elf_contents.h"
#include "src/symbols/function_parts.h"
#include "src/symbols/image_impl.h"

namespace epaudit {
namespace {

constexpr size_t kMostSymbols = 1 << 20;
constexpr std::string_view kEval = "_PyEval_EvalFrameDefault";

struct Found {
    std::map<std::string_view, uint64_t> objects{{"_PyRuntime", 0}, {"Py_Version", 0}, {"PyCode_Type", 0}};
    std::vector<std::pair<uint64_t, uint64_t>> eval{};
};

void take_symbol(Found& found, std::string_view name, const GElf_Sym& symbol)
{
    if (symbol.st_shndx == SHN_UNDEF)
        return;
    if (const auto at = found.objects.find(name); at != found.objects.end())
        at->second = symbol.st_value;
    // A compiler puts what is rare elsewhere, under a name of its own: NAME.cold.
    const bool part = name.starts_with(kEval) && (name.size() == kEval.size() || name[kEval.size()] == '.');
    if (part && symbol.st_size)
        found.eval.emplace_back(symbol.st_value, symbol.st_value + symbol.st_size);
}

void take_symbols(Found& found, Elf* elf)
{
    Elf_Scn* section = nullptr;
    while ((section = elf_nextscn(elf, section))) {
        GElf_Shdr header;
        if (!gelf_getshdr(section, &header) || (header.sh_type != SHT_DYNSYM && header.sh_type != SHT_SYMTAB) ||
            !header.sh_entsize)
            continue;
        Elf_Data* data = elf_getdata(section, nullptr);
        const size_t count = std::min<size_t>(header.sh_size / header.sh_entsize, kMostSymbols);
        GElf_Sym symbol;
        for (size_t i = 0; data && i < count && gelf_getsym(data, static_cast<int>(i), &symbol); i++)
            if (const char* name = elf_strptr(elf, header.sh_link, symbol.st_name))
                take_symbol(found, name, symbol);
    }
}

std::vector<uint64_t> words_at(const ElfContents& contents, uint64_t address, size_t count)
{
    const std::vector<uint8_t> bytes = contents.bytes(address, count * sizeof(uint64_t));
    std::vector<uint64_t> words(bytes.size() / sizeof(uint64_t));
    if (!words.empty())
        memcpy(words.data(), bytes.data(), words.size() * sizeof(uint64_t));
    return words;
}

std::optional<PythonInterpreter> interpreter_of(Elf* elf, uint64_t bias)
{
    Found found;
    take_symbols(found, elf);
    const uint64_t runtime = found.objects["_PyRuntime"], version = found.objects["Py_Version"];
    if (!runtime)
        return std::nullopt;
    const ElfContents contents(elf);
    PythonInterpreter interpreter;
    if (const auto words = words_at(contents, version, 1); version && !words.empty())
        interpreter.version = words[0];
    interpreter.runtime = runtime + bias;
    interpreter.code_type = found.objects["PyCode_Type"] ? found.objects["PyCode_Type"] + bias : 0;
    for (const FunctionPart& part : found.eval) {
        interpreter.eval.emplace_back(part.first + bias, part.second + bias);
        for (const auto& [from, to] : other_parts(elf, contents, part))
            interpreter.eval.emplace_back(from + bias, to + bias);
    }
    interpreter.debug_offsets = words_at(contents, runtime, kPythonDebugWords);
    return interpreter;
}

int look_at_module(Dwfl_Module* module, void**, const char* name, Dwarf_Addr, void* argument)
{
    auto& found = *static_cast<std::optional<PythonInterpreter>*>(argument);
    if (runtime_of_file(name) != Runtime::kPython)
        return DWARF_CB_OK;
    GElf_Addr bias = 0;
    if (Elf* elf = dwfl_module_getelf(module, &bias))
        found = interpreter_of(elf, bias);
    return found ? DWARF_CB_ABORT : DWARF_CB_OK;
}

}  // namespace

std::optional<PythonInterpreter> ModuleMap::python()
{
    std::optional<PythonInterpreter> found;
    if (dwfl)
        dwfl_getmodules(dwfl.get(), look_at_module, &found, 0);
    return found;
}

}  // namespace epaudit
