// SPDX-License-Identifier: Apache-2.0
#include "src/session/session.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>

#include "rules/catalogue.h"
#include "src/books/describe.h"
#include "src/books/duration.h"
#include "src/report/words.h"
#include "src/session/recorded.h"
#include "src/support/apart.h"
#include "src/support/capabilities.h"
#include "src/support/clock.h"
#include "src/support/say.h"
#include "src/support/signals.h"

namespace epaudit {
namespace {

constexpr int kTickMs = static_cast<int>(Pace::kTickNs / NSEC_PER_MSEC);
constexpr uint64_t kExecPauseNs = 10 * NSEC_PER_MSEC;

// Whoever does not say what watching may cost: in production hardly anything, in a test whatever it costs.
constexpr double kUsualBudget = 0.01;

std::optional<double> budget_of(const AuditOptions& options, Profile profile)
{
    if (options.budget_given || !options.may_detach || profile == Profile::kTest)
        return options.budget;
    return kUsualBudget;
}

// Whoever looks for so short a time wants all of it to be looked at, the moment in which it ends included.
uint64_t opening_ns(const AuditOptions& options)
{
    constexpr double kShortSeconds = 10;
    const bool all = options.duration && *options.duration <= kShortSeconds;
    return all ? static_cast<uint64_t>(2 * kShortSeconds * 1e9) : Budget::kOpeningNs;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::open(const AuditOptions& options, Profile profile,
                                               const std::vector<ProcessInfo>& only)
{
    std::unique_ptr<Session> session(new Session(options));
    start_broker();  // while there is one thread, and nothing of a watched program was read
    auto engine = Engine::open(options, profile, only, &session->progress_);
    if (!engine)
        return engine.error();
    session->engine_ = std::move(*engine);
    if (!options.record.empty()) {
        auto writer = RecordingWriter::create(options.record);
        if (!writer)
            return writer.error();
        session->recording_ = std::move(*writer);
    }
    // Before the probes load: from now on Ctrl-C and its like end the observation, never the report. SIGCHLD only wakes us up.
    session->signals_ = take_signals({SIGINT, SIGTERM, SIGHUP, SIGCHLD});
    LiveOptions live;
    live.hooks = options.hooks == "trampoline"   ? HookSet::kTrampoline
                 : options.hooks == "tracepoint" ? HookSet::kTracepoint
                                                 : HookSet::kAuto;
    live.max_fds = options.max_fds;
    live.stack_bytes = options.stack_bytes;
    live.record_ring = options.record.empty() ? 0 : ring_bytes(options.ring_mib);
    live.walk_in_pieces = options.walk_in_pieces;
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
    cpu_at_begin_ = own_cpu_seconds();  // loading and verifying the probes is not the cost of watching
    pace_.begin(began_);
    cost_.begin(*live_);
    if (const auto budget = budget_of(options_, engine_->judge().profile()))
        windows_.emplace(*budget, cpu_at_begin_, began_, opening_ns(options_));
    if (recording_)
        live_->begin_recording(std::move(recording_), recording_header(command, pids, engine_->judge().profile()));
    if (engine_->streams()) {
        ended_ = began_;
        if (auto ok = engine_->begin(make_report(std::move(command), std::move(pids), std::nullopt)); !ok)
            return ok;
    }
    return announce_ready(options_);
}

// Everything is loaded, attached and open.
void Session::settle() { live_->give_up_privileges(may_end_ ? capability_bit(kCapKill) : 0); }

bool Session::time_is_up() const
{
    return options_.duration && seconds_of(monotonic_ns() - began_) >= *options_.duration;
}

Result<bool> Session::tick(std::vector<int>& gone)
{
    std::vector<pollfd> wait{{signals_.get(), POLLIN, 0}};
    for (int fd : gone)
        wait.push_back({fd, POLLIN, 0});
    const size_t processes = wait.size();
    // Each exec wakes us, but not each of a storm of them.
    if (monotonic_ns() - woken_at_ >= kExecPauseNs)
        wait.push_back({live_->exec_fd(), POLLIN, 0});
    poll(wait.data(), wait.size(), std::min(kTickMs, live_->searches_in_ms()));
    if (wait.size() > processes && wait.back().revents)
        woken_at_ = monotonic_ns();
    for (size_t i = 1; i < processes; i++)
        if (wait[i].revents)  // once is enough to know
            gone.erase(std::remove(gone.begin(), gone.end(), wait[i].fd), gone.end());
    bool stop = false;
    signalfd_siginfo signal;
    while (read(signals_.get(), &signal, sizeof(signal)) == sizeof(signal))
        stop |= signal.ssi_signo != SIGCHLD;
    live_->collect();
    live_->search_pythons();
    const uint64_t now = monotonic_ns();
    show_progress();
    if (attached())
        cost_.tick(*live_);
    if (auto ok = keep_budget(); !ok)
        return ok.error();
    if (!attached() || !pace_.due(now, live_->suspicious(), engine_->judge().profile()))
        return stop;
    if (auto ok = look(progress_.on(), false); !ok)
        return ok.error();
    return stop;
}

// What was measured last, and whether that says that the probes are to be detached for a while, or attached again.
Result<> Session::keep_budget()
{
    if (!windows_)
        return Done{};
    const uint64_t now = monotonic_ns();
    const double own = own_cpu_seconds();
    if (const auto stretch = cost_.newest(now))
        windows_->measured(*stretch, own, now);
    switch (windows_->tick(now, own, engine_->findings(), live_->suspicious())) {
    case Budget::Step::kStay: return Done{};
    case Budget::Step::kAttach: return open_window();
    case Budget::Step::kDetach: break;
    }
    cost_.interrupt(*live_);
    auto told = look(false, false);
    windows_->closed();
    live_->pause(engine_->last());
    engine_->auditor().begin_anew(make_rules());
    failed_waits_.begin_anew();
    unjudged_.begin_anew();
    return told;
}

Result<> Session::open_window()
{
    // What was found before stands; the next window tries again.
    if (auto ok = live_->resume(); !ok && inconclusive_.empty())
        inconclusive_.push_back({Inconclusive::kLost,
                                 "the probes could not be attached again after a gap: " + ok.error().message,
                                 ok.error().hint});
    pace_.begin(monotonic_ns());
    if (windows_->opened(engine_->findings()))
        cost_.begin(*live_);
    return Done{};
}

Result<> Session::look(bool counters, bool last)
{
    double spent = own_cpu_seconds();  // not the clock: on a busy machine that is other people's time
    const uint64_t began = monotonic_ns();
    counters |= began - counted_at_ >= NSEC_PER_SEC;  // often enough for failed_waits_
    if (counters)
        counted_at_ = began;
    auto books = live_->sweep(counters);
    if (!books)
        return books.error();
    books->more_follow = !last;
    const bool lively = is_lively(*books);
    if (windows_)
        windows_->looked(books->entries);
    unjudged_.look(*books);
    failed_waits_.look(*books, counters);
    engine_->auditor().look(*books);
    auto told = engine_->looked(std::move(*books));
    live_->reuse(std::move(books->entries));  // of the look before
    const uint64_t before = pace_.last(), now = monotonic_ns();
    if (counters && now > before) {
        const uint64_t postings = engine_->last().stats[STAT_POSTINGS];
        postings_per_s_ = static_cast<double>(postings - std::min(postings, postings_)) * 1e9 /
                          static_cast<double>(now - before);
        postings_ = postings;
    }
    pace_.looked(now, lively, static_cast<uint64_t>((own_cpu_seconds() - spent) * 1e9));
    return told;
}

std::optional<WatchingCost> Session::cost_until(uint64_t now)
{
    if (windows_)
        cost_.attached_share(windows_->attached_share(now));
    return cost_.measured(own_cpu_seconds() - cpu_at_begin_, seconds_of(now - began_));
}

void Session::show_progress()
{
    const uint64_t now = monotonic_ns();
    if (!progress_.on() || now - shown_ < 500 * NSEC_PER_MSEC)
        return;
    shown_ = now;
    progress_.show({seconds_of(now - began_), postings_per_s_, engine_->registrations_seen(), engine_->findings(),
                    cost_until(now), !attached()});
}

// Whatever became of the recording, findings stand; that there were none is not all that was asked for.
void Session::end_recording()
{
    if (options_.record.empty())
        return;
    const RecordingSummary made = live_->end_recording(notes_);
    if (!made.trouble.empty())
        inconclusive_.push_back({Inconclusive::kNotRecorded,
                                 fmt::format("the recording {} is not whole: {}", options_.record, made.trouble),
                                 "record again, where there is room for it"});
    if (made.lost)
        note(
            fmt::format("{} records of the recording were lost, because its ring was full (--ring); this report is not "
                        "concerned",
                        grouped(made.lost)));
    if (!options_.quiet && made.trouble.empty())
        say("epaudit: {} records, {} in {}\n", grouped(made.records), bytes_text(made.bytes), options_.record);
}

Result<> Session::finish()
{
    progress_.clear();
    cost_.end(*live_);  // before the last look, which costs more than others
    auto last = look(true, true);
    for (std::string& text : live_->notes())
        note(std::move(text));
    ended_ = monotonic_ns();
    if (options_.verbose)
        say("epaudit: {}\n", pace_.costs_text());
    for (auto reason : {unjudged_.reason(), failed_waits_.reason()})
        if (reason)
            inconclusive_.push_back(std::move(*reason));
    end_recording();
    live_.reset();
    return last;
}

Report Session::make_report(std::vector<std::string> command, std::vector<uint32_t> pids,
                            const std::optional<ExitStatus>& child)
{
    Report report;
    report.command = std::move(command);
    report.pids = std::move(pids);
    report.selection = selection_;
    Observation& observation = report.observation;
    observation.hooks = sight_.hooks;
    observation.hooks_reason = sight_.choice;
    observation.seconds = seconds_of(ended_ - began_);
    observation.notes = notes_;
    observation.inconclusive = inconclusive_;
    observation.tool_cpu_seconds = own_cpu_seconds() - cpu_at_begin_;
    observation.cost = cost_until(ended_);
    if (windows_)
        observation.budget = windows_->summary(ended_);
    if (child) {
        report.child.emplace();
        report.child->exit_status = child->signalled ? 0 : child->code;
        report.child->signal = child->signalled ? child->code : 0;
    }
    engine_->fill(report, sight_);
    report.started = started_;
    return report;
}

Result<int> Session::report(std::vector<std::string> command, std::vector<uint32_t> pids,
                            const std::optional<ExitStatus>& child)
{
    Report report = make_report(std::move(command), std::move(pids), child);
    auto code = engine_->conclude(report);
    for (const InconclusiveReason& reason : inconclusive_)
        if (code && reason.why == Inconclusive::kNotRecorded)
            return usage_error(reason.text, reason.remedy);
    return code;
}

}  // namespace epaudit
