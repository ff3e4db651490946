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
#include <ctime>
#include <filesystem>
#include <fstream>

#include "bpf/ledger_sweep.h"
#include "bpf/twins.h"
#include "src/support/clock.h"

namespace epaudit {
namespace {

constexpr int kTickMs = 100;
constexpr uint64_t kCalmNs = NSEC_PER_SEC;
// However much there is to look at, looking may cost 2 % of a core: a look that cost much makes the next
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

std::string working_directory()
{
    std::error_code ignored;
    return std::filesystem::current_path(ignored).string();
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

}  // namespace

Result<std::unique_ptr<Session>> Session::open(const AuditOptions& options, Profile profile)
{
    std::unique_ptr<Session> session(new Session(options));
    auto judge = Judge::open(options, profile);
    if (!judge)
        return judge.error();
    session->judge_ = std::move(*judge);
    auto outputs = Outputs::open(options);
    if (!outputs)
        return outputs.error();
    session->outputs_ = std::make_unique<Outputs>(std::move(*outputs));
    session->signals_ = take_signals(); // before the probes load: Ctrl-C ends with a report from now on
    LiveOptions live;
    live.hooks = options.hooks == "trampoline"   ? HookSet::kTrampoline
                 : options.hooks == "tracepoint" ? HookSet::kTracepoint
                                                  : HookSet::kAuto;
    live.max_fds = options.max_fds;
    live.stack_bytes = options.stack_bytes;
    live.verbose = options.verbose;
    auto capture = LiveCapture::open(live);
    if (!capture)
        return capture.error();
    session->live_ = std::move(*capture);
    session->sight_ = session->live_->sight();
    return session;
}

Result<> Session::begin(std::vector<std::string> command, std::vector<uint32_t> pids)
{
    began_ = monotonic_ns();
    started_ = time(nullptr);
    cpu_at_begin_ = own_cpu_seconds(); // loading and verifying the probes is not the cost of watching
    looked_ = began_;
    if (outputs_->streams()) {
        ended_ = began_;
        if (auto ok = outputs_->begin(make_report(std::move(command), std::move(pids), std::nullopt)); !ok)
            return ok;
    }
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
    live_->collect_stacks();
    uint64_t now = monotonic_ns();
    uint64_t patience = lively_ || live_->suspicious() ? kTickMs * NSEC_PER_MSEC : kCalmNs;
    uint64_t factor = judge_->profile() == Profile::kTest ? kCostFactorInTests : kCostFactor;
    patience = std::min(std::max(patience, look_cost_ * factor), 10 * kCalmNs);
    show_progress();
    if (now - looked_ + kTickMs * NSEC_PER_MSEC / 2 < patience)
        return stop;
    if (auto ok = look(progress_.on()); !ok)
        return ok.error();
    return stop;
}

Result<> Session::look(bool counters)
{
    double spent = own_cpu_seconds(); // not the clock: on a busy machine that is other people's time
    auto books = live_->sweep(counters);
    if (!books)
        return books.error();
    last_ = std::move(*books);
    lively_ = std::any_of(last_.entries.begin(), last_.entries.end(), [](const Entry& entry) {
        return !ledger_habit_matters(&entry.registration, &entry.file);
    });
    uint64_t registrations = 0;
    for (const auto& [id, epoll] : last_.epolls)
        registrations += static_cast<int32_t>(epoll.registrations) > 0 ? epoll.registrations : 0;
    registrations_seen_ = std::max(registrations_seen_, registrations);
    // An instance may come and go between two looks: its creation was counted.
    epolls_seen_ = std::max({epolls_seen_, static_cast<uint64_t>(last_.epolls.size()),
                             last_.stats[static_cast<size_t>(STAT_CALLS) + POSTING_CREATE]});
    judge_->auditor().look(last_);
    judged_ = judge_->judged();
    historian_.look(last_);
    const uint64_t before = looked_;
    looked_ = monotonic_ns();
    if (counters && looked_ > before) {
        const uint64_t postings = last_.stats[STAT_POSTINGS];
        postings_per_s_ = static_cast<double>(postings - std::min(postings, postings_)) * 1e9 / static_cast<double>(looked_ - before);
        postings_ = postings;
    }
    look_cost_ = static_cast<uint64_t>((own_cpu_seconds() - spent) * 1e9);
    announce();
    return tell();
}

// A line per second is enough of samples; findings are told at once.
Result<> Session::tell()
{
    if (!outputs_->streams())
        return Done{};
    const RateSample& now = historian_.newest();
    sample_ = {now.t, sample_.seconds + now.seconds, sample_.returns + now.returns, sample_.futile + now.futile,
               sample_.events + now.events, sample_.timeouts + now.timeouts};
    const bool due = sample_.seconds >= 0.95;
    auto ok = outputs_->progress(due ? &sample_ : nullptr, judged_.findings, working_directory());
    if (due)
        sample_ = {};
    return ok;
}

void Session::show_progress()
{
    const uint64_t now = monotonic_ns();
    if (!progress_.on() || now - shown_ < 500 * NSEC_PER_MSEC)
        return;
    shown_ = now;
    progress_.show({static_cast<double>(now - began_) / 1e9, postings_per_s_, registrations_seen_,
                    judged_.findings.size()});
}

// One line when a finding first reaches the gate, so that nobody waits for the end to know.
void Session::announce()
{
    if (options_.quiet || !judge_->gate())
        return;
    for (const Finding& finding : judged_.findings) {
        std::string key = finding.fingerprint + level_name(finding.level);
        if (finding.level < *judge_->gate() || std::count(announced_.begin(), announced_.end(), key))
            continue;
        announced_.push_back(key);
        progress_.clear();
        // Findings about a whole loop have no fd of their own.
        bool has_fd = finding.fd.number >= 0;
        fmt::print(stderr, "epaudit: {:.1f} s: {} {} {} in {} (pid {}), {} {}\n",
                   static_cast<double>(last_.time - began_) / 1e9, level_name(finding.level), finding.rule, finding.name,
                   finding.comm, finding.pid, has_fd ? "fd" : "epoll fd", has_fd ? finding.fd.number : finding.epoll_fd);
    }
}

Result<> Session::finish()
{
    progress_.clear();
    auto last = look(true);
    for (std::string& text : live_->notes())
        note(std::move(text));
    ended_ = monotonic_ns();
    live_.reset();
    return last;
}

Report Session::make_report(std::vector<std::string> command, std::vector<uint32_t> pids,
                            const std::optional<ExitStatus>& child)
{
    Report report;
    report.version = EPAUDIT_VERSION;
    report.command = std::move(command);
    report.pids = std::move(pids);
    Observation& observation = report.observation;
    observation.hooks = sight_.hooks;
    observation.hooks_reason = sight_.choice;
    observation.seconds = static_cast<double>(ended_ - began_) / 1e9;
    observation.postings = last_.stats[STAT_POSTINGS];
    observation.calls = calls(last_);
    observation.work = work_of(last_);
    observation.lost = losses(last_);
    observation.complete = observation.lost.empty();
    observation.notes = notes_;
    if (uint64_t skipped = last_.stats[STAT_READINESS_SKIPPED])
        observation.notes.push_back(fmt::format("{} readiness probes were skipped or did not reach every waiter; they only date "
                                                "events that the sweep finds anyway",
                                                skipped));
    if (uint64_t stood_in = last_.stats[STAT_STOOD_IN])
        observation.notes.push_back(fmt::format("the kernel skipped {} probe runs while the same probe was preempted; "
                                                "their twins stood in (and were skipped {} times themselves)",
                                                stood_in, last_.stats[STAT_TWINS_SKIPPED]));
    if (uint64_t lost = last_.stats[STAT_STACKS_LOST])
        observation.notes.push_back(fmt::format("{} call stacks were not taken: no room in the ring", lost));
    if (uint64_t full = last_.stats[STAT_SITES_FULL])
        observation.notes.push_back(fmt::format("{} calls of epoll_ctl came from more places than are remembered: where "
                                                "they were made is not known",
                                                full));
    observation.tool_cpu_seconds = own_cpu_seconds() - cpu_at_begin_;
    observation.registrations = registrations_seen_;
    observation.epolls = epolls_seen_;
    if (child) {
        report.child.emplace();
        report.child->exit_status = child->signalled ? 0 : child->code;
        report.child->signal = child->signalled ? child->code : 0;
    }
    judge_->fill(report, sight_);
    report.history = historian_.history();
    report.started = started_;
    return report;
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
    if (auto ok = outputs_->write(report); !ok)
        return ok.error();
    if (auto ok = judge_->keep_baseline(report); !ok)
        return ok.error();
    return exit_code(report);
}

}  // namespace epaudit
