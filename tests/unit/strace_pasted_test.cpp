// SPDX-License-Identifier: Apache-2.0
// What people paste: logs from the middle of the trouble, decorated by whatever they went through.
#include "rules/catalogue.h"
#include "tests/unit/spoilt.h"

namespace epaudit {
namespace {

struct Case {
    const char* name;
    const char* rule;  // at likely or above; "" : nothing
    std::string text;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

const std::vector<Case>& middles()
{
    static const std::vector<Case> all = {
        {"recvmsg_end", "EP203",
         times(300,
               "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n"
               "recvmsg(31, {msg_name=NULL, msg_iov=[{iov_base=\"\", iov_len=64}], msg_iovlen=1}, 0) = 0\n")},
        {"readv_end", "EP203",
         times(300,
               "epoll_pwait(9, [{events=EPOLLIN|EPOLLHUP, data={u32=31, u64=31}}], 512, -1, NULL, 8) = 1\n"
               "readv(31, [{iov_base=\"\", iov_len=64}], 1) = 0\n")},
        {"pwait2_out", "EP201",
         times(300,
               "epoll_pwait2(9, [{events=EPOLLOUT, data=0x1f}], 8, {tv_sec=1, tv_nsec=0}, NULL, 8) = 1\n"
               "clock_gettime(CLOCK_MONOTONIC, {tv_sec=1, tv_nsec=2}) = 0\n")},
        {"out_read_again", "EP201",
         times(300,
               "epoll_wait(9, [{EPOLLIN|EPOLLOUT, {u32=31, u64=31}}], 512, -1) = 1\n"
               "recvfrom(31, 0x7ff, 512, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)\n")},
        {"accept_enfile", "EP205",
         times(300,
               "epoll_wait(9, [{EPOLLIN, {u32=5, u64=5}}], 512, -1) = 1\n"
               "accept(5, NULL, NULL) = -1 ENFILE (Too many open files in system)\n")},
        {"pri_err", "EP204",
         times(300,
               "epoll_wait(9, [{EPOLLPRI|EPOLLERR, {u32=31, u64=31}}], 512, -1) = 1\n"
               "gettimeofday({tv_sec=1, tv_usec=2}, NULL) = 0\n")},
        {"mod_ebadf", "EP303",
         times(300,
               "epoll_wait(9, [{EPOLLOUT|EPOLLHUP, {u32=31, u64=31}}], 512, -1) = 1\n"
               "epoll_ctl(9, EPOLL_CTL_MOD, 31, {EPOLLIN, {u32=31, u64=31}}) = -1 EBADF (Bad file descriptor)\n")},
        {"read_ebadf_generation", "EP203",
         times(300, "epoll_wait(9, [{EPOLLIN, {u32=31, u64=30064771103}}], 512, -1) = 1\nread(31, \"\", 99) = 0\n")},
        {"rearmed_each_turn", "EP201",
         times(300,
               "epoll_ctl(9, EPOLL_CTL_DEL, 31, NULL) = 0\n"
               "epoll_ctl(9, EPOLL_CTL_ADD, 31, {EPOLLIN|EPOLLOUT, {u32=31, u64=31}}) = 0\n"
               "epoll_wait(9, [{EPOLLOUT, {u32=31, u64=31}}], 512, -1) = 1\n"
               "clock_gettime(CLOCK_MONOTONIC, {tv_sec=1, tv_nsec=2}) = 0\n")},
        {"pointer_end", "EP203",
         times(300,
               "epoll_wait(9, [{EPOLLIN, {u32=2713, u64=94103831266784}}], 512, -1) = 1\nread(31, \"\", 99) = 0\n")},
        {"beside_work", "EP204",
         times(300,
               "epoll_wait(9, [{EPOLLHUP, {u32=40, u64=40}}, {EPOLLIN, {u32=31, u64=31}}], 512, -1) = 2\n"
               "read(31, \"x\", 99) = 1\nwrite(31, \"y\", 1) = 1\n")},
        {"raw", "EP201",
         "epoll_ctl(9, 0x1, 31, {events=0x4, data={u32=31, u64=31}}) = 0\n" +
             times(300,
                   "epoll_wait(9, [{events=0x4, data={u32=31, u64=31}}], 512, -1) = 1\n"
                   "clock_gettime(0x1, {tv_sec=1, tv_nsec=2}) = 0\n")},
        {"splice_end", "EP203",
         times(300,
               "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n"
               "splice(31, NULL, 33, NULL, 4096, SPLICE_F_NONBLOCK) = 0\n")},
        {"output_blocks_input", "EP202",
         times(300,
               "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n"
               "write(33, \"x\", 8192) = -1 EAGAIN (Resource temporarily unavailable)\n"
               "recvfrom(35, 0x7f, 9, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)\n"
               "read(36, 0x7f, 9) = -1 EAGAIN (Resource temporarily unavailable)\n")},
        {"signals_between", "EP204",
         times(300,
               "epoll_wait(9, [{EPOLLOUT|EPOLLERR|EPOLLHUP, {u32=31, u64=31}}], 16, -1) = 1\n"
               "write(31, \"data\", 4) = -1 EPIPE (Broken pipe)\n"
               "--- SIGPIPE {si_signo=SIGPIPE, si_code=SI_USER, si_pid=441, si_uid=0} ---\n")},
        // What is done about it ends it.
        {"nested", "",
         "epoll_ctl(9, EPOLL_CTL_ADD, 12, {EPOLLIN, {u32=12, u64=12}}) = 0\n"
         "epoll_ctl(12, EPOLL_CTL_ADD, 31, {EPOLLIN, {u32=31, u64=31}}) = 0\n" +
             times(300,
                   "epoll_wait(9, [{EPOLLIN, {u32=12, u64=12}}], 512, -1) = 1\n"
                   "epoll_wait(12, [{EPOLLIN, {u32=31, u64=31}}], 512, 0) = 1\n"
                   "recvfrom(31, \"x\", 9, 0, NULL, NULL) = 1\n")},
        {"work", "", times(500, kWork)},
        {"work_end", "", times(500, kWork + kEndSpin + "close(31) = 0\n")},
        {"accept_again_shared", "",
         times(300,
               "epoll_wait(9, [{EPOLLIN, {u32=5, u64=5}}], 512, -1) = 1\n"
               "accept4(5, 0x7ff, [128], SOCK_NONBLOCK) = -1 EAGAIN (Resource temporarily unavailable)\n")},
        {"input_shared", "",
         times(300,
               "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n"
               "read(31, 0x7ff, 8) = -1 EAGAIN (Resource temporarily unavailable)\n")},
        {"handed_to_workers", "",
         times(300,
               "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n"
               "futex(0x55, FUTEX_WAKE_PRIVATE, 1) = 1\n")},
        {"download", "",
         times(300,
               "epoll_wait(9, [{EPOLLOUT, {u32=31, u64=31}}], 512, -1) = 1\n"
               "sendfile(31, 33, [0] => [65536], 65536) = 65536\n")},
        {"pointer_work", "",
         times(300,
               "epoll_wait(9, [{EPOLLIN, {u32=1097811424, u64=94103831266784}}], 512, -1) = 1\n"
               "read(31, \"x\", 99) = 1\nread(31, 0x7f, 99) = -1 EAGAIN (Resource temporarily unavailable)\n")},
        {"edge_wakeups", "",
         "epoll_ctl(9, EPOLL_CTL_ADD, 31, {EPOLLIN|EPOLLET, {u32=31, u64=31}}) = 0\n" +
             times(300,
                   "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n"
                   "clock_gettime(CLOCK_MONOTONIC, {tv_sec=1, tv_nsec=2}) = 0\n")},
        {"filtered", "", times(300, "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n")},
        // A message may be empty, and nothing ends by it.
        {"message_queue", "",
         times(300,
               "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n"
               "mq_timedreceive(31, \"\", 8192, [0], NULL) = 0\n")},
        {"empty_datagrams", "",
         times(300,
               "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n"
               "recvfrom(31, \"\", 2048, 0, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr(\"10.0.0.1\")}, "
               "[16]) = 0\n")},
        {"empty_datagrams_with_headers", "",
         times(300,
               "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n"
               "recvmsg(31, {msg_name={sa_family=AF_INET6, sin6_port=htons(53)}, msg_namelen=28, "
               "msg_iov=[{iov_base=\"\", iov_len=64}], msg_iovlen=1}, 0) = 0\n")},
        {"timers", "",
         times(300,
               "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n"
               "read(31, \"\\1\\0\\0\\0\\0\\0\\0\\0\", 8) = 8\n")},
    };
    return all;
}

class PastedMiddle : public testing::TestWithParam<Case> {};

TEST_P(PastedMiddle, LeadsToWhatItShows)
{
    const Case& one = GetParam();
    PastedAnswer judged = judge(one.text);
    EXPECT_EQ(judged.lost, 0U);
    if (!*one.rule)
        EXPECT_TRUE(judged.quiet()) << judged.told;
    else
        EXPECT_GE(judged.level(one.rule), Level::kLikely) << judged.told;
}

INSTANTIATE_TEST_SUITE_P(Shapes, PastedMiddle, testing::ValuesIn(middles()),
                         [](const auto& shape) { return std::string(shape.param.name); });

struct Prefix {
    const char* name;
    Decorate decorate;
};

const std::vector<Prefix>& prefixes()
{
    auto before = [](std::string prefix) {
        return [prefix](const std::string& line, unsigned) { return prefix + line; };
    };
    static const std::vector<Prefix> all = {
        {"kubectl", before("[pod/web-7d4b9c-x2x9z/web] ")},
        {"systemd", before("Nov 03 09:14:07 db-2 myunit.service[4471]: ")},
        {"compose", before("web_1  | ")},
        {"actions", before("2024-03-09T11:22:33.1234567Z ")},
        {"slack", before("&gt; ")},
        {"mail", before(">> ")},
        {"debugger", before("(gdb) ")},
        {"date_and_time", before("2024-03-09 11:22:33 ")},
        {"bracketed", before("[2024-03-09 11:22:33,123] INFO  ")},
        {"c_comment", before(" * ")},
        {"numbered_dot", [](const std::string& l, unsigned n) { return std::to_string(n) + ". " + l; }},
        {"numbered_tab", [](const std::string& l, unsigned n) { return "   " + std::to_string(n) + "\t" + l; }},
        {"numbered_space", [](const std::string& l, unsigned n) { return std::to_string(n) + " " + l; }},
        {"numbered_colon", [](const std::string& l, unsigned n) { return std::to_string(n) + ":" + l; }},
        {"counted", before("      1 ")},
        {"file_and_number",
         [](const std::string& l, unsigned n) { return "trace.log:" + std::to_string(n) + ":" + l; }},
        {"code", [](const std::string& l, unsigned) { return "`" + l + "`"; }},
        {"table", [](const std::string& l, unsigned) { return "| " + l + " |"; }},
        {"html",
         [](const std::string& l, unsigned) { return replaced(replaced(l, "\"", "&quot;"), ">", "&gt;") + "<br>"; }},
        {"markdown", [](const std::string& l, unsigned) { return replaced(replaced(l, "_", "\\_"), "[", "\\["); }},
        {"colours", [](const std::string& l, unsigned) { return "\x1b[1;32m" + l + "\x1b[0m"; }},
        {"indented", before("        ")},
        {"pid_cut", before("pid 77] ")},
        {"brackets", before("[pid 77] ")},
        {"pid_and_time", before("77    11:22:33.123456 ")},
        {"json",
         [](const std::string& l, unsigned) {
             return R"({"log":")" + replaced(l, "\"", "\\\"") +
                    R"(\n","stream":"stderr","time":"2024-05-01T10:00:00.1Z"})";
         }},
        {"crlf", [](const std::string& l, unsigned) { return l + "\r"; }},
        {"no_break_spaces", [](const std::string& l, unsigned) { return replaced(l, " ", "\xc2\xa0"); }},
        {"no_break_spaces_of_one_byte", [](const std::string& l, unsigned) { return replaced(l, " ", "\xa0"); }},
        {"quotes_of_one_byte", [](const std::string& l, unsigned) { return replaced(l, "\"", "\x93"); }},
        {"overstruck", [](const std::string& l, unsigned) { return replaced(l, "wait", "waz\bit"); }},
        {"full_width_brackets",
         [](const std::string& l, unsigned) {
             return replaced(replaced(replaced(l, "(", "\uff08"), ")", "\uff09"), ", ", "\uff0c");
         }},
        {"full_width",
         [](const std::string& l, unsigned) {
             std::string wide;
             for (const char c : l)
                 wide += c == ' ' ? "\u3000"
                                  : std::string("\xef") + static_cast<char>(0xbc + (c - 0x20) / 64) +
                                        static_cast<char>(0x80 + (c - 0x20) % 64);
             return wide;
         }},
    };
    return all;
}

