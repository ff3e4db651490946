// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/perf_map.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cstring>

#include <filesystem>
#include <fstream>

#include "src/symbols/perf_map_file.h"
#include "src/symbols/process_image.h"

namespace epaudit {
namespace {

std::string name_at(const PerfMap& map, uint64_t address)
{
    const auto frame = map.find(address);
    return frame ? frame->function : "-";
}

TEST(PerfMap, NamesCoverTheirBytes)
{
    const PerfMap map("1000 10 first\n0x2000 0x20 Lsecond;::run with spaces\n");
    EXPECT_EQ(name_at(map, 0xfff), "-");
    EXPECT_EQ(name_at(map, 0x1000), "first");
    EXPECT_EQ(name_at(map, 0x100f), "first");
    EXPECT_EQ(name_at(map, 0x1010), "-");
    EXPECT_EQ(name_at(map, 0x2001), "Lsecond;::run with spaces");
}

TEST(PerfMap, TheLastLineWins)
{
    const PerfMap map("1000 100 old\n1040 20 new\n1050 8 newest\n2000 10 a\n1ff8 10 b\n3000 10 x\n2f00 200 over\n");
    EXPECT_EQ(name_at(map, 0x1000), "old");
    EXPECT_EQ(name_at(map, 0x1040), "new");
    EXPECT_EQ(name_at(map, 0x1050), "newest");
    EXPECT_EQ(name_at(map, 0x1058), "new");
    EXPECT_EQ(name_at(map, 0x1060), "old") << "behind the new one the old one goes on";
    EXPECT_EQ(name_at(map, 0x2000), "b");
    EXPECT_EQ(name_at(map, 0x2008), "a");
    EXPECT_EQ(name_at(map, 0x3004), "over");
}

TEST(PerfMap, BrokenLinesAreSkipped)
{
    const PerfMap map(
        std::string("nonsense\n\n1000\n1000 10\n1000 0 empty\nffffffffffffffff 10 wraps\n"
                    "ffffffffffffffffff 10 long\n1000 10 good\n2000 10 no end of line"));
    EXPECT_EQ(map.size(), 1u);
    EXPECT_EQ(name_at(map, 0x1000), "good");
}

TEST(PerfMap, V8HasThePlaceInTheName)
{
    const Frame named = frame_of_perf_name("JS:~onReadable /srv/my app/server.js:41:17");
    EXPECT_EQ(named.function, "onReadable");
    EXPECT_EQ(named.file, "/srv/my app/server.js");
    EXPECT_EQ(named.line, 41);
    EXPECT_TRUE(named.at_start) << "not of the call";
    EXPECT_EQ(frame_of_perf_name("LazyCompile:*get size file:///a/b.mjs:3:1").file, "/a/b.mjs");
    EXPECT_EQ(frame_of_perf_name("LazyCompile:*get size file:///a/b.mjs:3:1").function, "get size");
    EXPECT_EQ(frame_of_perf_name("JS:^ /a/b.js:3:1").function, "(anonymous)");
    EXPECT_EQ(frame_of_perf_name("JS:*processTimers node:internal/timers:499:25").file, "node:internal/timers");
    EXPECT_EQ(frame_of_perf_name("JS:~x /a/b.js:99999999999999999999:1").line, 0);
    EXPECT_EQ(frame_of_perf_name("JS:").function, "");
}

TEST(PerfMap, PythonHasTheFile)
{
    const Frame frame = frame_of_perf_name("py::handler:/srv/app.py");
    EXPECT_EQ(frame.function, "handler");
    EXPECT_EQ(frame.file, "/srv/app.py");
    EXPECT_EQ(frame.line, 0);
    EXPECT_EQ(frame_of_perf_name("py::f").function, "f");
}

// --- the file -----------------------------------------------------------------------------------------

class PerfMapOfThisProcess : public testing::Test {
protected:
    PerfMapOfThisProcess() { unlink(path().c_str()); }
    ~PerfMapOfThisProcess() override { unlink(path().c_str()); }
    static std::string path() { return "/tmp/perf-" + std::to_string(getpid()) + ".map"; }
    const PerfMap* read() { return file_.read(open_perf_map(static_cast<uint32_t>(getpid()))); }
    PerfMapFile file_;
};

TEST_F(PerfMapOfThisProcess, IsReadAgainWhenItGrows)
{
    EXPECT_FALSE(read());
    std::ofstream(path()) << "1000 10 one\n";
    const PerfMap* map = read();
    ASSERT_TRUE(map);
    EXPECT_EQ(name_at(*map, 0x1000), "one");
    std::ofstream(path(), std::ios::app) << "2000 10 two\n";
    EXPECT_EQ(name_at(*read(), 0x2000), "two");
    unlink(path().c_str());
    ASSERT_TRUE(read()) << "what was known stays";
    EXPECT_EQ(name_at(*read(), 0x2000), "two");
}

TEST_F(PerfMapOfThisProcess, OnlyARegularFileOfItsUser)
{
    const std::string other = path() + ".other";
    std::ofstream(other) << "1000 10 one\n";
    std::filesystem::create_symlink(other, path());
    EXPECT_FALSE(read()) << "a link leads anywhere";
    unlink(path().c_str());
    ASSERT_EQ(mkfifo(path().c_str(), 0666), 0);
    EXPECT_FALSE(read()) << "and it does not wait for a writer";
    unlink(path().c_str());
    std::filesystem::rename(other, path());
    if (geteuid() == 0) {
        ASSERT_EQ(chown(path().c_str(), 65534, 65534), 0);
        EXPECT_FALSE(read()) << "anybody may have put it there";
        ASSERT_EQ(chown(path().c_str(), 0, 0), 0);
    }
    EXPECT_TRUE(read());
}

// By way of the child that reads it, with all that is said of a frame.
TEST_F(PerfMapOfThisProcess, NamesCodeThatIsMadeLaterAndStacksThatWereTakenBefore)
{
#if defined(__aarch64__)
    constexpr unsigned kStackPointer = 31, kFramePointer = 29;
#else
    constexpr unsigned kStackPointer = 7, kFramePointer = 6;
#endif
    int why = 0;
    auto image = ProcessImage::open(static_cast<uint32_t>(getpid()), why);
    ASSERT_TRUE(image) << strerror(why);
    void* page = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(page, MAP_FAILED);
    const auto code = reinterpret_cast<uint64_t>(page);
    const uint64_t words[] = {0, 0, code + 0x20};  // the frame pointer of the caller, and where it goes on
    StackSlice slice;
    slice.pid = static_cast<uint32_t>(getpid());
    slice.pc = code + 4;
    slice.start = 0x1000;
    slice.registers[kStackPointer] = slice.start;
    slice.registers[kFramePointer] = slice.start + sizeof(uint64_t);
    slice.bytes.resize(sizeof(words));
    memcpy(slice.bytes.data(), words, sizeof(words));

    std::vector<CodeAddress> early = image->unwind(slice);
    ASSERT_EQ(early.size(), 2u);
    EXPECT_TRUE(early[0].exact && !early[0].guessed && !early[0].named);
    EXPECT_TRUE(!early[1].exact && early[1].guessed && !early[1].named);
    EXPECT_EQ(image->symbolise(early)[0].offset, slice.pc);
    EXPECT_FALSE(image->name_late(early));

    std::ofstream(path()) << std::hex << code << " 10 JS:~handle file:///app/server.js:7:3\n"
                          << code + 0x10 << " 20 py::serve:/app/server.py\n";
    EXPECT_TRUE(image->name_late(early));
    EXPECT_FALSE(image->name_late(early)) << "nothing is new";
    for (const std::vector<CodeAddress>& addresses : {early, image->unwind(slice)}) {
        const std::vector<Frame> frames = image->symbolise(addresses);
        ASSERT_EQ(frames.size(), 2u);
        EXPECT_EQ(frames[0].function, "handle");
        EXPECT_EQ(frames[0].file, "/app/server.js");
        EXPECT_EQ(frames[0].line, 7);
        EXPECT_EQ(frames[0].offset, slice.pc);
        EXPECT_TRUE(frames[0].at_start && !frames[0].guessed);
        EXPECT_EQ(frames[1].function, "serve");
        EXPECT_TRUE(frames[1].guessed && !frames[1].at_start);
    }
    munmap(page, 4096);
}

}  // namespace
}  // namespace epaudit
