// SPDX-License-Identifier: Apache-2.0
#include "src/session/session.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "bpf/ledger_sweep.h"
#include "rules/catalogue.h"
#include "src/books/describe.h"
#include "src/report/words.h"
#include "src/support/apart.h"
#include "src/support/capabilities.h"
#include "src/support/clock.h"
#include "src/support/say.h"
#include "src/symbols/symbols_child.h"

namespace epaudit {
namespace {

constexpr int kTickMs = 100;
constexpr uint64_t kExecPauseNs = 10 * NSEC_PER_MSEC;
constexpr uint64_t kCalmNs = NSEC_PER_SEC;
// Of those that --budget leaves: while the kernel measures, probes cost more.
constexpr uint32_t kWindowsPerMeasurement = 4;
// Wake-ups without work in a row that may become a spin, and how many files that did so are remembered.
constexpr uint32_t kSpinning = 64;
constexpr size_t kMostSubjects = 1000;
// However much there is to look at, looking may cost 2 % of a core, with all else that is done: looks that cost much
// make the next one later, but never for long. Two in a row, because what one costs once (reading the symbols of a
// binary) says nothing of the next. Tests watch little and want to know soon: there it may be a fifth, and no later than
// rules need that compare two looks two seconds apart.
struct Thrift {
    uint64_t factor;
    uint64_t longest_ns;
};
constexpr Thrift kThrift{60, 20 * kCalmNs};
constexpr Thrift kThriftInTests{5, kCalmNs};

double own_cpu_seconds()
{
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime) + static_cast<double>(symbols_cpu_ns()) / 1e9;
}

std::string kernel_name()
{
    utsname names{};
    uname(&names);
    return fmt::format("{} {}", names.release, names.machine);
}

// 0: as much as the machine can spare. It must be a power of two.
uint32_t ring_bytes(uint32_t mib)
{
    constexpr uint64_t kMiB = 1 << 20;
    const long pages = sysconf(_SC_AVPHYS_PAGES);
    const uint64_t spare = pages > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) / 32
                                     : 0;
    const uint64_t wanted = mib ? std::bit_ceil(uint64_t{mib}) * kMiB
                                : std::clamp(std::bit_floor(spare), 16 * kMiB, 256 * kMiB);
    return static_cast<uint32_t>(wanted);
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
    session->signals_ = take_signals();  // before the probes load: Ctrl-C ends with a report from now on
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
    looked_ = began_;
    cost_.begin(*live_);
    if (options_.budget)
        budget_.emplace(*options_.budget, began_);
    own_cpu_then_ = cpu_at_begin_;
    budget_told_at_ = began_;
    if (recording_)
        begin_recording(command, pids);
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
    return options_.duration && static_cast<double>(monotonic_ns() - began_) / 1e9 >= *options_.duration;
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
    uint64_t now = monotonic_ns();
    uint64_t patience = lively_ || live_->suspicious() ? kTickMs * NSEC_PER_MSEC : kCalmNs;
    const Thrift& thrift = engine_->judge().profile() == Profile::kTest ? kThriftInTests : kThrift;
    patience = std::min(std::max(patience, look_costs_.lately() * thrift.factor), thrift.longest_ns);
    show_progress();
    if (!budget_ || budget_->attached())
        cost_.tick(*live_);
    if (auto ok = keep_budget(); !ok)
        return ok.error();
    if (budget_ && !budget_->attached())
        return stop;
    if (now - looked_ + kTickMs * NSEC_PER_MSEC / 2 < patience)
        return stop;
    if (auto ok = look(progress_.on(), false); !ok)
        return ok.error();
    return stop;
}

// What was measured last, and whether that says that the probes are to be detached for a while, or attached again.
Result<> Session::keep_budget()
{
    if (!budget_)
        return Done{};
    const uint64_t now = monotonic_ns();
    const double own = own_cpu_seconds();
    budget_->own_cpu(static_cast<uint64_t>(own * 1e9));
    if (const auto stretch = cost_.newest()) {
        const double seconds = static_cast<double>(now - budget_told_at_) / 1e9;
        budget_->measured({stretch->probes, (own - own_cpu_then_) / seconds, stretch->watched}, now);
        own_cpu_then_ = own;
        budget_told_at_ = now;
    }
    const bool untold = engine_->findings() == found_then_;
    const bool extended = budget_->extended();
    switch (budget_->tick(now, untold && (spins_anew() || live_->suspicious()))) {
    case Budget::Step::kStay: return Done{};
    case Budget::Step::kAttach: return open_window();
    case Budget::Step::kDetach: break;
    }
    cost_.interrupt(*live_);
    auto told = look(false, false);
    if (extended) {
        if (looked_long_.size() > kMostSubjects)
            looked_long_.clear();
        looked_long_.insert(spinning_.begin(), spinning_.end());
    }
    live_->pause(engine_->last());
    engine_->auditor().begin_anew(make_rules());
    return told;
}