class PastedPrefix : public testing::TestWithParam<Prefix> {};

TEST_P(PastedPrefix, IsLearntFromTheLog)
{
    PastedAnswer judged = judge(times(300, kEndSpin), GetParam().decorate);
    EXPECT_GE(judged.level("EP203"), Level::kLikely) << judged.told;
    EXPECT_EQ(judged.lost, 0U);
    ASSERT_FALSE(judged.runs.empty());
    for (const LogRun& run : judged.runs)
        EXPECT_TRUE(run.pid == 0 || run.pid == 77) << run.pid;
    EXPECT_TRUE(judge(times(200, kWork), GetParam().decorate).quiet());
}

void PrintTo(const Prefix& one, std::ostream* out) { *out << one.name; }

INSTANTIATE_TEST_SUITE_P(Shapes, PastedPrefix, testing::ValuesIn(prefixes()),
                         [](const auto& shape) { return std::string(shape.param.name); });

TEST(Pasted, TheThresholdDecidesAtEveryLength)
{
    const std::string hup = "epoll_wait(9, [{EPOLLIN|EPOLLHUP, {u32=31, u64=31}}], 512, -1) = 1\n";
    EXPECT_TRUE(judge(times(99, hup)).quiet());
    EXPECT_GE(judge(times(100, hup)).level("EP204"), Level::kLikely);
    for (unsigned length : {2U, 3U, 7U, 50U, 99U}) {
        const std::string set = "hup-err-spin.returns=" + std::to_string(length);
        EXPECT_GE(judge(times(length, hup), {}, {set}).level("EP204"), Level::kLikely) << length;
        EXPECT_TRUE(judge(times(length - 1, hup), {}, {set}).quiet()) << length;
    }
}

