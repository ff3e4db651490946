// SPDX-License-Identifier: Apache-2.0
#include "src/cli/session.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>

#include "src/report/json.h"
#include "src/report/text.h"
#include "src/support/clock.h"

namespace epaudit {
namespace {

constexpr int kTickMs = 100;
constexpr uint64_t kCalmNs = NSEC_PER_SEC;
// However much there is to look at, looking may cost 2 % of a core: a look that took long makes the next
// one later. Tests watch little and want to know soon: there it may be a fifth.
constexpr uint64_t kCostFactor = 50;
constexpr uint64_t kCostFactorInTests = 5;

double own_cpu_seconds()
{
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// SIGINT and SIGTERM end the observation, never the report. SIGCHLD only wakes us up.
Descriptor take_signals()
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    return Descriptor(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

bool on_terminal(const AuditOptions& options)
{
    if (options.color == "auto")
        return isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    return options.color == "always";
}

}  // namespace

Result<std::unique_ptr<Session>> Session::open(const AuditOptions& options, Profile profile)
{
    std::unique_ptr<Session> session(new Session(options, profile));
    session->auditor_ = std::make_unique<Auditor>(profile);
    if (options.gate)
        session->auditor_->set_gate(*options.gate);
    if (!options.select.empty())
        if (auto ok = session->auditor_->select(options.select); !ok)
            return ok.error();
    if (auto ok = session->auditor_->ignore(options.ignore); !ok)
        return ok.error();
    for (const std::string& assignment : options.set)
        if (auto ok = session->auditor_->set(assignment); !ok)
            return ok.error();
    session->signals_ = take_signals(); // before the probes load: Ctrl-C ends with a report from now on
    LiveOptions live;
    live.hooks = options.hooks == "trampoline"   ? HookSet::kTrampoline
                 : options.hooks == "tracepoint" ? HookSet::kTracepoint
                                                  : HookSet::kAuto;
    live.max_fds = options.max_fds;
    live.verbose = options.verbose;
    auto capture = LiveCapture::open(live);
    if (!capture)
        return capture.error();
    session->live_ = std::move(*capture);
    session->sight_ = session->live_->sight();
    return session;
}

Result<> Session::begin()
{
    began_ = monotonic_ns();
    cpu_at_begin_ = own_cpu_seconds(); // loading and verifying the probes is not the cost of watching
    looked_ = began_;
    if (options_.ready_file.empty())
        return Done{};
    std::ofstream ready(options_.ready_file);
    ready << getpid() << "\n";
    if (!ready.flush())
        return usage_error(fmt::format("cannot write {}", options_.ready_file));
    return Done{};
}

bool Session::time_is_up() const
{
    return options_.duration && static_cast<double>(monotonic_ns() - began_) / 1e9 >= *options_.duration;
}

Result<bool> Session::tick(std::vector<int>& gone)
{
    std::vector<pollfd> wait{{signals_.get(), POLLIN, 0}};
    for (int fd : gone)
        wait.push_back({fd, POLLIN, 0});
    poll(wait.data(), wait.size(), kTickMs);
    for (size_t i = 1; i < wait.size(); i++)
        if (wait[i].revents) // once is enough to know
            gone.erase(std::remove(gone.begin(), gone.end(), wait[i].fd), gone.end());
    bool stop = false;
    signalfd_siginfo signal;
    while (read(signals_.get(), &signal, sizeof(signal)) == sizeof(signal))
        stop |= signal.ssi_signo != SIGCHLD;
    uint64_t now = monotonic_ns();
    uint64_t patience = lively_ || live_->suspicious() ? kTickMs * NSEC_PER_MSEC : kCalmNs;
    uint64_t factor = profile_ == Profile::kTest ? kCostFactorInTests : kCostFactor;
    patience = std::min(std::max(patience, look_took_ * factor), 10 * kCalmNs);
    if (now - looked_ + kTickMs * NSEC_PER_MSEC / 2 < patience)
        return stop;
    if (auto ok = look(false); !ok)
        return ok.error();
    return stop;
}

Result<> Session::look(bool counters)
{
    uint64_t start = monotonic_ns();
    auto books = live_->sweep(counters);
    if (!books)
        return books.error();
    last_ = std::move(*books);
    lively_ = !last_.entries.empty();
    uint64_t registrations = 0;
    for (const auto& [id, epoll] : last_.epolls)
        registrations += static_cast<int32_t>(epoll.registrations) > 0 ? epoll.registrations : 0;
    registrations_seen_ = std::max(registrations_seen_, registrations);
    // An instance may come and go between two looks: its creation was counted.
    epolls_seen_ = std::max({epolls_seen_, static_cast<uint64_t>(last_.epolls.size()),
                             last_.stats[static_cast<size_t>(STAT_CALLS) + POSTING_CREATE]});
    auditor_->look(last_);
    looked_ = monotonic_ns();
    look_took_ = looked_ - start;
    announce();
    return Done{};
}

// One line when a finding first reaches the gate, so that nobody waits for the end to know.
void Session::announce()
{
    if (options_.quiet || !options_.gate)
        return;
    for (const Finding& finding : auditor_->findings()) {
        std::string key = finding.fingerprint + level_name(finding.level);
        if (finding.level < *options_.gate || std::count(announced_.begin(), announced_.end(), key))
            continue;
        announced_.push_back(key);
        fmt::print(stderr, "epaudit: {:.1f} s: {} {} {} in {} (pid {}), fd {}\n",
                   static_cast<double>(last_.time - began_) / 1e9, level_name(finding.level), finding.rule,
                   finding.name, finding.comm, finding.pid, finding.fd.number);
    }
}

Result<> Session::finish()
{
    auto last = look(true);
    ended_ = monotonic_ns();
    live_.reset();
    return last;
}

Report Session::make_report(std::vector<std::string> command, std::vector<uint32_t> pids,
                            const std::optional<ExitStatus>& child) const
{
    Report report;
    report.version = EPAUDIT_VERSION;
    report.command = std::move(command);
    report.pids = std::move(pids);
    Observation& observation = report.observation;
    observation.hooks = sight_.hooks;
    observation.hooks_reason = sight_.choice;
    observation.profile = profile_ == Profile::kTest ? "test" : "production";
    observation.seconds = static_cast<double>(ended_ - began_) / 1e9;
    observation.postings = last_.stats[STAT_POSTINGS];
    observation.calls = calls(last_);
    observation.lost = losses(last_);
    observation.complete = observation.lost.empty();
    observation.notes = notes_;
    if (uint64_t skipped = last_.stats[STAT_READINESS_SKIPPED])
        observation.notes.push_back(fmt::format("the kernel skipped {} readiness probes that interrupted one another; "
                                                "they only date events that the sweep finds anyway",
                                                skipped));
    observation.tool_cpu_seconds = own_cpu_seconds() - cpu_at_begin_;
    observation.registrations = registrations_seen_;
    observation.epolls = epolls_seen_;
    if (child) {
        report.child.emplace();
        report.child->exit_status = child->signalled ? 0 : child->code;
        report.child->signal = child->signalled ? child->code : 0;
    }
    report.coverage = auditor_->coverage(sight_);
    report.findings = auditor_->findings();
    report.options.risks = options_.risks;
    return report;
}

Result<> Session::write(Report& report) const
{
    for (const Output& output : options_.outputs) {
        std::ofstream file;
        if (!output.path.empty()) {
            file.open(output.path);
            if (!file)
                return usage_error(fmt::format("cannot write {}: {}", output.path, strerror(errno)));
        }
        std::ostream& out = output.path.empty() ? std::cout : file;
        report.options.colour = output.path.empty() && on_terminal(options_);
        if (output.format == "json")
            write_json(report, out);
        else
            write_text(report, out);
        if (!out.flush())
            return usage_error(fmt::format("cannot write {}", output.path.empty() ? "standard output" : output.path));
    }
    return Done{};
}

Result<int> Session::report(std::vector<std::string> command, std::vector<uint32_t> pids,
                            const std::optional<ExitStatus>& child)
{
    Report report = make_report(std::move(command), std::move(pids), child);
    if (!epolls_seen_)
        return observe_error(fmt::format("no epoll instance was seen in {:.1f} s: there is nothing to audit",
                                         report.observation.seconds),
                             "is it the right process? `ls -l /proc/PID/fd | grep eventpoll`; servers that fork "
                             "want --follow-forks");
    if (auto ok = write(report); !ok)
        return ok.error();
    auto at_gate = [&](const Finding& finding) { return options_.gate && finding.level >= *options_.gate; };
    if (std::any_of(report.findings.begin(), report.findings.end(), at_gate))
        return static_cast<int>(Exit::kFindings);
    if (!report.observation.complete)
        return static_cast<int>(Exit::kIncomplete);
    return child ? child->shell_code() : static_cast<int>(Exit::kClean);
}

}  // namespace epaudit
