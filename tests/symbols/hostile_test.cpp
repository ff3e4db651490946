// SPDX-License-Identifier: Apache-2.0
// Programs that are made to harm whoever reads their symbols: it costs their names, never us, and nobody else's.
#include <arpa/inet.h>
#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "src/support/proc.h"
#include "src/symbols/code_map.h"
#include "src/symbols/mapped_files.h"
#include "src/symbols/process_image.h"
#include "src/symbols/stack_book.h"
#include "src/symbols/symbols_child.h"

// Its name stands for a text of some 2^36 characters: each argument is the one before it, twice.
extern "C" __attribute__((noinline, used)) void demangler_bomb() asm(
    "_Z4bomb1PIiiES_IS0_S0_ES_IS1_S1_ES_IS2_S2_ES_IS3_S3_ES_IS4_S4_ES_IS5_S5_ES_IS6_S6_ES_IS7_S7_ES_IS8_S8_ES_IS9_S9_E"
    "S_ISA_SA_ES_ISB_SB_ES_ISC_SC_ES_ISD_SD_ES_ISE_SE_ES_ISF_SF_ES_ISG_SG_ES_ISH_SH_ES_ISI_SI_ES_ISJ_SJ_ES_ISK_SK_E"
    "S_ISL_SL_ES_ISM_SM_ES_ISN_SN_ES_ISO_SO_ES_ISP_SP_ES_ISQ_SQ_ES_ISR_SR_ES_ISS_SS_ES_IST_ST_ES_ISU_SU_ES_ISV_SV_E");
void demangler_bomb() { asm volatile(""); }

namespace epaudit {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kMiB = 1 << 20;

std::string field(pid_t pid, const std::string& name)
{
    std::istringstream status(read_proc_file("/proc/" + std::to_string(pid) + "/status"));
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(name + ":"))
            return line.substr(name.size() + 1);
    return {};
}

// Children that read symbols: they have our name, and a filter of system calls.
std::vector<pid_t> readers()
{
    std::vector<pid_t> found;
    for (uint32_t pid : numbers_in("/proc"))
        if (pid != static_cast<uint32_t>(getpid()) && read_comm(pid) == read_comm(static_cast<uint32_t>(getpid())) &&
            field(static_cast<pid_t>(pid), "Seccomp").find('2') != std::string::npos)
            found.push_back(static_cast<pid_t>(pid));
    return found;
}