TEST(Pasted, TimeStampsNeverTakeAway)
{
    for (unsigned step : {1U, 250U, 3000U}) {
        unsigned at = 0;
        PastedAnswer judged = judge(times(200, kEndSpin), [&](const std::string& line, unsigned) {
            at += step;
            char stamp[32];
            snprintf(stamp, sizeof stamp, "10:00:%02u.%06u ", at / 1000000, at % 1000000);
            return stamp + line;
        });
        EXPECT_GE(judged.level("EP203"), Level::kLikely) << step << "\n" << judged.told;
    }
}

TEST(Pasted, NoEndingTakesAFindingAwayOrIsALoss)
{
    for (const char* ending :
         {"close(9) = 0\n", "+++ exited with 1 +++\n", "+++ killed by SIGKILL +++\n", "exit_group(0) = ?\n",
          "epoll_wait(9, \n", "epoll_wait(9, strace: Process 12 detached\n <detached ...>\n", "recvfrom(31, \"ab",
          "epoll_wait(9,  <unfinished ...>) = ?\n", "epoll_wait(9, <unfinished ...>\n",
          "epoll_wait(9, 0x7f, 512, -1) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)\n",
          "epoll_ctl(9, EPOLL_CTL_DEL, -1, NULL) = -1 EBADF (Bad file descriptor)\n",
          "sendfile(-1, 5, NULL, 4096) = -1 EBADF (Bad file descriptor)\n",
          "close(-1) = -1 EBADF (Bad file descriptor)\n", "read(3</dev/shm/x>(deleted), \"a\", 9) = 1\n",
          "write(1, \"hello\\n\", 6hello\n)                  = 6\n"}) {
        PastedAnswer judged = judge(times(300, kEndSpin) + ending);
        EXPECT_GE(judged.level("EP203"), Level::kLikely) << ending << judged.told;
        EXPECT_EQ(judged.lost, 0U) << ending;
        EXPECT_EQ(judge(times(5, kWork) + ending).lost, 0U) << ending;
    }
}

