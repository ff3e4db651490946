// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <sstream>

#include "src/symbols/python_code.h"

namespace epaudit {
namespace {

std::string from_hex(const std::string& hex)
{
    std::string bytes;
    for (size_t at = 0; at + 1 < hex.size(); at += 2)
        bytes += static_cast<char>(std::stoi(hex.substr(at, 2), nullptr, 16));
    return bytes;
}

// What the interpreters of Debian 12, of 3.12.1 and of Debian sid made of one function of 97 lines, with its co_lines(): line*code
// units, 0 for none.
struct Compiled {
    int minor;
    const char* table;
    const char* lines;
};
constexpr Compiled kCompiled[] = {
    {11,
     "8000e00d0ed80d0ef103010e0f8045f56e02000e13903189588c58f000030513f0000305138801d8080d9514d80c0dd8"
     "0c11f105021213f400021213f10002091388058805f006020528d8080d9011890a88058805f8dd0b1cd00427d00427d0"
     "0427a061986598659865d00427f8f8f8d80b22d00b2298059871907ad00b22d10b22d40b22d00422",
     "1*1 3*1 4*1 3*3 90*17 91*7 92*1 93*1 91*11 94*1 95*6 0*1 96*14 0*3 97*14"},
    {12,
     "8000e00d0ed80d0ef103010e0f8045f46e02000e1390318b58f2000305138801d8080d9414d80c0dd80c11f305021213"
     "f1000209138905f003030513f008020528d8080d9011890a8805e0181d9871907ad60b2290218a41d20b22d00422f8f4"
     "03000c1dd20427a0619a65d00427fcda0b22",
     "1*1 3*1 4*1 3*3 90*14 91*6 92*1 93*1 91*8 90*1 94*1 95*5 97*18 0*1 96*13 0*5 97*3"},
    {14,
     "8000e00d0ed80d0ef503010e0f8045f46e02000e1390318e588801d8080d9414d80c0dd80c11f305021213f500020913"
     "8a05f103000e16f008020528d8080d90118d0a8805e0181d9871917ad30b22917a90218a41917ad10b22d00422f8f403"
     "000c1dd40427a0619a65d00427fcda0b22",
     "1*1 3*1 4*1 3*7 90*14 91*6 92*1 93*1 91*13 90*2 94*1 95*9 97*19 0*1 96*15 0*5 97*3"},
};

TEST(Python, LinesAreThoseOfItsOwnTable)
{
    for (const Compiled& compiled : kCompiled) {
        std::istringstream runs(compiled.lines);
        const std::string table = from_hex(compiled.table);
        int64_t at = 0;
        for (std::string run; runs >> run;) {
            const int line = std::stoi(run), units = std::stoi(run.substr(run.find('*') + 1));
            for (int unit = 0; unit < units; unit++, at += 2)
                EXPECT_EQ(python_line(table, 1, at).value_or(0), line) << "3." << compiled.minor << " at " << at;
        }
        EXPECT_GT(at, 100);
        EXPECT_FALSE(python_line(table, 1, at)) << "behind its end";
    }
}

TEST(Python, ABrokenTableTellsNothing)
{
    const std::string table = from_hex(kCompiled[0].table);
    EXPECT_FALSE(python_line("", 1, 0));
    EXPECT_FALSE(python_line("\x01\x02", 1, 0)) << "no entry begins like this";
    for (size_t size = 0; size < table.size(); size++)
        python_line(table.substr(0, size), 1, 1 << 20);
    EXPECT_FALSE(python_line(std::string(64, '\xff'), 1, 4)) << "no line at all";
    EXPECT_FALSE(python_line("\xf0\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x3f", INT32_MAX, 0)) << "beyond all lines";
    std::string leaps;
    for (int entry = 0; entry < 40; entry++)
        leaps += "\xe8\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x3f";  // 2^59 lines back
    EXPECT_FALSE(python_line(leaps, 1, 1 << 20)) << "more than 64 bits hold (found by the fuzzer)";
}

// The memory of a process, and in it what 3.12 makes of a function. Everything else is not mapped.
class Memory {
public:
    explicit Memory(const PythonLayout& layout) : layout_(layout) {}

    void put(uint64_t at, const std::string& bytes) { parts_[at] = bytes; }
    void put_word(uint64_t at, uint64_t word)
    {
        put(at, std::string(reinterpret_cast<const char*>(&word), sizeof(word)));
    }

    void put_text(uint64_t at, const std::string& characters, unsigned width, bool ascii)
    {
        std::string object(ascii ? layout_.ascii_size : layout_.compact_size, '\0');
        const uint64_t length = characters.size() / width;
        const uint32_t state = (width | 1u << 3 | (ascii ? 1u << 4 : 0)) << layout_.kind_bit;
        memcpy(object.data() + 16, &length, sizeof(length));
        memcpy(object.data() + 32, &state, sizeof(state));
        put(at, object + characters);
    }

    void put_code(uint64_t at, uint64_t file, uint64_t name, uint64_t table)
    {
        std::string object(layout_.instructions, '\0');
        auto word = [&](size_t offset, uint64_t value) { memcpy(object.data() + offset, &value, sizeof(value)); };
        word(8, layout_.code_type);
        word(layout_.file_name, file);
        word(layout_.qualified_name, name);
        word(layout_.line_table, table);
        const int32_t first = 1;
        memcpy(object.data() + layout_.first_line, &first, sizeof(first));
        put(at, object);
    }

