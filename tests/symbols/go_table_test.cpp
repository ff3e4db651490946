// SPDX-License-Identifier: Apache-2.0
// On programs that the Go found here makes, stripped and not, and on tables made by hand in the layouts of later versions.
#include "src/symbols/go_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "src/symbols/go_elf.h"

namespace epaudit {
namespace {

constexpr char kProgram[] = R"(package main

import "os"

//go:noinline
func outer(n int) int { return inner(n) + 1 }

func inner(n int) int {
	return deepest(n) * 2
}

//go:noinline
func deepest(n int) int { os.Stdout.WriteString(""); return n }

func main() { os.Exit(outer(len(os.Args)) - 3) }
)";

class RealProgram : public testing::Test {
protected:
    RealProgram() : directory_(std::filesystem::temp_directory_path() / ("epaudit-go-" + std::to_string(getpid())))
    {
        std::filesystem::create_directory(directory_);
        std::ofstream(directory_ / "p.go") << kProgram;
    }
    ~RealProgram() override { std::filesystem::remove_all(directory_); }

    // Its table; nothing: there is no Go here.
    std::optional<GoTable> build(const std::string& flags)
    {
        const std::string program = directory_ / "p";
        const std::string command = "cd '" + directory_.string() + "' && GO111MODULE=off GOCACHE='" +
                                    directory_.string() + "/cache' HOME=/ go build " + flags + " -o p p.go";
        if (system(command.c_str()))
            return std::nullopt;
        return read(program);
    }

    static std::optional<GoTable> read(const std::string& path)
    {
        elf_version(EV_CURRENT);
        const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        Elf* elf = elf_begin(fd, ELF_C_READ_MMAP, nullptr);
        auto table = go_table_of(elf);
        elf_end(elf);
        close(fd);
        return table;
    }

    // Some address of a function, found by its name: the table can be asked by address only.
    static uint64_t address_of(const GoTable& table, uint64_t text, const std::string& name)
    {
        for (uint64_t at = text; at < text + (1 << 22); at += 16)
            if (auto frames = table.frames(at); !frames.empty() && frames.back().function == name)
                return at;
        return 0;
    }

    void check(const std::string& flags);