std::string wrapped_at_words(const std::string& text, size_t width)
{
    std::string broken;
    for (std::string line : split(text)) {
        while (line.size() > width) {
            const size_t space = line.rfind(' ', width);
            if (space == std::string::npos)
                break;
            broken += line.substr(0, space) + "\n";
            line.erase(0, space + 1);
        }
        broken += line + "\n";
    }
    return broken;
}

TEST(StracePasted, ALogWrappedBetweenWordsIsJoined)
{
    for (size_t width : {80U, 76U, 72U, 60U}) {
        const PastedAnswer judged = judge(wrapped_at_words(times(150, kEndSpin), width));
        EXPECT_GE(judged.level("EP203"), Level::kLikely) << width << "\n" << judged.told;
        EXPECT_EQ(judged.lost, 0U) << width;
        EXPECT_TRUE(judge(wrapped_at_words(times(150, kWork), width)).quiet()) << width;
    }
}

// What mails quote, and what the program wrote to the same terminal.
TEST(StracePasted, WrappedLinesMayBeQuotedAndHoldOutput)
{
    auto stamped = [](const std::string& calls) {
        std::string text;
        unsigned at = 0;
        for (const std::string& line : split(calls))
            text += "14223 1795901074.1" + std::to_string(10000 + at++) + " " + line + "\n";
        return text;
    };
    auto quoted = [](const std::string& line, unsigned) { return "> " + line; };
    for (size_t width : {80U, 70U, 60U, 44U}) {
        const std::string broken = wrapped_at_words(stamped(times(150, kEndSpin)), width);
        for (const Decorate& decorate : {Decorate{}, Decorate{quoted}}) {
            const PastedAnswer judged = judge(broken, decorate);
            EXPECT_GE(judged.level("EP203"), Level::kLikely) << width << "\n" << judged.told;
            EXPECT_EQ(judged.lost, 0U) << width;
            EXPECT_TRUE(judge(wrapped_at_words(stamped(times(150, kWork)), width), decorate).quiet()) << width;
        }
    }
    // The program's own lines stand between the halves.
    std::string mixed;
    for (const std::string& line : split(wrapped_at_words(times(150, kEndSpin), 60)))
        mixed += line + "\nserver is listening\n";
    const PastedAnswer judged = judge(mixed);
    EXPECT_GE(judged.level("EP203"), Level::kLikely) << judged.told;
    EXPECT_EQ(judged.lost, 0U);
}

// Which error it was stands in the next line: EAGAIN of a listener that others share is no failing accept.
TEST(StracePasted, AWrappedErrorKeepsItsName)
{
    const std::string again =
        "epoll_wait(9, [{EPOLLIN, {u32=5, u64=5}}], 512, -1) = 1\n"
        "accept4(5, 0x7ffc5a1e2f30, [128], SOCK_NONBLOCK) = -1 EAGAIN (Resource temporarily unavailable)\n";
    for (size_t width : {52U, 54U, 58U, 64U, 72U}) {
        const PastedAnswer judged = judge(wrapped_at_words(times(150, again), width));
        EXPECT_TRUE(judged.quiet()) << width << "\n" << judged.told;
        if (width > 52) {  // there the "=" ends a line: not joined yet, and told as a loss
            EXPECT_EQ(judged.lost, 0U) << width;
        }
    }
}

// Lines of their own stay so, whatever their width.
TEST(StracePasted, WholeLinesAreNeverJoined)
{
    std::string text;
    for (int i = 0; i < 150; i++)
        text +=
            "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\nGET / served\nread(31, \"x\", 9) = 1\n= 5\n";
    const PastedAnswer judged = judge(text);
    EXPECT_TRUE(judged.quiet()) << judged.told;
    EXPECT_EQ(judged.lost, 0U);
}

// "last message repeated 53 times", as a system log has it, stands for as many lines.
TEST(StracePasted, WhatASystemLogCountsIsCounted)
{
    const std::string wait = "epoll_wait(9, [{EPOLLIN|EPOLLHUP, {u32=31, u64=31}}], 512, -1) = 1";
    const std::string head = "Nov 28 10:00:00 web1 strace[991]: ";
    for (const std::string& again : {std::string("Nov 28 10:00:03 web1 last message repeated 53 times"),
                                     head + "message repeated 53 times: [ " + wait + "]"}) {
        EXPECT_GE(judge(times(3, head + wait + "\n" + again + "\n")).level("EP204"), Level::kLikely) << again;
        EXPECT_TRUE(judge(head + wait + "\n" + again + "\n").quiet()) << again;
    }
    // It ends by itself, and what no line came before is nothing.
    EXPECT_TRUE(judge("Nov 28 10:00:03 web1 last message repeated 4000000000 times\n" + head + kWork).quiet());
}

