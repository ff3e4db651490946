// SPDX-License-Identifier: Apache-2.0
// Events of descriptors that the log does not show: data is a pointer, and their epoll_ctl came before the log began. What
// the program does next may be about them, or about anything else.
#include <fmt/format.h>

#include "tests/unit/pasted.h"

namespace epaudit {
namespace {

const std::string kPointer = "data={u32=4026531840, u64=94304310871072}";
const std::string kInput = "epoll_wait(4, [{events=EPOLLIN, " + kPointer + "}], 64, -1) = 1";
const std::string kRoom = "epoll_wait(4, [{events=EPOLLOUT, " + kPointer + "}], 64, -1) = 1";

// As strace -f -ttt -o FILE writes it, of a program with one thread: nothing is left out.
std::string turns(const std::vector<std::string>& calls, double period, int count = 400)
{
    std::string log;
    for (int i = 0; i < count; i++) {
        for (size_t c = 0; c < calls.size(); c++)
            log += fmt::format("100 {:.6f} {}\n", 1'700'000'000 + i * period + static_cast<double>(c) * 1e-5, calls[c]);
        log += fmt::format("100 {:.6f} getpid() = 100\n", 1'700'000'000 + i * period + 9e-5);
    }
    return log;
}

std::string untimed(const std::vector<std::string>& calls)
{
    std::string turn;
    for (const std::string& call : calls)
        turn += "100 " + call + "\n";
    return times(400, turn + "100 getpid() = 100\n");
}

// Filters in a pipe, and servers that inetd or a socket unit starts.
TEST(StraceUnknown, TheStandardInputIsRead)
{
    for (const std::vector<std::string>& calls :
         {std::vector<std::string>{kInput, "read(0, \"line\\n\", 4096) = 5"},
          {kInput, "read(0, \"line\\n\", 4096) = 5", "write(1, \"line\\n\", 5) = 5"},
          {kInput, "recvfrom(0, \"q\", 4096, 0, NULL, NULL) = 1", "sendto(0, \"a\", 1, 0, NULL, 0) = 1"},
          {kInput, "accept4(0, NULL, NULL, SOCK_CLOEXEC) = 7", "close(7) = 0"}}) {
        EXPECT_TRUE(judge(turns(calls, 0.0005)).found.empty()) << calls[1];
        EXPECT_TRUE(judge(untimed(calls)).found.empty()) << calls[1];
    }
    const std::vector<std::string> end = {kInput, "read(0, \"\", 4096) = 0"};
    EXPECT_EQ(judge(turns(end, 0.0005)).level("EP203"), Level::kLikely);
}

TEST(StraceUnknown, TheStandardOutputIsWritten)
{
    const std::vector<std::string> calls = {kRoom, "write(1, \"data\", 4) = 4"};
    EXPECT_TRUE(judge(turns(calls, 0.0005)).quiet());
    EXPECT_TRUE(judge(untimed(calls)).quiet());
}

// A loop that complains to its standard error does nothing about the socket that it is told of.
TEST(StraceUnknown, MessagesAreNotWhatTheEventIsAbout)
{
    const std::string warned = "write(2, \"[warn] no event\\n\", 16) = 16";
    const PastedAnswer out = judge(untimed({"epoll_wait(5, [{EPOLLOUT, {u32=16, u64=16}}], 200, 125) = 1", warned}));
    EXPECT_EQ(out.level("EP201"), Level::kLikely) << out.told;
    ASSERT_EQ(out.runs.size(), 1U);
    EXPECT_EQ(out.runs[0].fd, 16);
    const PastedAnswer in = judge(untimed({"epoll_wait(5, [{EPOLLIN, {u32=16, u64=16}}], 200, 125) = 1", warned}));
    EXPECT_EQ(in.level("EP202"), Level::kLikely) << in.told;
    ASSERT_EQ(in.runs.size(), 1U);
    EXPECT_EQ(in.runs[0].fd, 16);
}

// Python writes the fd into half of the data, and leaves what was in the other.
TEST(StraceUnknown, ANumberBesideRubbishIsTheFd)
{
    const PastedAnswer answer = judge(
        untimed({"epoll_wait(46, [{EPOLLIN|EPOLLHUP, {u32=55, u64=21512400263970871}}], 1023, 1000) = 1",
                 "recvfrom(57, 0x30d0, 65536, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)"}));
    EXPECT_EQ(answer.level("EP204"), Level::kLikely) << answer.told;
    ASSERT_EQ(answer.runs.size(), 1U);
    EXPECT_EQ(answer.runs[0].fd, 55);
}

// opensnoop and its like: perf and BPF write into memory that is mapped, and the program prints what it finds there.
TEST(StraceUnknown, ARingBufferIsReadWithoutACall)
{
    const std::vector<std::string> printed = {kInput, "write(1, \"4242 bash 3 /etc/passwd\\n\", 24) = 24"};
    EXPECT_TRUE(judge(turns(printed, 0.0005)).quiet());
    EXPECT_TRUE(judge(untimed(printed)).quiet());
    const std::vector<std::string> looked = {kInput, "openat(AT_FDCWD, \"/proc/7/comm\", O_RDONLY) = 12",
                                             "read(12, \"bash\\n\", 16) = 5", "close(12) = 0"};
    EXPECT_TRUE(judge(turns(looked, 0.0005)).quiet());
    EXPECT_TRUE(judge(untimed(looked)).quiet());
    EXPECT_TRUE(judge(turns({kInput}, 0.005)).quiet()) << "it counts, and prints at the end";
    const std::vector<std::string> slept = {kInput + " <0.004100>"};
    EXPECT_TRUE(judge(turns(slept, 0.005)).found.empty());
}

TEST(StraceUnknown, InputThatReturnsAtOnceAgainAndAgainIsASpin)
{
    EXPECT_EQ(judge(turns({kInput}, 0.0003)).level("EP202"), Level::kLikely);
    EXPECT_EQ(judge(turns({kInput + " <0.000012>"}, 0.005)).level("EP202"), Level::kLikely) << "each turn computes";
}

// No event can have been about a file that was opened after it was told of.
TEST(StraceUnknown, AFileThatIsOpenedLaterAnswersNothing)
{
    const std::vector<std::string> looked = {kInput, "openat(AT_FDCWD, \"/proc/self/status\", O_RDONLY) = 12",
                                             "read(12, \"Name:\", 4096) = 5", "close(12) = 0"};
    EXPECT_TRUE(judge(untimed(looked)).has("EP202")) << "a risk: it may be a ring buffer";
    const std::vector<std::string> both = {kInput, "openat(AT_FDCWD, \"/proc/self/status\", O_RDONLY) = 12",
                                           "read(12, \"Name:\", 4096) = 5", "close(12) = 0",
                                           "recvmsg(9, {msg_namelen=0}, 0) = 40"};
    EXPECT_TRUE(judge(untimed(both)).found.empty());
    const std::vector<std::string> hup = {"epoll_wait(4, [{events=EPOLLHUP, " + kPointer + "}], 64, -1) = 1",
                                          "openat(AT_FDCWD, \"/etc/hosts\", O_RDONLY) = 12",
                                          "read(12, \"127.0.0.1\", 4096) = 9", "close(12) = 0"};
    EXPECT_EQ(judge(untimed(hup)).level("EP204"), Level::kLikely);
}

// systemd reads the mounts anew, by a file of its own, each time that they change.
TEST(StraceUnknown, AChangeInProcIsNewsEachTime)
{
    const std::vector<std::string> mounts = {
        "epoll_wait(4, [{events=EPOLLPRI|EPOLLERR, " + kPointer + "}], 64, -1) = 1",
        "openat(AT_FDCWD, \"/proc/self/mountinfo\", O_RDONLY) = 12", "read(12, \"22 1 8:1\", 4096) = 8",
        "close(12) = 0"};
    EXPECT_TRUE(judge(untimed(mounts)).quiet());
    EXPECT_TRUE(judge(turns(mounts, 0.0005)).quiet());
    EXPECT_TRUE(judge(untimed({"epoll_wait(4, [{events=EPOLLPRI, " + kPointer + "}], 64, -1) = 1"})).quiet())
        << "pressure";
}

// The interrupter of asio: an eventfd that always has something, edge-triggered, armed again to be told of.
TEST(StraceUnknown, ALoopIsWokenByArmingAgain)
{
    const std::string armed = "epoll_ctl(4, EPOLL_CTL_MOD, 5, {events=EPOLLIN|EPOLLERR|EPOLLET, " + kPointer + "}) = 0";
    EXPECT_TRUE(judge(turns({armed, kInput}, 0.0005)).found.empty());
    EXPECT_TRUE(judge(untimed({armed, kInput})).found.empty());
    const std::string once = "epoll_ctl(4, EPOLL_CTL_MOD, 5, {events=EPOLLIN|EPOLLONESHOT, " + kPointer + "}) = 0";
    EXPECT_EQ(judge(untimed({once, kInput})).level("EP202"), Level::kLikely) << "armed again, and never read";
}

// tokio's: written to, and never read.
TEST(StraceUnknown, ALoopIsWokenByAnEventfd)
{
    for (const char* count :
         {R"("\1\0\0\0\0\0\0\0")", R"("\x01\x00\x00\x00\x00\x00\x00\x00")", R"("\0\0\0\0\0\0\0\1")"}) {
        const std::string log = times(400, std::string("[pid 7] write(4, ") + count +
                                               ", 8) = 8\n[pid 8] epoll_wait(3, [{events=EPOLLIN, "
                                               "data={u32=2147483648, u64=2147483648}}], 1024, -1) = 1\n"
                                               "[pid 8] futex(0x7f00, FUTEX_WAKE_PRIVATE, 1) = 0\n");
        EXPECT_TRUE(judge(log).found.empty()) << judge(log).told;
    }
}

TEST(StraceUnknown, FilesThatAreReadWithoutACall)
{
    const std::string added = "epoll_ctl(4, EPOLL_CTL_ADD, 9, {events=EPOLLIN, " + kPointer + "}) = 0\n";
    const std::string born = "100 execve(\"./a\", [\"a\"], 0x7ffe /* 9 vars */) = 0\n100 epoll_create1(0) = 4\n100 ";
    EXPECT_TRUE(judge(born + "perf_event_open({type=1, size=0x88}, -1, 0, -1, 0) = 9\n100 " + added + untimed({kInput}))
                    .quiet());
    EXPECT_TRUE(judge(born +
                      "bpf(BPF_MAP_CREATE, {map_type=BPF_MAP_TYPE_RINGBUF, max_entries=4096}, 72) = 9\n100 "
                      "bpf(BPF_MAP_UPDATE_ELEM, {map_fd=9}, 32) = 0\n100 " +
                      added + untimed({kInput}))
                    .quiet());
    EXPECT_EQ(judge(born + "inotify_init1(IN_CLOEXEC) = 9\n100 " + added + untimed({kInput})).level("EP202"),
              Level::kLikely);
    const std::string pressed = "epoll_wait(4, [{events=EPOLLPRI, data={u32=9, u64=9}}], 64, -1) = 1";
    EXPECT_TRUE(judge(born +
                      "openat(AT_FDCWD, \"/proc/pressure/memory\", O_RDWR|O_NONBLOCK) = 9\n100 "
                      "write(9, \"some 150000 1000000\", 19) = 19\n100 epoll_ctl(4, EPOLL_CTL_ADD, 9, "
                      "{events=EPOLLPRI, data={u32=9, u64=9}}) = 0\n" +
                      untimed({pressed}))
                    .quiet());
}

}  // namespace
}  // namespace epaudit
