// SPDX-License-Identifier: Apache-2.0
// EP501 from a log: two threads inside a read of one file, or not.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "rules/catalogue.h"
#include "src/strace/import.h"

namespace epaudit {
namespace {

// Threads 100 and 101 of one process, as strace -f -o FILE shows them: epoll fd 4, edge-triggered client 7.
class Threads {
public:
    Threads() : auditor_(Profile::kProduction, make_rules()), log_(auditor_, 1024) {}

    Threads& born()
    {
        line(100, "execve(\"/usr/bin/server\", [\"server\"], 0x7ffd0a5e2a50 /* 20 vars */) = 0 <0.000100>");
        line(100,
             "clone(child_stack=0x7f1, "
             "flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM, "
             "parent_tid=[101], tls=0x7f2, child_tidptr=0x7f3) = 101 <0.000050>");
        return begins();
    }

    Threads& begins()
    {
        line(100, "epoll_create1(EPOLL_CLOEXEC) = 4 <0.000010>");
        line(100, "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3 <0.000010>");
        line(100, "listen(3, 128) = 0 <0.000010>");
        line(100,
             "accept4(3, {sa_family=AF_INET, sin_port=htons(5555), sin_addr=inet_addr(\"127.0.0.1\")}, [16], "
             "SOCK_NONBLOCK) = 7 <0.000010>");
        line(100, "epoll_ctl(4, EPOLL_CTL_ADD, 7, {events=EPOLLIN|EPOLLET, data={u32=7, u64=7}}) = 0 <0.000010>");
        return *this;
    }

    Threads& told(uint32_t tid, int epoll = 4)
    {
        return line(
            tid,
            fmt::format("epoll_wait({}, [{{events=EPOLLIN, data={{u32=7, u64=7}}}}], 64, -1) = 1 <0.000100>", epoll));
    }

    // Each is inside its call when the other enters its own.
    Threads& clash(const std::string& begin = "recvfrom(7, ",
                   const std::string& end = "\"abc\", 4096, 0, NULL, NULL) = 3", uint32_t first = 100,
                   uint32_t second = 101)
    {
        const std::string name = begin.substr(0, begin.find('('));
        line(first, begin + " <unfinished ...>").line(second, begin + " <unfinished ...>");
        return line(first, fmt::format("<... {} resumed>{} <0.000100>", name, end))
            .line(second, fmt::format("<... {} resumed>{} <0.000100>", name, end));
    }

    Threads& line(uint32_t tid, const std::string& text)
    {
        us_ += 100;
        log_.line(fmt::format("{} {}.{:06} {}", tid, us_ / 1000000, us_ % 1000000, text));
        return *this;
    }

    Threads& message(const std::string& text)
    {
        log_.line("strace: " + text);
        return *this;
    }

    std::string verdict()
    {
        log_.finish();
        for (const Finding& finding : auditor_.findings())
            if (finding.rule == "EP501")
                return level_name(finding.level);
        return "none";
    }