// Two processes whose descriptors have the same numbers: 700 spins at the end of fd 5, or works; 701 works on `client`,
// with its epoll under number `epoll`.
std::string two_processes(unsigned turns, bool pids, bool spins, int client, int epoll = 4)
{
    std::string text;
    auto line = [&](const char* pid, const std::string& call) {
        text += (pids ? pid + std::string(" ") : "") + call + "\n";
    };
    const std::string fd = std::to_string(client), epfd = std::to_string(epoll);
    for (unsigned i = 0; i < turns; i++) {
        line("700", "epoll_wait(4, [{EPOLLIN, {u32=5, u64=5}}], 64, -1) = 1");
        line("700", spins ? "read(5, \"\", 4096) = 0" : "read(5, \"GET\", 4096) = 3");
        line("701", "epoll_wait(" + epfd + ", [{EPOLLIN, {u32=" + fd + ", u64=" + fd + "}}], 64, -1) = 1");
        line("701", "read(" + fd + ", \"GET /\", 4096) = 5");
        line("701", "write(" + fd + ", \"200\", 3) = 3");
        line("701", "openat(AT_FDCWD, \"/srv/index.html\", O_RDONLY) = 9");
        line("701", "close(9) = 0");
    }
    return text;
}

TEST(StracePasted, TwoProcessesWithTheSameNumbersAreToldApart)
{
    for (int client : {5, 7})
        for (int epoll : {4, 5}) {
            if (client == epoll)
                continue;
            const PastedAnswer judged = judge(two_processes(300, true, true, client, epoll));
            EXPECT_GE(judged.level("EP203"), Level::kLikely) << client << " " << epoll << "\n" << judged.told;
            EXPECT_FALSE(judged.mixed);
            const PastedAnswer healthy = judge(two_processes(300, true, false, client, epoll));
            EXPECT_TRUE(healthy.quiet()) << client << " " << epoll << "\n" << healthy.told;
        }
}

TEST(StracePasted, WithoutPidsTwoProcessesAreNotClean)
{
    for (int client : {5, 7}) {
        const PastedAnswer judged = judge(two_processes(300, false, true, client));
        EXPECT_TRUE(judged.mixed || !judged.quiet()) << client;
    }
    for (const std::string& healthy :
         {times(300, kWork), times(300, kWork + kEndSpin + "close(31) = 0\n"), times(300, kEndSpin)})
        EXPECT_FALSE(judge(healthy).mixed) << healthy.substr(0, 200);
    // Threads that share what they read from, and a number that comes again.
    const std::string reused =
        "epoll_wait(9, [{EPOLLIN, {u32=3, u64=3}}], 64, -1) = 1\naccept4(3, NULL, NULL, 0) = 31\n" + kWork + kEndSpin +
        "close(31) = 0\n";
    EXPECT_FALSE(judge(times(300, reused)).mixed);
}

// A terminal, or a mail, breaks lines at its width.
TEST(Pasted, BrokenLinesAreJoined)
{
    const std::string loop =
        "epoll_wait(9, [{events=EPOLLIN|EPOLLRDHUP, data={u32=31, u64=31}}], 512, -1) = 1\n"
        "recvfrom(31, \"\", 2048, MSG_DONTWAIT|MSG_NOSIGNAL|MSG_TRUNC, NULL, NULL)      = 0\n";
    for (size_t width : {79U, 72U, 66U, 60U, 48U}) {
        const PastedAnswer judged = judge(wrapped(times(150, loop), width));
        EXPECT_GE(judged.level("EP203"), Level::kLikely) << width << "\n" << judged.told;
        EXPECT_EQ(judged.lost, 0U) << width;
    }
}

// A call of any length that has no end is a loss, unless nothing comes after it.
TEST(Pasted, ACallWithoutItsEndIsALossInTheMiddle)
{
    for (size_t length : {10U, 4000U, 4096U, 5000U, 70000U}) {
        const std::string cut = "recvfrom(31, \"" + std::string(length, 'x') + "\n";
        EXPECT_EQ(judge(times(5, kWork) + cut).lost, 0U) << length;
        EXPECT_EQ(judge(times(5, kWork) + cut + kWork).lost, 1U) << length;
        EXPECT_EQ(judge(times(3, kWork + cut)).lost, 2U) << length;
    }
}

// Two spaces and a pid of five digits are as wide as a count of uniq -c, three and one of four digits as well.
TEST(Pasted, AnIndentedPidIsNoCount)
{
    std::string all, stamped;
    for (int i = 0; i < 40; i++)
        for (const std::string& line : split(kWork)) {
            all += "48211 " + line + "\n";
            char stamp[48];
            snprintf(stamp, sizeof stamp, "48211 17000000%02d.000001 ", i);
            stamped += stamp + line + "\n";
        }
    for (const std::string& text : {all, stamped}) {
        const Decorate indented = [](const std::string& line, unsigned) { return "  " + line; };
        const PastedAnswer plain = judge(text), judged = judge(text, indented);
        EXPECT_TRUE(judged.quiet()) << judged.told;
        EXPECT_EQ(judged.runs.size(), plain.runs.size());
    }
    // A short one, of events that come once: as a count, each would stand for 48,211.
    const std::string event = "epoll_wait(9, [{EPOLLOUT, {u32=31, u64=31}}], 512, -1) = 1\n";
    EXPECT_TRUE(judge("  48211 1700000000.000001 " + event).quiet());
    EXPECT_TRUE(judge("  48211 10:00:00.000001 " + event + "  48212 10:00:00.000002 " + event).quiet());
}

