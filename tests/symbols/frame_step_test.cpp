// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/frame_step.h"

#include <gtest/gtest.h>

#include <cstring>

namespace epaudit {
namespace {

constexpr char kMaps[] =
    "00400000-00401000 r-xp 00000000 08:01 12   /srv/my app/node\n"
    "00500000-00501000 rw-p 00000000 08:01 12   /srv/my app/node\n"
    "7f0000000000-7f0000010000 rwxp 00000000 00:00 0 \n"
    "7f0000020000-7f0000021000 r-xp 00000000 00:00 0 [anon:jit]\n"
    "not a line\n"
    "7f0000030000-7f0000031000 r-xp 00000000 00:01 5 /memfd:doublemapper (deleted)\n";

TEST(CodeMap, KnowsWhatIsExecutable)
{
    const CodeMap map(kMaps);
    ASSERT_TRUE(map.find(0x400fff));
    EXPECT_EQ(map.find(0x400fff)->name, "/srv/my app/node");
    EXPECT_FALSE(map.find(0x400fff)->anonymous);
    EXPECT_FALSE(map.find(0x401000));
    EXPECT_FALSE(map.find(0x500000)) << "data";
    EXPECT_FALSE(map.find(0));
    EXPECT_FALSE(map.find(~0ULL));
    for (uint64_t made : {0x7f0000000000, 0x7f0000020000, 0x7f0000030fff}) {
        ASSERT_TRUE(map.find(made)) << made;
        EXPECT_TRUE(map.find(made)->anonymous) << made;
    }
    EXPECT_EQ(map.runtime(), Runtime::kNode);
}

TEST(CodeMap, TheRuntimeThatMakesCode)
{
    auto runtime = [](const std::string& path) {
        return CodeMap("1000-2000 r-xp 00000000 08:01 12 " + path + "\n").runtime();
    };
    EXPECT_EQ(runtime("/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so"), Runtime::kJava);
    EXPECT_EQ(runtime("/usr/bin/python3.11"), Runtime::kPython);
    EXPECT_EQ(runtime("/usr/share/dotnet/shared/x/libcoreclr.so"), Runtime::kDotnet);
    EXPECT_EQ(runtime("/usr/lib/erlang/erts-13/bin/beam.smp"), Runtime::kErlang);
    EXPECT_EQ(runtime("/usr/bin/nodetool"), Runtime::kNone);
    EXPECT_EQ(CodeMap("1000-2000 r-xp 0 0 1 /usr/bin/python3\n3000-4000 r-xp 0 0 2 /x/libjvm.so\n").runtime(),
              Runtime::kJava);
}

TEST(CodeMap, SaysWhatWouldNameTheFrames)
{
    Frame made, named{"read", "read.c", 7, "/lib/libc.so.6"},
        python{"_PyEval_EvalFrameDefault", "", 0, "/usr/bin/python3"};
    EXPECT_TRUE(missing_names(Runtime::kNone, {made}).empty());
    EXPECT_TRUE(missing_names(Runtime::kNode, {named}).empty());
    EXPECT_NE(missing_names(Runtime::kNode, {named, made}).find("--perf-basic-prof"), std::string::npos);
    made.module = "/usr/bin/node";  // into which V8 maps its own code
    EXPECT_TRUE(missing_names(Runtime::kNode, {named, made}).empty()) << "a stripped program";
    EXPECT_FALSE(
        missing_names(Runtime::kNode, {{"Builtins_InterpreterEntryTrampoline", "", 0, "/usr/bin/node"}}).empty());
    made.guessed = true;
    EXPECT_FALSE(missing_names(Runtime::kNode, {named, made}).empty());
    EXPECT_NE(missing_names(Runtime::kPython, {named, python}).find("CPython 3.11 to 3.14"), std::string::npos);
    EXPECT_TRUE(missing_names(Runtime::kPython, {python, {"handle", "/app/a.py"}}).empty());
    EXPECT_TRUE(missing_names(Runtime::kPython, {named}).empty());
}

#if !defined(__aarch64__)

bool behind(std::initializer_list<uint8_t> call)
{
    std::vector<uint8_t> code(16, 0x90);
    std::copy(call.begin(), call.end(), code.end() - static_cast<ptrdiff_t>(call.size()));
    return follows_call(0x1010, [&](uint64_t address, void* into, size_t size) {
        if (address < 0x1000 || address + size > 0x1010)
            return false;
        memcpy(into, code.data() + (address - 0x1000), size);
        return true;
    });
}

TEST(FollowsCall, KnowsTheEncodings)
{
    EXPECT_TRUE(behind({0xe8, 1, 2, 3, 4}));              // call rel32
    EXPECT_TRUE(behind({0xff, 0xd0}));                    // call *%rax
    EXPECT_TRUE(behind({0x41, 0xff, 0xd3}));              // call *%r11
    EXPECT_TRUE(behind({0xff, 0x50, 0x18}));              // call *0x18(%rax)
    EXPECT_TRUE(behind({0xff, 0x14, 0xc5, 1, 2, 3, 4}));  // call *0x04030201(,%rax,8)
    EXPECT_TRUE(behind({0x41, 0xff, 0x54, 0x24, 0x10}));  // call *0x10(%r12)
    EXPECT_TRUE(behind({0xff, 0x15, 1, 2, 3, 4}));        // call *0x04030201(%rip)
    EXPECT_TRUE(behind({0xff, 0x94, 0x24, 1, 2, 3, 4}));  // call *0x04030201(%rsp)
    EXPECT_FALSE(behind({0xff, 0xe0})) << "jmp *%rax";
    EXPECT_FALSE(behind({0x90}));
    EXPECT_FALSE(behind({0xff, 0x50, 0x18, 0x90})) << "something stands between";
    EXPECT_FALSE(follows_call(3, [](uint64_t, void*, size_t) { return true; }));
    EXPECT_FALSE(follows_call(0x1000, [](uint64_t, void*, size_t) { return false; })) << "it cannot be read";
}

class FrameChain : public testing::Test {
protected:
    static constexpr uint64_t kStack = 0x7ffc00000000, kCode = 0x7f0000000100;