    Status status()
    {
        for (const RuleCoverage& rule : auditor_.coverage(log_.sight()))
            if (rule.rule == "EP501")
                return rule.status;
        return Status::kAvailable;
    }

private:
    Auditor auditor_;
    StraceImport log_;
    uint64_t us_ = 1700000000ULL * 1000000;
};

TEST(StraceOverlap, TwoThreadsInsideOneRead)
{
    for (const auto& [begin, end] :
         {std::pair{"recvfrom(7, ", "\"abc\", 4096, 0, NULL, NULL) = 3"}, std::pair{"read(7, ", "\"abc\", 4096) = 3"},
          std::pair{"readv(7, ", "[{iov_base=\"abc\", iov_len=4096}], 1) = 3"},
          std::pair{"recvmsg(7, ",
                    "{msg_namelen=0, msg_iov=[{iov_base=\"abc\", iov_len=64}], "
                    "msg_iovlen=1, msg_flags=0}, 0) = 3"}}) {
        Threads once;
        EXPECT_EQ(once.born().told(100).told(101).clash(begin, end).verdict(), "none") << begin;
        Threads twice;
        EXPECT_EQ(twice.born().told(100).told(101).clash(begin, end).clash(begin, end).verdict(), "confirmed") << begin;
        EXPECT_EQ(twice.status(), Status::kDegraded);
    }
}

TEST(StraceOverlap, AWholeReadWithinAnothersRead)
{
    Threads t;
    t.born().told(100).told(101);
    for (int i = 0; i < 2; i++)
        t.line(100, "read(7,  <unfinished ...>")
            .line(101, "read(7, \"b\", 4096) = 1 <0.000010>")
            .line(100, "<... read resumed>\"a\", 4096) = 1 <0.000300>");
    EXPECT_EQ(t.verdict(), "confirmed");
}

TEST(StraceOverlap, OneFindsNothing)
{
    Threads t;
    t.born().told(100).told(101);
    for (int i = 0; i < 10; i++)
        t.line(100, "read(7,  <unfinished ...>")
            .line(101, "read(7, 0x7f0010, 4096) = -1 EAGAIN (Resource temporarily unavailable) <0.000010>")
            .line(100, "<... read resumed>\"a\", 4096) = 1 <0.000300>");
    EXPECT_EQ(t.verdict(), "likely");
}

TEST(StraceOverlap, OneAfterTheOther)
{
    Threads t;
    t.born().told(100).told(101);
    for (int i = 0; i < 20; i++) {
        t.line(100, "read(7, \"a\", 4096) = 1 <0.000010>").line(101, "read(7, \"a\", 4096) = 1 <0.000010>");
        t.line(100, "read(7,  <unfinished ...>").line(101, "write(1, \"x\", 1) = 1 <0.000010>");
        t.line(100, "<... read resumed>\"a\", 4096) = 1 <0.000300>").line(101, "read(7, \"a\", 4096) = 1 <0.000010>");
    }
    EXPECT_EQ(t.verdict(), "none");
}

TEST(StraceOverlap, EqualNumbersInDifferentProcesses)
{
    Threads forked;
    forked.line(100, "execve(\"/usr/bin/server\", [\"server\"], 0x7ffd0a5e2a50 /* 20 vars */) = 0 <0.000100>");
    forked.line(100,
                "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f3) = 101 <0.000050>");
    Threads attached;  // strace -f -p 100 -p 101: what they share is not known
    Threads announced;
    announced.message("Process 100 attached").message("Process 101 attached");
    for (Threads* t : {&forked, &attached, &announced}) {
        t->begins();
        t->line(101, "epoll_create1(EPOLL_CLOEXEC) = 4 <0.000010>");
        t->line(101,
                "accept4(3, {sa_family=AF_INET, sin_port=htons(5556), sin_addr=inet_addr(\"127.0.0.1\")}, [16], "
                "SOCK_NONBLOCK) = 7 <0.000010>");
        t->line(101, "epoll_ctl(4, EPOLL_CTL_ADD, 7, {events=EPOLLIN|EPOLLET, data={u32=7, u64=7}}) = 0 <0.000010>");
        t->told(100).told(101);
        for (int i = 0; i < 20; i++)
            t->clash();
        EXPECT_EQ(t->verdict(), "none");
    }
    Threads heirs;  // one socket for certain, but a parent's and a child's
    heirs.begins().line(
        100, "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f3) = 101 <0.000050>");
    heirs.told(100).told(101);
    for (int i = 0; i < 20; i++)
        heirs.clash("read(7<TCP:[127.0.0.1:80->127.0.0.1:5555]>, ", "\"abc\", 4096) = 3");
    EXPECT_EQ(heirs.verdict(), "none");
    Threads midrun;
    midrun.begins().told(100).told(101);
    for (int i = 0; i < 20; i++)
        midrun.clash();
    EXPECT_EQ(midrun.verdict(), "none");
}

TEST(StraceOverlap, ThreadsThatWereThereBefore)
{
    Threads announced;
    announced.message("Process 100 attached with 2 threads").begins().told(100).told(101).clash().clash();
    EXPECT_EQ(announced.verdict(), "confirmed");
    Threads decorated;  // -yy: one socket for certain
    const std::string read = "read(7<TCP:[127.0.0.1:80->127.0.0.1:5555]>, ", end = "\"abc\", 4096) = 3";
    EXPECT_EQ(decorated.begins().told(100).told(101).clash(read, end).clash(read, end).verdict(), "confirmed");
}

TEST(StraceOverlap, AWorkerThatNeverWaits)
{
    Threads t;
    t.born().told(100);
    for (int i = 0; i < 20; i++)
        t.clash();
    EXPECT_EQ(t.verdict(), "none");
}

TEST(StraceOverlap, PeekingTakesNothing)
{
    for (const char* flag : {"MSG_PEEK", "MSG_ERRQUEUE"}) {
        Threads t;
        t.born().told(100).told(101);
        for (int i = 0; i < 40; i++) {
            t.line(100, "recvfrom(7,  <unfinished ...>");
            t.line(101, fmt::format("recvfrom(7, \"abc\", 4096, {}, NULL, NULL) = 3 <0.000010>", flag));
            t.line(100, "<... recvfrom resumed>\"abc\", 4096, 0, NULL, NULL) = 3 <0.000100>");
        }
        EXPECT_EQ(t.verdict(), "none") << flag;
        Threads unseen;  // the interrupted one peeks, which its line does not tell yet
        unseen.born().told(100).told(101);
        for (int i = 0; i < 40; i++) {
            unseen.line(100, "recvfrom(7,  <unfinished ...>");
            unseen.line(101, "recvfrom(7, \"abc\", 4096, 0, NULL, NULL) = 3 <0.000010>");
            unseen.line(100, fmt::format("<... recvfrom resumed>\"abc\", 4096, {}, NULL, NULL) = 3 <0.000100>", flag));
            unseen.line(100, "recvfrom(7, \"abc\", 4096, 0, NULL, NULL) = 3 <0.000010>");
        }
        EXPECT_EQ(unseen.verdict(), "none") << flag;
    }
}

TEST(StraceOverlap, AnEndThatIsMissing)
{
    Threads t;  // the other's read was never resumed: the log lost it, and it has long been elsewhere
    t.born().told(100).told(101);
    for (int i = 0; i < 20; i++) {
        t.line(100, "read(7,  <unfinished ...>").line(100, "write(1, \"x\", 1) = 1 <0.000010>");
        t.line(101, "read(7, \"b\", 4096) = 1 <0.000010>").line(100, "read(7, \"b\", 4096) = 1 <0.000010>");
    }
    EXPECT_EQ(t.verdict(), "none");
}

}  // namespace
}  // namespace epaudit