void Session::note_spinning(const std::vector<Entry>& entries)
{
    spinning_.clear();
    for (const Entry& entry : entries)
        if (entry.registration.run >= kSpinning)
            spinning_.insert({entry.file_id, entry.key.epoll});
}

bool Session::spins_anew() const
{
    return std::any_of(spinning_.begin(), spinning_.end(),
                       [this](const Subject& subject) { return !looked_long_.count(subject); });
}

Result<> Session::open_window()
{
    // What was found before stands; the next window tries again.
    if (auto ok = live_->resume(); !ok && inconclusive_.empty())
        inconclusive_.push_back({Inconclusive::kLost,
                                 "the probes could not be attached again after a gap: " + ok.error().message,
                                 ok.error().hint});
    looked_ = monotonic_ns();
    found_then_ = engine_->findings();
    lively_ = false;
    spinning_.clear();
    if (windows_++ % kWindowsPerMeasurement == 0)
        cost_.begin(*live_);
    return Done{};
}

Result<> Session::look(bool counters, bool last)
{
    double spent = own_cpu_seconds();  // not the clock: on a busy machine that is other people's time
    auto books = live_->sweep(counters);
    if (!books)
        return books.error();
    books->more_follow = !last;
    lively_ = std::any_of(books->entries.begin(), books->entries.end(),
                          [](const Entry& entry) { return !ledger_habit_matters(&entry.registration, &entry.file); });
    if (budget_)
        note_spinning(books->entries);
    unjudged_.look(*books);
    engine_->auditor().look(*books);
    auto told = engine_->looked(std::move(*books));
    const uint64_t before = looked_;
    looked_ = monotonic_ns();
    if (counters && looked_ > before) {
        const uint64_t postings = engine_->last().stats[STAT_POSTINGS];
        postings_per_s_ = static_cast<double>(postings - std::min(postings, postings_)) * 1e9 /
                          static_cast<double>(looked_ - before);
        postings_ = postings;
    }
    look_costs_.add(static_cast<uint64_t>((own_cpu_seconds() - spent) * 1e9));
    return told;
}

std::optional<WatchingCost> Session::cost_until(uint64_t now)
{
    if (budget_)
        cost_.attached_share(budget_->attached_share(now));
    return cost_.measured(own_cpu_seconds() - cpu_at_begin_, static_cast<double>(now - began_) / 1e9);
}

void Session::show_progress()
{
    const uint64_t now = monotonic_ns();
    if (!progress_.on() || now - shown_ < 500 * NSEC_PER_MSEC)
        return;
    shown_ = now;
    progress_.show({static_cast<double>(now - began_) / 1e9, postings_per_s_, engine_->registrations_seen(),
                    engine_->findings(), cost_until(now), budget_ && !budget_->attached()});
}

void Session::begin_recording(const std::vector<std::string>& command, const std::vector<uint32_t>& pids)
{
    RecordingHeader header;
    header.tool = EPAUDIT_VERSION;
    header.kernel = kernel_name();
    header.profile = engine_->judge().profile() == Profile::kTest ? "test" : "production";
    header.command = command;
    header.pids = pids;
    live_->begin_recording(std::move(recording_), std::move(header));
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
        say("epaudit: {}\n", look_costs_.text());
    if (auto reason = unjudged_.reason())
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
    observation.seconds = static_cast<double>(ended_ - began_) / 1e9;
    observation.notes = notes_;
    observation.inconclusive = inconclusive_;
    observation.tool_cpu_seconds = own_cpu_seconds() - cpu_at_begin_;
    observation.cost = cost_until(ended_);
    if (budget_)
        observation.budget = WatchingBudget{budget_->share(), budget_->attached_share(ended_),
                                            static_cast<double>(budget_->longest_gap()) / 1e9};
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
