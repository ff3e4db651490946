// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/build_id.h"

#include <elfutils/libdwelf.h>
#include <fmt/format.h>

#include "src/support/regular_file.h"

namespace epaudit {

std::string build_id(const std::string& path)
{
    const Descriptor file = open_regular(path);  // a watched program named it
    if (!file || elf_version(EV_CURRENT) == EV_NONE)
        return {};
    Elf* elf = elf_begin(file.get(), ELF_C_READ_MMAP, nullptr);
    if (!elf)
        return {};
    std::string hex;
    const void* bytes = nullptr;
    const ssize_t size = dwelf_elf_gnu_build_id(elf, &bytes);
    for (ssize_t i = 0; i < size; i++)
        hex += fmt::format("{:02x}", static_cast<const unsigned char*>(bytes)[i]);
    elf_end(elf);
    return hex;
}

}  // namespace epaudit
