// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/function_parts.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace epaudit {
namespace {

using Jumps = std::vector<uint64_t>;

TEST(FunctionParts, JumpsOfBothMachines)
{
    // jmp -0x1000; je +0x20 (inside); jne +0x1000; call +0x1000; ret
    const std::vector<uint8_t> x86{0xe9, 0x00, 0xf0, 0xff, 0xff, 0x0f, 0x84, 0x08, 0x00, 0x00, 0x00, 0x0f,
                                   0x85, 0x00, 0x10, 0x00, 0x00, 0xe8, 0x00, 0x10, 0x00, 0x00, 0xc3};
    EXPECT_EQ(jumps_out_of(x86, 0x10000, EM_X86_64), (Jumps{0x10000 + 5 - 0x1000, 0x10000 + 17 + 0x1000}));
    // b -4; b.eq +0x1000; cbz x0, -0x1000; tbnz w1, #3, +0x100; bl +0x1000
    const std::vector<uint32_t> words{0x17ffffff, 0x54008000, 0xb4ff8000, 0x37180801, 0x94000400};
    std::vector<uint8_t> arm(words.size() * 4);
    memcpy(arm.data(), words.data(), arm.size());
    EXPECT_EQ(jumps_out_of(arm, 0x10000, EM_AARCH64), (Jumps{0xfffc, 0x11004, 0xf008, 0x1010c}));
    EXPECT_TRUE(jumps_out_of(x86, 0x10000, EM_RISCV).empty());
    EXPECT_TRUE(jumps_out_of({0xe9}, 0x10000, EM_X86_64).empty()) << "cut short";
}

// Seen in a large function: "je +15; addl $1, 0x80(%rax)", of which bytes in the middle are "jae +0x8080". It stood there three
// times, and a function that began 0x8080 bytes further was taken for its other part; and in another one, "jne +15; addl
// $imm, 0x98(%rbx)" beside it, so that the two led to the same function.
TEST(FunctionParts, AnInstructionThatOnlyLooksLikeAJump)
{
    std::vector<uint8_t> code{0x75, 0x0f, 0x83, 0x83, 0x98, 0x00, 0x00, 0x00, 0x01, 0x90};
    code.insert(code.end(), {0x74, 0x0f, 0x83, 0x80, 0x80, 0x00, 0x00, 0x00, 0x01});
    code.insert(code.end(), {0x0f, 0x83, 0x00, 0x10, 0x00, 0x00});  // jae +0x1000
    EXPECT_EQ(jumps_out_of(code, 0x10000, EM_X86_64), (Jumps{0x10000 + 25 + 0x1000}));
}

// "and $15, %eax; mov %dl, 0x112(%rbx)"
TEST(FunctionParts, NorIsOneThatStandsThereTwice)
{
    const std::vector<uint8_t> counts{0x83, 0xe0, 0x0f, 0x88, 0x93, 0x12, 0x01, 0x00, 0x00};
    std::vector<uint8_t> code = counts;
    code.insert(code.end(), {0xe9, 0x00, 0x10, 0x00, 0x00});  // jmp +0x1000
    code.insert(code.end(), counts.begin(), counts.end());
    EXPECT_EQ(jumps_out_of(code, 0x10000, EM_X86_64), (Jumps{0x10000 + 8 + 0x11293, 0x10000 + 14 + 0x1000}));
}

// What this test's own file says of its functions, NAME and NAME.cold.
struct Own {
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    std::unique_ptr<Elf, decltype(&elf_end)> elf{(elf_version(EV_CURRENT), elf_begin(fd, ELF_C_READ_MMAP, nullptr)),
                                                 elf_end};
    ElfContents contents{elf.get()};
    std::map<std::string, FunctionPart> functions;

    Own()
    {
        for (Elf_Scn* section = elf_nextscn(elf.get(), nullptr); section; section = elf_nextscn(elf.get(), section)) {
            GElf_Shdr header;
            if (!gelf_getshdr(section, &header) || header.sh_type != SHT_SYMTAB)
                continue;
            Elf_Data* data = elf_getdata(section, nullptr);
            GElf_Sym symbol;
            for (int i = 0; gelf_getsym(data, i, &symbol); i++)
                if (GELF_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_size)
                    functions[elf_strptr(elf.get(), header.sh_link, symbol.st_name)] = {
                        symbol.st_value, symbol.st_value + symbol.st_size};
        }
    }
    ~Own() { close(fd); }
};

__attribute__((noinline, cold)) void seldom(int value, int* sum)
{
    asm volatile("" : : "r"(value) : "memory");
    *sum += value;
}

// Three ways into what is rare, and a way back from it: GCC makes a .cold of that.
extern "C" __attribute__((noinline)) int epaudit_test_with_rare_ends(int first, int second, int* sum)
{
    if (first > 1000)
        seldom(first, sum);
    asm volatile("" : : : "memory");
    if (second < -1000)
        seldom(second, sum);
    asm volatile("" : : : "memory");
    return first + second + *sum;
}

TEST(FunctionParts, WhatStrippingWouldHaveMadeNameless)
{
    int sum = 0;
    EXPECT_EQ(epaudit_test_with_rare_ends(1, 2, &sum), 3);
    const Own own;
    const auto hot = own.functions.find("epaudit_test_with_rare_ends"),
               cold = own.functions.find("epaudit_test_with_rare_ends.cold");
    ASSERT_NE(hot, own.functions.end());
    if (cold == own.functions.end())
        GTEST_SKIP() << "this compiler, with these options, leaves what is rare where it is";
    const auto parts = other_parts(own.elf.get(), own.contents, hot->second);
    ASSERT_EQ(parts.size(), 1u);
    EXPECT_EQ(parts[0].first, cold->second.first);
}

// Of some thousands of functions, none gets another's code.
TEST(FunctionParts, NothingThatIsAnothers)
{
    const Own own;
    std::set<std::pair<uint64_t, uint64_t>> belongs;  // by address: constructors have two names
    for (const auto& [name, range] : own.functions)
        if (name.ends_with(".cold"))
            if (const auto hot = own.functions.find(name.substr(0, name.size() - 5)); hot != own.functions.end())
                belongs.emplace(hot->second.first, range.first);
    size_t looked_at = 0;
    for (const auto& [name, range] : own.functions) {
        if (name.find(".cold") != std::string::npos || ++looked_at > 1500)
            continue;
        for (const FunctionPart& part : other_parts(own.elf.get(), own.contents, range))
            EXPECT_TRUE(belongs.contains({range.first, part.first})) << name;
    }
    EXPECT_GT(looked_at, 1000u);
}

}  // namespace
}  // namespace epaudit