    void put_bytes(uint64_t at, const std::string& bytes)
    {
        std::string object(32, '\0');
        const uint64_t size = bytes.size();
        memcpy(object.data() + 16, &size, sizeof(size));
        put(at, object + bytes);
    }

    ReadMemory reader()
    {
        return [this](uint64_t address, void* into, size_t size) {
            auto at = parts_.upper_bound(address);
            if (at == parts_.begin())
                return false;
            --at;
            const uint64_t within = address - at->first;
            if (within > at->second.size() || size > at->second.size() - within)
                return false;
            memcpy(into, at->second.data() + within, size);
            return true;
        };
    }

private:
    const PythonLayout& layout_;
    std::map<uint64_t, std::string> parts_;
};

PythonLayout layout_312() { return *python_layout({0x030c01f0, 0x1000, 0x2000, {{0x100, 0x200}}, {}}); }

TEST(Python, AFrameHasTheNameFileAndLineOfItsCode)
{
    const PythonLayout layout = layout_312();
    Memory memory(layout);
    memory.put_text(0x10000, "/srv/app/server.py", 1, true);
    memory.put_text(0x11000, std::string("n\xe9w\0\xac\x20", 6), 2, false);  // U+e96e, U+0077, U+20ac
    memory.put_bytes(0x12000, from_hex(kCompiled[1].table));
    memory.put_code(0x20000, 0x10000, 0x11000, 0x12000);
    PythonCode code(layout);
    const auto frame = code.frame_of({0x20000 | 1, 0x20000 + layout.instructions + 2 * 21}, memory.reader());
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->file, "/srv/app/server.py");
    EXPECT_EQ(frame->function, "\xee\xa5\xaew\xe2\x82\xac");
    EXPECT_EQ(frame->line, 91);
    EXPECT_FALSE(frame->at_start);
}

TEST(Python, APathThatIsNoUtf8KeepsItsBytes)
{
    const PythonLayout layout = layout_312();
    Memory memory(layout);
    memory.put_text(0x10000, std::string("/\0\xff\xdc", 4), 2, false);  // os.fsdecode(b"/\xff")
    memory.put_text(0x11000, "f", 1, true);
    memory.put_bytes(0x12000, from_hex(kCompiled[1].table));
    memory.put_code(0x20000, 0x10000, 0x11000, 0x12000);
    EXPECT_EQ(PythonCode(layout).frame_of({0x20000, 0x20000}, memory.reader())->file, "/\xff");
}

TEST(Python, WhatIsNoCodeObjectIsNoFrame)
{
    const PythonLayout layout = layout_312();
    Memory memory(layout);
    memory.put(0x20000, std::string(4096, 'x'));
    PythonCode code(layout);
    EXPECT_FALSE(code.frame_of({0x20000, 0x20010}, memory.reader()));
    EXPECT_FALSE(code.frame_of({0x90000, 0x90010}, memory.reader())) << "nothing is mapped there";
    memory.put_code(0x30000, 0x1, 0x2, 0x3);
    const auto frame = code.frame_of({0x30000, 0x30000 + layout.instructions}, memory.reader());
    ASSERT_TRUE(frame) << "its texts are gone, it is a frame nevertheless";
    EXPECT_EQ(frame->function + frame->file, "");
    EXPECT_TRUE(frame->at_start);
}

TEST(Python, AnotherCodeObjectMayLieWhereOneWas)
{
    const PythonLayout layout = layout_312();
    Memory memory(layout);
    memory.put_text(0x10000, "/srv/one.py", 1, true);
    memory.put_text(0x10800, "/srv/two.py", 1, true);
    memory.put_text(0x11000, "f", 1, true);
    memory.put_bytes(0x12000, from_hex(kCompiled[1].table));
    memory.put_code(0x20000, 0x10000, 0x11000, 0x12000);
    PythonCode code(layout);
    EXPECT_EQ(code.frame_of({0x20000, 0x20000}, memory.reader())->file, "/srv/one.py");
    memory.put_code(0x20000, 0x10800, 0x11000, 0x12000);
    EXPECT_EQ(code.frame_of({0x20000, 0x20000}, memory.reader())->file, "/srv/two.py");
}

TEST(Python, ALayoutIsKnownOrRefused)
{
    EXPECT_TRUE(python_layout({0x030b02f0, 0x1000, 0x2000, {}, {}}));
    EXPECT_FALSE(python_layout({0, 0x1000, 0x2000, {}, {}})) << "before 3.11 there is no Py_Version";
    EXPECT_FALSE(python_layout({0x030d00f0, 0x1000, 0x2000, {}, {}})) << "3.13 has to say where things are";
    EXPECT_FALSE(python_layout({0x030f00f0, 0x1000, 0x2000, {}, std::vector<uint64_t>(64, 8)})) << "not known yet";
    std::vector<uint64_t> words(64, 8);
    words[0] = 0x7970677562656478;
    words[1] = 0x030d00f0;
    words[2] = 0;
    EXPECT_TRUE(python_layout({0x030d00f0, 0x1000, 0x2000, {}, words}));
    words[2] = 1;
    EXPECT_FALSE(python_layout({0x030d00f0, 0x1000, 0x2000, {}, words})) << "free-threaded";
    words[2] = 0;
    words[31] = 4096;  // instr_ptr, beyond what the probe reads
    EXPECT_FALSE(python_layout({0x030d00f0, 0x1000, 0x2000, {}, words}));
    words[31] = uint64_t{1} << 60;
    EXPECT_FALSE(python_layout({0x030d00f0, 0x1000, 0x2000, {}, words}));
}

}  // namespace
}  // namespace epaudit