// The pid before a time stamp is kept, whatever stands before it: without it, threads would be mixed.
TEST(Pasted, ThePidIsKeptBehindWhatStandsBeforeIt)
{
    std::string both;
    for (int i = 0; i < 300; i++) {
        char stamp[48];
        snprintf(stamp, sizeof stamp, "%06d ", i);
        both += "70  1700000000." + std::string(stamp) + "epoll_wait(9,  <unfinished ...>\n71  1700000000." + stamp +
                "recvfrom(31,  <unfinished ...>\n70  1700000000." + stamp +
                "<... epoll_wait resumed>[{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\n71  1700000000." + stamp +
                "<... recvfrom resumed>\"GET /\", 2048, 0, NULL, NULL) = 5\n";
    }
    for (const char* prefix : {"", "+", "x.log:", "`", "<code>", "* `", "12. `", "\t"}) {
        PastedAnswer judged = judge(both, [&](const std::string& line, unsigned) { return prefix + line; });
        EXPECT_TRUE(judged.quiet()) << prefix << judged.told;
        EXPECT_EQ(judged.lost, 0U) << prefix;
    }
    PastedAnswer judged = judge(both, [](std::string line, unsigned) { return line.replace(2, 2, "\t"); });
    EXPECT_TRUE(judged.quiet()) << judged.told;
    EXPECT_EQ(judged.lost, 0U);
}

// What uniq -c made: one line stands for many, in bounded time.
TEST(Pasted, CountedLinesStandForManyWithinBounds)
{
    const std::string once = "  48211 epoll_wait(9, [{EPOLLHUP, {u32=31, u64=31}}], 512, -1) = 1\n";
    PastedAnswer judged = judge(once);
    EXPECT_GE(judged.level("EP204"), Level::kLikely);
    ASSERT_FALSE(judged.runs.empty());
    EXPECT_EQ(judged.runs[0].returns, 48211U);
    Auditor auditor(Profile::kProduction, make_rules());
    StraceImport log(auditor, 64);
    for (unsigned i = 0; i < 500; i++)
        log.line("  " + std::to_string(48000 + i * 7 % 997) + " epoll_wait(9, [{" + (i % 2 ? "EPOLLERR" : "EPOLLHUP") +
                 ", {u32=31, u64=31}}], 512, -1) = 1");
    log.finish();
    EXPECT_EQ(log.lines(), 500U);
    EXPECT_LT(log.counts().calls, 50000U + 500U * 201U + 1U);
    EXPECT_GT(log.counts().calls, 500U * 200U);
}

TEST(Pasted, TwoCallsOnOneLine)
{
    EXPECT_GE(judge(times(300, replaced(kEndSpin.substr(0, kEndSpin.size() - 1), "\n", " ") + "\n")).level("EP203"),
              Level::kLikely);
}

TEST(Pasted, WhateverIsPutBetweenThem)
{
    for (const char* between : {"; ", ", ", ". ", " | ", " && ", " -> ", "\t"})
        for (const char* duration : {"", " <0.000012>"}) {
            auto joined = [&](const std::string& calls) {
                return replaced(calls.substr(0, calls.size() - 1), "\n", duration + std::string(between)) + duration +
                       "\n";
            };
            const PastedAnswer spin = judge(times(300, joined(kEndSpin))), work = judge(times(300, joined(kWork)));
            EXPECT_GE(spin.level("EP203"), Level::kLikely) << between << duration << spin.told;
            EXPECT_TRUE(work.quiet()) << between << duration << work.told;
            EXPECT_EQ(spin.lost + work.lost, 0U) << between << duration;
        }
}

// strace -e trace=%desc shows read() and mmap(), and leaves out what only sockets have: one that is told of and not seen to
// be read may be read by recvfrom().
TEST(Pasted, AFilterForDescriptorsHidesWhatSocketsReceive)
{
    for (const char* kind : {"", "<socket:[123]>", "<TCP:[127.0.0.1:80->127.0.0.1:99]>"})
        for (const bool born : {false, true}) {
            const std::string seven = "7" + std::string(kind), eight = "8" + std::string(kind);
            std::string log =
                "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000\n";
            if (born)
                log = "execve(\"./a\", [\"a\"], 0x7ffe /* 9 vars */) = 0\n" + log;
            log +=
                "epoll_create1(EPOLL_CLOEXEC) = 4\n"
                "epoll_ctl(4, EPOLL_CTL_ADD, " +
                seven +
                ", {EPOLLIN, {u32=7, u64=7}}) = 0\n"
                "epoll_ctl(4, EPOLL_CTL_ADD, " +
                eight + ", {EPOLLIN, {u32=8, u64=8}}) = 0\n" +
                times(20,
                      "epoll_wait(4, [{EPOLLIN, {u32=8, u64=8}}], 64, -1) = 1\nread(" + eight + ", \"x\", 99) = 1\n") +
                times(300, "epoll_wait(4, [{EPOLLIN, {u32=7, u64=7}}], 64, -1) = 1\n");
            EXPECT_TRUE(judge(log).quiet()) << kind << born << judge(log).told;
            // With %network as well, nothing is hidden.
            const std::string all = "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 8\n" + log;
            EXPECT_EQ(judge(all).quiet(), !*kind) << kind << born << judge(all).told;
        }
}