// A process that does something and then waits until it is killed.
class Other {
public:
    explicit Other(const std::function<void()>& before)
    {
        int ends[2];
        EXPECT_EQ(pipe(ends), 0);
        pid_ = fork();
        if (pid_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            before();
            close(ends[1]);
            pause();
            _exit(0);
        }
        close(ends[1]);
        char byte;
        EXPECT_EQ(read(ends[0], &byte, 1), 0);
        close(ends[0]);
    }
    ~Other()
    {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    Other(const Other&) = delete;
    Other& operator=(const Other&) = delete;
    uint32_t pid() const { return static_cast<uint32_t>(pid_); }

private:
    pid_t pid_;
};

class Hostile : public testing::Test {
protected:
    void SetUp() override
    {
        std::string name = (fs::temp_directory_path() / "epaudit-hostile-XXXXXX").string();
        ASSERT_TRUE(mkdtemp(name.data()));
        directory_ = name;
        fs::permissions(directory_, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
        set_symbol_limits({2, 256 * kMiB});
        // Our readers inherit our name: there may be tests beside us.
        prctl(PR_SET_NAME, ("hostile" + std::to_string(getpid() % 1000000)).c_str());
    }
    void TearDown() override
    {
        set_symbol_limits({});
        fs::remove_all(directory_);
        int why = 0;
        auto own = ProcessImage::open(static_cast<uint32_t>(getpid()), why);
        ASSERT_TRUE(own);
        EXPECT_NE(name_at(*own, reinterpret_cast<uint64_t>(&getpid)).find("getpid"), std::string::npos)
            << "others are read all the same";
    }

    static std::string name_at(ProcessImage& image, uint64_t address)
    {
        return image.symbolise({{address, true}}).back().function;
    }

    // A copy of this program, mapped as code by a process of its own at this address.
    std::string copy() const
    {
        const std::string path = (directory_ / "copy").string();
        fs::copy_file("/proc/self/exe", path);
        return path;
    }
    static constexpr uint64_t kBase = 0x10000000;
    static void map_whole(const std::string& path)
    {
        const int fd = open(path.c_str(), O_RDONLY);
        if (mmap(reinterpret_cast<void*>(kBase), fs::file_size(path), PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED,
                 fd, 0) == MAP_FAILED)
            _exit(1);
    }

    fs::path directory_;
};

TEST_F(Hostile, TheReaderMayDoNothingElse)
{
    int why = 0;
    auto image = ProcessImage::open(static_cast<uint32_t>(getpid()), why);
    ASSERT_TRUE(image);
    EXPECT_NE(name_at(*image, reinterpret_cast<uint64_t>(&getpid)).find("getpid"), std::string::npos);
    const auto children = readers();
    ASSERT_FALSE(children.empty());
    for (pid_t child : children) {
        for (const char* set : {"CapEff", "CapPrm", "CapInh", "CapAmb"})
            EXPECT_EQ(std::stoull(field(child, set), nullptr, 16), 0u) << set;
        EXPECT_NE(field(child, "NoNewPrivs").find('1'), std::string::npos);
        if (geteuid() == 0) {
            EXPECT_NE(field(child, "Uid").find("65534"), std::string::npos) << field(child, "Uid");
            EXPECT_EQ(field(child, "Groups").find_first_not_of(" \t"), std::string::npos) << field(child, "Groups");
        }
        std::ifstream limits("/proc/" + std::to_string(child) + "/limits");
        std::stringstream text;
        text << limits.rdbuf();
        EXPECT_NE(text.str().find("Max cpu time              600"), std::string::npos) << text.str();
        EXPECT_EQ(text.str().find("Max address space         unlimited"), std::string::npos) << text.str();
    }
}

TEST_F(Hostile, AReaderThatIsKilledOrStoppedIsReplaced)
{
    int why = 0;
    auto image = ProcessImage::open(static_cast<uint32_t>(getpid()), why);
    ASSERT_TRUE(image);
    EXPECT_NE(name_at(*image, reinterpret_cast<uint64_t>(&getpid)), "");
    for (int signal : {SIGKILL, SIGSTOP}) {
        const auto children = readers();
        ASSERT_FALSE(children.empty());
        for (pid_t child : children)
            ASSERT_EQ(kill(child, signal), 0);
        auto another = ProcessImage::open(static_cast<uint32_t>(getpid()), why);
        ASSERT_TRUE(another);
        EXPECT_NE(name_at(*another, reinterpret_cast<uint64_t>(&getppid)).find("getppid"), std::string::npos) << signal;
        EXPECT_FALSE(another->given_up());
        for (pid_t child : children)
            kill(child, SIGKILL);
    }
}

// libdw maps files: what is beyond the end of one is a SIGBUS.
TEST_F(Hostile, AFileThatIsTruncatedWhileItIsRead)
{
    const std::string path = copy();
    Other other([&] { map_whole(path); });
    int why = 0;
    auto image = ProcessImage::open(other.pid(), why);
    ASSERT_TRUE(image) << strerror(why);
    image->symbolise({{kBase + 0x2000, true}});  // opened, and mapped
    ASSERT_EQ(truncate(path.c_str(), 4096), 0);
    for (uint64_t at = 0x3000; at < 0x200000; at += 0x1000) {
        const auto frames = image->symbolise({{kBase + at, true}});
        ASSERT_EQ(frames.empty(), false);
    }
}

uint64_t peak_kib()
{
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<uint64_t>(usage.ru_maxrss);
}

// A section of a few bytes that says it is gigabytes when unpacked.
TEST_F(Hostile, ASectionThatIsABomb)
{
    const std::string path = copy();
    {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        Elf64_Ehdr head{};
        file.read(reinterpret_cast<char*>(&head), sizeof(head));
        for (unsigned i = 0; i < head.e_shnum; i++) {
            Elf64_Shdr section{};
            const auto at = static_cast<std::streamoff>(head.e_shoff + i * sizeof(section));
            file.seekg(at);
            file.read(reinterpret_cast<char*>(&section), sizeof(section));
            if (section.sh_type != SHT_PROGBITS || (section.sh_flags & SHF_ALLOC) || section.sh_size < 4096)
                continue;
            section.sh_flags |= SHF_COMPRESSED;
            file.seekp(at);
            file.write(reinterpret_cast<const char*>(&section), sizeof(section));
            Elf64_Chdr packed{};
            packed.ch_type = ELFCOMPRESS_ZLIB;
            packed.ch_size = section.sh_size * 900;  // libelf believes a ratio of 1,000
            packed.ch_addralign = 1;
            file.seekp(static_cast<std::streamoff>(section.sh_offset));
            file.write(reinterpret_cast<const char*>(&packed), sizeof(packed));
        }
    }
    const uint64_t before = peak_kib();
    Other other([&] { map_whole(path); });
    int why = 0;
    auto image = ProcessImage::open(other.pid(), why);
    ASSERT_TRUE(image) << strerror(why);
    for (uint64_t at = 0x1000; at < 0x10000; at += 0x1000)
        ASSERT_EQ(image->symbolise({{kBase + at, true}}).empty(), false);
    EXPECT_LT(peak_kib(), before + 64 * 1024) << "not here";
}

TEST_F(Hostile, ANameThatIsABomb)
{
    const uint64_t before = peak_kib();
    const auto began = Clock::now();
    int why = 0;
    auto image = ProcessImage::open(static_cast<uint32_t>(getpid()), why);
    ASSERT_TRUE(image);
    const auto frames = image->symbolise({{reinterpret_cast<uint64_t>(&demangler_bomb), true}});
    ASSERT_EQ(frames.empty(), false);
    EXPECT_LE(frames.back().function.size(), 4096u);
    EXPECT_LT(peak_kib(), before + 64 * 1024);
    EXPECT_LT(Clock::now() - began, std::chrono::seconds(20));
}

TEST_F(Hostile, SixtyThousandMappings)
{
    const std::string path = copy();
    Other other([&] {
        const int fd = open(path.c_str(), O_RDONLY);
        for (uint64_t i = 0; i < 60000; i++)  // none continues the one before
            if (mmap(reinterpret_cast<void*>(kBase + i * 8192), 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED,
                     fd, static_cast<off_t>(i % 2 * 4096)) == MAP_FAILED)
                break;
    });
    const auto began = Clock::now();
    int why = 0;
    auto image = ProcessImage::open(other.pid(), why);
    ASSERT_TRUE(image) << strerror(why);
    StackSlice slice;
    slice.pid = other.pid();
    for (uint64_t i = 0; i < 100; i++) {  // code that no file holds: its map is not read for each
        slice.pc = 0x1000 + i;
        ASSERT_EQ(image->unwind(slice).size(), 1u);
    }
    EXPECT_LT(Clock::now() - began, std::chrono::seconds(10));
}

// The network is never asked.
TEST_F(Hostile, DebuginfodIsNotAsked)
{
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(listen(listener, 5), 0);
    ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
    setenv("DEBUGINFOD_URLS", ("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port))).c_str(), 1);
    for (pid_t child : readers())  // the next one has it in its environment
        kill(child, SIGKILL);
    int why = 0;
    auto image = ProcessImage::open(static_cast<uint32_t>(getpid()), why);
    ASSERT_TRUE(image);
    for (auto* function : {reinterpret_cast<void*>(&getpid), reinterpret_cast<void*>(&pause)})
        name_at(*image, reinterpret_cast<uint64_t>(function));
    unsetenv("DEBUGINFOD_URLS");
    EXPECT_LT(accept(listener, nullptr, nullptr), 0) << "somebody called";
    close(listener);
}

// A reader that was taken over asks for what it likes.
TEST(MappedFiles, OfMemoryOnlyCodeIsReadAndLittleOfIt)
{
    MappedFiles files(static_cast<uint32_t>(getpid()));
    ASSERT_EQ(files.read(), 0);
    auto* pages = static_cast<uint8_t*>(
        mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(pages, MAP_FAILED);
    pages[4094] = 42;
    ASSERT_EQ(mprotect(pages, 4096, PROT_READ | PROT_EXEC), 0);
    const auto end = reinterpret_cast<uint64_t>(pages) + 4096;
    uint8_t bytes[32] = {};
    EXPECT_FALSE(files.read_code(end - 2, bytes, 2)) << "not in the map that was read";
    ASSERT_EQ(files.read(), 0);
    ASSERT_TRUE(files.read_code(end - 2, bytes, 2));
    EXPECT_EQ(bytes[0], 42);
    EXPECT_FALSE(files.read_code(end - 1, bytes, 2)) << "its end is none";
    EXPECT_FALSE(files.read_code(end - 32, bytes, 17)) << "more than an instruction or two";
    EXPECT_FALSE(files.read_code(end, bytes, 2) || files.read_code(reinterpret_cast<uint64_t>(&end), bytes, 2));
    EXPECT_FALSE(files.read_code(~0ULL, bytes, 2));
    munmap(pages, 8192);
}

TEST(MappedFiles, ReadsWhatTheKernelWrites)
{
    MappedFiles files(1);
    files.take(
        "1000-2000 r-xp 00000000 08:01 42                         /lib/a b.so (deleted)\n"
        "3000-4000 rw-p 00000000 00:00 0 \n"
        "5000-6000 r--p 00001000 08:01 43 /x\n"
        "garbage\n7000-zz\n-\n8000-9000 r-xp 0 0\n"
        "7fff0000-7fff1000 r-xp 00000000 00:00 0                  [vdso]\n");
    EXPECT_EQ(std::count(files.text().begin(), files.text().end(), '\n'), 3) << "two files, and code of none";
    const CodeMap code(files.text());
    EXPECT_TRUE(code.find(0x1000) && code.find(0x1fff) && code.find(0x7fff0000));
    EXPECT_FALSE(code.find(0x2000) || code.find(0xfff) || code.find(0x3000) || code.find(0x5000));
    std::string path;
    EXPECT_FALSE(files.open(0x3000, path)) << "only what is mapped is opened, by where it is";
}

// A server that forks for each request had a copy of its map kept for each child whose stacks were: megabytes of the same.
TEST(MappedFiles, ChildrenThatHaveTheMapOfTheirParentShareIt)
{
    const std::string text = "1000-2000 r-xp 00000000 08:01 42 /lib/a.so\n";
    MappedFiles parent(1), other(3);
    other.take("1000-2000 r-xp 00000000 08:01 43 /lib/a.so\n");
    parent.take(text);
    {
        MappedFiles child(2);
        child.take(text + "5000-6000 rw-p 00000000 00:00 0 [heap]\n");  // of which nothing is kept
        EXPECT_EQ(&child.text(), &parent.text());
        EXPECT_NE(&child.text(), &other.text());
        child.take(other.text());
        EXPECT_EQ(&child.text(), &other.text()) << "it has loaded what the other has";
        parent.take("");
    }
    parent.take(text);
    EXPECT_EQ(parent.text(), text) << "known again, after nobody had it";
    EXPECT_TRUE(parent.code().find(0x1000));
}

}  // namespace
}  // namespace epaudit