    FrameChain()
    {
        slice_.start = kStack;
        slice_.bytes.resize(256);
    }
    void put(uint64_t at, uint64_t word) { memcpy(slice_.bytes.data() + (at - kStack), &word, sizeof(word)); }
    bool step() { return step_by_frame_pointer(slice_, code_, always_call, at_); }
    static bool always_call(uint64_t, void* into, size_t size)
    {
        memset(into, 0xe8, size);
        return true;
    }

    StackSlice slice_;
    CodeMap code_{kMaps};
    FramePlace at_{kCode, kStack + 8, kStack + 32};
};

TEST_F(FrameChain, GoesToTheCaller)
{
    put(kStack + 32, kStack + 96);
    put(kStack + 40, kCode + 16);
    ASSERT_TRUE(step());
    EXPECT_EQ(at_.pc, kCode + 16);
    EXPECT_EQ(at_.sp, kStack + 48);
    EXPECT_EQ(at_.fp, kStack + 96);
    EXPECT_FALSE(step()) << "0 is no code: the chain ends";
}

TEST_F(FrameChain, RefusesWhatCannotBe)
{
    put(kStack + 40, 0x500010);
    EXPECT_FALSE(step()) << "data is no return address";
    put(kStack + 40, kCode);
    at_.fp = kStack + 33;
    EXPECT_FALSE(step()) << "not aligned";
    at_.fp = kStack;
    put(kStack + 8, kCode);
    EXPECT_FALSE(step()) << "below the stack pointer";
    for (uint64_t outside : {kStack - 8, kStack + 248, kStack + 256, uint64_t{0}, ~uint64_t{7}}) {
        at_.fp = outside;
        EXPECT_FALSE(step()) << outside;
    }
    at_.fp = kStack + 32;
    const auto no_code = [](uint64_t, void*, size_t) { return false; };
    put(kStack + 40, 0x400010);
    EXPECT_FALSE(step_by_frame_pointer(slice_, code_, no_code, at_)) << "no call stands before it";
    put(kStack + 40, kCode);
    EXPECT_TRUE(step_by_frame_pointer(slice_, code_, no_code, at_)) << "an interpreter's";
}

TEST_F(FrameChain, EndsInACircle)
{
    put(kStack + 32, kStack + 32);
    put(kStack + 40, kCode);
    EXPECT_TRUE(step());
    EXPECT_FALSE(step()) << "it has to rise";
}

TEST_F(FrameChain, PythonsTrampolineLeavesTheFramePointerAlone)
{
    constexpr uint8_t kTrampoline[] = {0x48, 0x83, 0xec, 0x08, 0xff, 0xd1, 0x48, 0x83, 0xc4, 0x08, 0xc3};
    auto read = [&](uint64_t address, void* into, size_t size) {
        if (address != kCode || size != sizeof(kTrampoline))
            return false;
        memcpy(into, kTrampoline, size);
        return true;
    };
    at_ = {kCode + 6, kStack + 16, 12345};
    put(kStack + 24, kCode + 0x40);
    ASSERT_TRUE(step_over_python_trampoline(slice_, read, at_));
    EXPECT_EQ(at_.pc, kCode + 0x40);
    EXPECT_EQ(at_.sp, kStack + 32);
    EXPECT_EQ(at_.fp, 12345u);
    EXPECT_FALSE(step_over_python_trampoline(slice_, read, at_));
}

#endif

}  // namespace
}  // namespace epaudit