// strace -e trace=epoll_wait,read: what is sent each time is not in it.
TEST(Pasted, AFilterWithoutWritesHidesWhatIsSent)
{
    const std::string log = times(20,
                                  "epoll_wait(4, [{EPOLLIN, {u32=8, u64=8}}], 64, -1) = 1\nread(8, \"x\", 99) = 1\n") +
                            times(300, "epoll_wait(4, [{EPOLLOUT, {u32=7, u64=7}}], 64, -1) = 1\n");
    EXPECT_TRUE(judge(log).quiet()) << judge(log).told;
    EXPECT_GE(judge("write(9, \"x\", 1) = 1\n" + log).level("EP201"), Level::kLikely);
}

TEST(Pasted, TheLastArgumentOfCloseRangeIsRead)
{
    for (const char* last : {"~0U", "4294967295", "0xffffffff", "UINT_MAX"})
        for (const char* flags : {"0", "CLOSE_RANGE_CLOEXEC"})
            EXPECT_EQ(judge(times(5, kWork) + "close_range(3, " + last + ", " + flags + ") = 0\n").lost, 0U) << last;
}

TEST(Pasted, WhatIsNotStraceIsSaidByName)
{
    EXPECT_EQ(judge(times(20,
                          "  0.023 ( 0.004 ms): nginx/881 epoll_wait(epfd: 8<anon_inode:[eventpoll]>, events: "
                          "0x55d, maxevents: 512) = 1\n"))
                  .other_tool,
              "perf trace or ftrace");
    EXPECT_EQ(judge(times(20,
                          "91 10:00:00.123 0 nginx (881) > epoll_wait maxevents=512\n"
                          "92 10:00:00.124 0 nginx (881) < epoll_wait res=1\n"))
                  .other_tool,
              "sysdig");
    EXPECT_EQ(judge("@@ -0,0 +1,9 @@\n+" + kWork).other_tool, "");
    EXPECT_EQ(judge("Attaching 2 probes...\n@calls[epoll_wait]: 88123\n@calls[read]: 3\n").other_tool, "bpftrace");
    EXPECT_EQ(judge(times(100, kEndSpin)).other_tool, "");
    const std::string gvisor =
        "] nginx X epoll_wait(0x8 anon_inode:[eventpoll], 0x7ed2 {{events=EPOLLIN, data=[7, 0]}}, ";
    EXPECT_EQ(judge(times(20, "I0413 12:01:02.1234       1 strace.go:605] [   1:   1" + gvisor +
                                  "0x200, 0xffffffff) = 1 "
                                  "(0x1) (12.3us)\n"))
                  .other_tool,
              "gVisor (runsc --strace)");
    EXPECT_EQ(
        judge(times(20, "{\"msg\":\"[   1:   1" + gvisor + "0x200, 0xffffffff) = 1 (0x1) (12.3us)\"}\n")).other_tool,
        "gVisor (runsc --strace)");
    EXPECT_EQ(judge("==9== Memcheck, a memory error detector\n" +
                    times(20,
                          "SYSCALL[9,1](232) sys_epoll_wait ( 4, 0x1ffeffeb50, 64, -1 ) --> [async] ... \n"
                          "SYSCALL[9,1](232) ... [async] --> Success(0x1) \n"))
                  .other_tool,
              "valgrind --trace-syscalls");
    EXPECT_EQ(judge("# DURATION     TID     FUNCTION\n" +
                    times(20, "  12.345 us [ 28141] |   epoll_wait(4, 0x7ffd1234, 64, -1) = 1;\n"))
                  .other_tool,
              "uftrace");
    for (const char* line :
         {"kevent(3,0x0,0,{ 7,EVFILT_READ,0x0,0,0x40,0x0 },64,0x0) = 1 (0x1)\n", "kevent(0x3, 0x0, 0x0)\t\t = 1 0\n",
          "  1234 server   CALL  kevent(0x3,0,0,0x7fffffffd000,0x40,0)\n"})
        EXPECT_EQ(judge(times(20, std::string(line) + "read(7,0x7fffffffe000,4096) = 0 (0x0)\n")).other_tool,
                  "truss, kdump or dtruss (kqueue, of BSD or macOS)");
    EXPECT_EQ(
        judge(times(20, "1234 epoll_wait(4,274886295984,64,-1,0,0) = 1\n1234 read(7,0x800b60,4096) = 0\n")).other_tool,
        "qemu-user (-strace)");
    for (const char* line : {"nginx(1234) epoll_wait(4, 0x7ffd, 64, -1) = 1\nnginx(1234) read(7, 0x55, 4096) = 0\n",
                             "nginx[1234] epoll_wait(4, 0x7ffd, 64, -1) = 1\n",
                             "     0 nginx(1234): -> sys_epoll_wait\n    12 nginx(1234): <- sys_epoll_wait\n",
                             "1700000000.000001 nginx[1234] syscall.epoll_wait: 4, 0x7ffd, 64, -1\n"})
        EXPECT_EQ(judge(times(20, line)).other_tool, "SystemTap") << line;
    EXPECT_EQ(
        judge(times(20, "0 1234 nginx epoll_wait epfd=4, events=140728, maxevents=512, timeout=-1 1\n")).other_tool,
        "traceloop (Inspektor Gadget)");
    // strace prints addresses where it was told to, or nothing was reported.
    for (const char* line :
         {"[pid 1234] epoll_wait(4, 0x7ffd, 64, -1) = 1\n", "1234 epoll_wait(4, 0x7ffd, 64, 0) = 0\n",
          "May 01 10:00:00 web1 strace[991]: epoll_wait(4, 0x7ffd, 64, 0) = 0\n",
          "epoll_wait(4<anon_inode:[eventpoll]>, 0x7ffd, 64, -1) = -1 EINTR (Interrupted system call)\n",
          "epoll_wait(0x5, 0x7ffe10a0, 0x40, 0xffffffff) = 0x1\n"})
        EXPECT_EQ(judge(times(20, line)).other_tool, "") << line;
    // The program writes it: a log of strace that says so.
    const std::string write =
        "write(2, \"I0413 strace.go:605] nginx X epoll_wait(0x8, 0x7 us [ 1] | kevent(\", 60) = 60\n";
    EXPECT_EQ(judge(times(50, kWork + kWork + write)).other_tool, "");
}

