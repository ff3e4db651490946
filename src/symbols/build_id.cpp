// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/build_id.h"

#include <elfutils/libdwelf.h>
#include <fmt/format.h>

#include "src/support/regular_file.h"
#include "src/symbols/symbols_child.h"

namespace epaudit {

std::string build_id(uint32_t pid)
{
    // As the process itself sees it: in its mount namespace, and even when it has been replaced.
    const Descriptor file = open_regular(fmt::format("/proc/{}/exe", pid), Links::kFollow);
    const ProcessUser user = user_of_process(pid);
    std::string hex;
    static std::shared_ptr<SymbolsChild> child;  // servers fork: it is kept for the next
    if (!file || !(child = SymbolsChild::of_user(user.uid, user.gid)))
        return {};
    child->build_id(file.get(), hex);
    return hex;
}

std::string build_id_of(int file)
{
    if (elf_version(EV_CURRENT) == EV_NONE)
        return {};
    Elf* elf = elf_begin(file, ELF_C_READ_MMAP, nullptr);
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
