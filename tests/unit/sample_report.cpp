// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/sample_report.h"

namespace epaudit {
namespace {

RuleInfo rule(const char* id, const char* name, const char* says)
{
    return {id,
            name,
            says,
            Level::kConfirmed,
            {{"per_s", {100, 10, Unit::kPerSecond}, "futile returns per second", {"", ""}}},
            {},
            "what is slower"};
}

Finding spin()
{
    Finding finding;
    finding.rule = "EP201";
    finding.name = "busy-epollout";
    finding.level = Level::kConfirmed;
    finding.summary = "EPOLLOUT stays armed with nothing left to write: the loop spins";
    finding.pid = 4711;
    finding.comm = "server";
    finding.exe = "/src/app/build/server";
    finding.epoll_fd = 4;
    finding.fd = {7, "tcp", "127.0.0.1:80", "127.0.0.1:5555"};
    finding.count = 1234567;
    finding.cost = {{"wakeups_per_s", 51234.4}, {"cpu_share", 0.97}};
    finding.facts = {{"mask", "EPOLLIN|EPOLLOUT"}};
    finding.timeline = {{0.001, "epoll_ctl(ADD) EPOLLIN|EPOLLOUT", 4711, Lane::kControl},
                        {0.0011, "wrote 12 bytes", 4711, Lane::kWrite}};
    for (int i = 0; i < 13; i++)
        finding.timeline.push_back({2.001010 + i * 0.000007, "delivered EPOLLOUT", 4711, Lane::kDelivered});
    finding.timeline.push_back({2.4, "peer closed", 0, Lane::kOther});
    finding.stacks = {
        {"armed here",
         {{"epoll_ctl", "../sysdeps/unix/syscall-template.S", 120, "/lib/x86_64-linux-gnu/libc.so.6", 0x1080},
          {"watch", "/src/app/src/server.cpp", 44, "/src/app/build/server", 0x2210, true},
          {"Publisher::on_connect(int)", "/src/app/src/server.cpp", 81, "/src/app/build/server", 0x2230},
          {"", "", 0, "/opt/vendor/libloop.so", 0x990},
          {"main", "/src/app/src/main.cpp", 15, "/src/app/build/server", 0x1190}}},
        {"waits here", {{"run_loop", "/src/app/src/loop.cpp", 30, "/src/app/build/server", 0x3000}}}};
    finding.source = SourceExcerpt{
        "/src/app/src/server.cpp",
        44,
        42,
        {"void watch(int epoll_fd, int fd) {", "\tepoll_event ev{};", "\tev.events = EPOLLIN | EPOLLOUT;",
         "\tepoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev);", "}"}};
    finding.fix = "arm EPOLLOUT only while output is queued";
    finding.fingerprint = "1e750a90427aa602";
    finding.trigger = "level";
    return finding;
}

Finding stall()
{
    Finding finding;
    finding.rule = "EP101";
    finding.name = "et-read-not-drained";
    finding.level = Level::kLikely;
    finding.summary = "72 bytes lie unread behind an edge that was used up";
    finding.pid = 812;
    finding.comm = "worker";
    finding.exe = "/usr/sbin/worker";
    finding.epoll_fd = 5;
    finding.fd = {9, "tcp", "[::1]:8080", "[::1]:40000"};
    finding.fds = 3;
    finding.count = 1;
    finding.cost = {{"stuck_bytes", 72}, {"stuck_s", 3.25}};
    finding.timeline = {{0.5, "epoll_ctl(ADD) EPOLLIN|EPOLLET", 812, Lane::kControl},
                        {0.9, "delivered EPOLLIN", 812, Lane::kDelivered},
                        {0.91, "read 128 bytes", 813, Lane::kRead}};
    finding.fix = "read until EAGAIN";
    finding.fingerprint = "00000000000000aa";
    finding.trigger = "edge";
    return finding;
}

// A loop that ran for four seconds.
History history()
{
    History history;
    for (int i = 1; i <= 8; i++)
        history.samples.push_back({i * 0.5, 0.5, 25000, i < 3 ? 0U : 24990U, 75000, 0});
    LoopStats loop{4711, "server", 4, {}};
    loop.row.waits = loop.row.returns = 200000;
    loop.row.futile_returns = 150000;
    loop.row.events = 600000;
    loop.row.latency[0] = 1;
    loop.row.latency[9] = 40;
    loop.row.handling[2] = 199000;
    loop.row.handling[EPOLL_BUCKETS - 1] = 1;
    loop.row.batch[1] = 200000;
    history.loops = {loop};
    history.waits = {
        {4711, 4711, 4, 0.5, 1.25, true}, {4711, 4711, 4, 2.0, 2.00101, true}, {4711, 4712, 4, 0.1, 4.0, false}};
    return history;
}

}  // namespace

Report clean_report()
{
    Report report;
    report.version = "0.1.0";
    report.command = {"./server", "--port", "80"};
    report.pids = {4711};
    report.observation.hooks = "tracepoint";
    report.observation.profile = "test";
    report.observation.seconds = 4.0;
    report.observation.postings = 123456;
    report.observation.registrations = 5;
    report.observation.epolls = 1;
    report.rules = {
        rule("EP101", "et-read-not-drained", "edge-triggered data is left unread, and nobody will be told again"),
        rule("EP201", "busy-epollout", "level-triggered EPOLLOUT is armed with nothing to write: the loop spins")};
    report.coverage = {{"EP101", "et-read-not-drained", Status::kAvailable, ""},
                       {"EP201", "busy-epollout", Status::kAvailable, ""}};
    report.started = 1763705700;
    report.options.directory = "/src/app";
    return report;
}

Report spinning_report()
{
    Report report = clean_report();
    report.history = history();
    report.findings = {spin()};
    Finding risk = stall();
    risk.level = Level::kRisk;
    report.findings.push_back(risk);
    return report;
}

Report stalled_report()
{
    Report report = clean_report();
    report.command.clear();
    report.pids = {812};
    report.history = history();
    report.findings = {stall()};
    report.rules.push_back(rule("EP401", "thundering-herd", "one connection wakes many waiters"));
    report.coverage.push_back({"EP401", "thundering-herd", Status::kUnavailable, "wake-ups are not seen"});
    report.coverage[1].status = Status::kDegraded;
    report.coverage[1].reason = "readiness is known only at delivery";
    return report;
}

Report incomplete_report()
{
    Report report = stalled_report();
    report.observation.lost = {{"files_full", 12}, {"epolls_full", 0}};
    report.observation.notes = {"the target ended early"};
    return report;
}

Report hostile_report()
{
    const std::string evil = "</script>\"'&<b>]]>\x1b[2J\r\n::error::%0A\xff\xef\xbf\xbf,:|`$(x)";
    Report report = clean_report();
    report.command = {evil, "--a b"};
    report.observation.notes = {evil};
    report.coverage[0].reason = evil;
    report.coverage[0].status = Status::kDegraded;
    Finding finding = spin();
    finding.comm = finding.exe = finding.fd.local = finding.fd.peer = finding.summary = finding.fix = evil;
    finding.facts = {{evil, evil}};
    finding.cost = {{"leaked_sockets", 1e300}, {"gap_us", -1}};
    finding.timeline[0].what = evil;
    finding.stacks[0].what = evil;
    finding.stacks[0].frames = {{evil, "/src/app/" + evil, 7, evil, ~0ULL}};
    finding.source->lines[2] = evil;
    report.findings = {finding};
    return report;
}

Report suppressed_report()
{
    Report report = clean_report();
    Finding known = spin();
    known.suppression = Suppression{"suppression", "fixed in 2.4", "epaudit.toml:12"};
    Finding old = stall();
    old.suppression = Suppression{"baseline", "", "baseline.json"};
    report.suppressed = {known, old};
    report.remarks = {{"unused suppression", "epaudit.toml:20", "the suppression of EP101 matched nothing"}};
    return report;
}

}  // namespace epaudit