TEST(Pasted, ArgumentsInHexadecimalAreRead)
{
    // strace -e raw=all: events are an address, so that nothing is known of them; yet these are calls.
    Auditor auditor(Profile::kProduction, make_rules());
    StraceImport log(auditor, 1000);
    for (const std::string& line :
         split(times(150, "epoll_wait(0x5, 0x7ffe10a0, 0x40, 0xffffffff) = 0x1\nread(0x9, 0x55d0, 0x1000) = 0\n")))
        log.line(line);
    log.finish();
    EXPECT_EQ(log.counts().epolls, 1U);
    EXPECT_EQ(log.tracker().open(), 150U);
    EXPECT_TRUE(log.lost().empty());
}

TEST(Pasted, AHerdIsARiskAndZeroTimeoutsAreARemark)
{
    PastedAnswer herd = judge(times(9,
                                    "epoll_wait(9, [{EPOLLIN, {u32=5, u64=5}}], 512, -1) = 1\n"
                                    "accept4(5, 0x7f, [16], 0) = -1 EAGAIN (Resource temporarily unavailable)\n"));
    EXPECT_TRUE(herd.quiet());
    EXPECT_EQ(herd.level("EP401"), Level::kRisk);
    PastedAnswer zero = judge(times(300, "epoll_wait(9, [], 512, 0) = 0\n"));
    EXPECT_TRUE(zero.quiet());
    EXPECT_TRUE(zero.has("EP206"));
}

// Those that cannot look at a live kernel's state and say so are not asked; all others must be able to fire.
TEST(Pasted, WhatIsSharedAcrossForkFires)
{
    std::string log =
        "10 10:00:00.000000 execve(\"/bin/a\", [\"a\"], 0x7f) = 0\n"
        "10 10:00:00.000100 epoll_create1(0) = 4\n"
        "10 10:00:00.000200 socketpair(AF_UNIX, SOCK_STREAM, 0, [5, 6]) = 0\n"
        "10 10:00:00.000300 epoll_ctl(4, EPOLL_CTL_ADD, 5, {EPOLLIN, {u32=5, u64=5}}) = 0\n"
        "10 10:00:00.000400 fork() = 11\n"
        "11 10:00:00.000500 epoll_ctl(4, EPOLL_CTL_DEL, 5, 0x7f) = 0\n";
    for (unsigned second = 1; second < 6; second++)
        for (const char* pid : {"10", "11"})
            log += std::string(pid) + " 10:00:0" + std::to_string(second) + ".000000 epoll_wait(4, [], 8, 900) = 0\n";
    EXPECT_GE(judge(log).level("EP503"), Level::kLikely);
}

TEST(Pasted, AnEventOfAClosedFdFires)
{
    std::string log = "epoll_create1(0) = 4\n";
    for (unsigned i = 0; i < 3; i++)
        log +=
            "socketpair(AF_UNIX, SOCK_STREAM, 0, [5, 6]) = 0\n"
            "epoll_ctl(4, EPOLL_CTL_ADD, 5, {EPOLLIN, {u32=5, u64=5}}) = 0\n"
            "epoll_ctl(4, EPOLL_CTL_ADD, 6, {EPOLLIN, {u32=6, u64=6}}) = 0\n"
            "epoll_wait(4, [{EPOLLIN, {u32=5, u64=5}}, {EPOLLIN, {u32=6, u64=6}}], 8, -1) = 2\n"
            "read(5, \"x\", 8) = 1\nclose(6) = 0\nread(6, 0x7f, 8) = -1 EBADF (Bad file descriptor)\nclose(5) = 0\n";
    EXPECT_TRUE(judge(log).has("EP504"));
}

TEST(Pasted, AnEpollThatSurvivesExecFires)
{
    std::string log =
        "10 10:00:00.000000 execve(\"/bin/a\", [\"a\"], 0x7f) = 0\n"
        "10 10:00:00.000100 epoll_create1(0) = 4\n10 10:00:00.000400 fork() = 11\n"
        "11 10:00:00.000500 execve(\"/bin/b\", [\"b\"], 0x7f) = 0\n"
        "10 10:00:05.000000 epoll_wait(4, [], 8, 4000) = 0\n";
    EXPECT_EQ(judge(log).level("EP603"), Level::kRisk);
    const std::string closed = replaced(log, "10 10:00:05", "11 10:00:00.000600 close(4) = 0\n10 10:00:05");
    EXPECT_FALSE(judge(closed).has("EP603"));
}

}  // namespace
}  // namespace epaudit