    std::filesystem::path directory_;
};

void RealProgram::check(const std::string& flags)
{
    if (system("go version >/dev/null 2>&1"))
        GTEST_SKIP() << "Go is not installed";
    const auto table = build(flags);
    ASSERT_TRUE(table) << flags;
    const uint64_t text = table->header_text() ? table->header_text() : 0x1000;
    const uint64_t outer = address_of(*table, text, "main.outer");
    ASSERT_TRUE(outer) << flags;
    bool inlined = false;
    for (uint64_t at = outer; at < outer + 128; at++) {
        const auto frames = table->frames(at);
        if (!table->frame_size(at)) {  // padding
            EXPECT_GT(at, outer + 32);
            break;
        }
        ASSERT_FALSE(frames.empty());
        EXPECT_EQ(frames.back().function, "main.outer");
        EXPECT_EQ(std::filesystem::path(frames.back().file).filename(), "p.go");
        EXPECT_EQ(frames.back().line, 6) << at - outer;
        if (frames.size() == 2) {
            inlined = true;
            EXPECT_EQ(frames[0].function, "main.inner");
            EXPECT_TRUE(frames[0].inlined);
            EXPECT_EQ(frames[0].line, 9);
        }
    }
    EXPECT_TRUE(inlined) << "inner is inlined into outer; " << flags;
    EXPECT_TRUE(table->frames(1).empty());
    EXPECT_TRUE(table->frames(~0ULL).empty());
}

TEST_F(RealProgram, AsBuilt) { check(""); }
TEST_F(RealProgram, Stripped) { check("-ldflags '-s -w'"); }
TEST_F(RealProgram, PositionIndependent) { check("-buildmode=pie -ldflags '-s -w'"); }

TEST_F(RealProgram, WithoutSectionHeaders)
{
    if (system("go version >/dev/null 2>&1"))
        GTEST_SKIP() << "Go is not installed";
    const auto whole = build("-ldflags '-s -w'");
    ASSERT_TRUE(whole);
    std::fstream file(directory_ / "p", std::ios::in | std::ios::out | std::ios::binary);
    const uint64_t none = 0;
    file.seekp(offsetof(Elf64_Ehdr, e_shoff)).write(reinterpret_cast<const char*>(&none), 8);
    file.seekp(offsetof(Elf64_Ehdr, e_shnum)).write(reinterpret_cast<const char*>(&none), 4);
    file.close();
    const auto table = read(directory_ / "p");
    ASSERT_TRUE(table) << "it is found by its magic";
    EXPECT_EQ(table->function_count(), whole->function_count());
    EXPECT_TRUE(address_of(*table, table->header_text(), "main.deepest"));
}

TEST_F(RealProgram, NoGoProgramHasNone) { EXPECT_FALSE(read("/proc/self/exe")); }

// --- made by hand -------------------------------------------------------------------------------------

// One function, "main.f", of file "/a.go": 16 bytes on line 7, then 16 on line 9; 24 bytes of stack.
std::vector<uint8_t> made(uint32_t magic, uint64_t text)
{
    std::vector<uint8_t> bytes(512);
    auto u32 = [&](size_t at, uint32_t value) { memcpy(bytes.data() + at, &value, sizeof(value)); };
    auto u64 = [&](size_t at, uint64_t value) { memcpy(bytes.data() + at, &value, sizeof(value)); };
    u32(0, magic);
    bytes[6] = 1;
    bytes[7] = 8;
    constexpr uint64_t kNames = 96, kUnits = 128, kFiles = 144, kTables = 160, kFunctions = 192, kRecord = 32;
    const uint64_t words[] = {1, 1, text, kNames, kUnits, kFiles, kTables, kFunctions};
    for (size_t i = 0; i < std::size(words); i++)
        u64(8 + i * 8, words[i]);
    strcpy(reinterpret_cast<char*>(&bytes[kNames + 1]), "main.f");
    u32(kUnits, 1);
    strcpy(reinterpret_cast<char*>(&bytes[kFiles + 1]), "/a.go");
    const uint8_t tables[] = {0, 50, 32, 0, 2, 32, 0, 16, 16, 4, 16, 0};  // +25: 24; +1: file 0; +8: 7, +2: 9
    memcpy(&bytes[kTables], tables, sizeof(tables));
    u32(kFunctions, 0);
    u32(kFunctions + 4, kRecord);
    u32(kFunctions + 8, 32);
    const size_t record = kFunctions + kRecord;
    u32(record + 4, 1);   // name
    u32(record + 16, 1);  // stack
    u32(record + 20, 4);  // files
    u32(record + 24, 7);  // lines
    return bytes;
}

TEST(MadeGoTable, OfEachVersion)
{
    for (uint32_t magic : {0xfffffff0, 0xfffffff1}) {
        const auto table = GoTable::parse(made(magic, 0x401000));
        ASSERT_TRUE(table);
        for (const auto& [offset, line] : {std::pair(0, 7), {15, 7}, {16, 9}, {31, 9}}) {
            const auto frames = table->frames(0x401000 + static_cast<uint64_t>(offset));
            ASSERT_EQ(frames.size(), 1u) << offset;
            EXPECT_EQ(frames[0].function, "main.f");
            EXPECT_EQ(frames[0].file, "/a.go");
            EXPECT_EQ(frames[0].line, line) << offset;
            EXPECT_EQ(table->frame_size(0x401000 + static_cast<uint64_t>(offset)), 24u);
        }
        EXPECT_TRUE(table->frames(0x401020).empty());
        EXPECT_TRUE(table->frames(0x400fff).empty());
    }
    EXPECT_FALSE(GoTable::parse(made(0xfffffffa, 0x401000))) << "1.16 is another layout";
}

TEST(MadeGoTable, TextIsNotInTheHeaderSince126)
{
    auto table = GoTable::parse(made(0xfffffff1, 0));
    ASSERT_TRUE(table);
    EXPECT_TRUE(table->frames(0x401000).empty()) << "where the code lies is not known yet";
    table->set_module({0x401000, {}});
    ASSERT_EQ(table->frames(0x401000).size(), 1u);
    EXPECT_EQ(table->frames(0x401000)[0].line, 7);
}

TEST(MadeGoTable, BrokenOnesAreRefusedOrSilent)
{
    const std::vector<uint8_t> whole = made(0xfffffff1, 0x401000);
    for (size_t size = 0; size < whole.size(); size++) {
        const auto table = GoTable::parse({whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)});
        if (table)
            table->frames(0x401000);
    }
    for (size_t at = 0; at < 300; at++)
        for (uint8_t value : {0x00, 0x7f, 0x80, 0xff}) {
            std::vector<uint8_t> bytes = whole;
            bytes[at] = value;
            auto table = GoTable::parse(std::move(bytes));
            if (!table)
                continue;
            table->set_module({0x401000, {1, 2, 3}});
            for (uint64_t offset : {0, 16, 31})
                table->frames(0x401000 + offset), table->frame_size(0x401000 + offset);
        }
}

}  // namespace
}  // namespace epaudit
