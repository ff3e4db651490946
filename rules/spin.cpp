// SPDX-License-Identifier: Apache-2.0
#include "rules/spin.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "bpf/ledger_limits.h"
#include "rules/evidence.h"
#include "rules/log_runs.h"
#include "rules/sharers.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit {
namespace {

constexpr Threshold kPerS{"per_s",
                          {100, 100, Unit::kPerSecond},
                          "wake-ups without work per second that the run must reach",
                          {"loops that mostly sleep are accused", "slow spins are missed"}};
constexpr Threshold kSeconds{"seconds",
                             {1, 1, Unit::kSeconds},
                             "seconds the run must last",
                             {"a burst that ends by itself counts", "short spins are missed"},
                             kPatience};
constexpr Threshold kConfirmPerS{"confirm_per_s",
                                 {1000, 1000, Unit::kPerSecond},
                                 "wake-ups without work per second from which it is confirmed",
                                 {"slow spins are confirmed", "fast ones stay likely"}};
constexpr Threshold kConfirmCpu{"confirm_cpu",
                                {0.1, 0.1, Unit::kShare},
                                "share of a core from which it is confirmed",
                                {"spins that cost little are confirmed", "dear ones stay likely"}};

constexpr uint32_t kInput = EV_IN | EV_RDNORM | EV_PRI;

// CPU time is the thread's own; in a run shared by several threads it cannot be compared.
bool one_thread_waits(const Snapshot& books, uint64_t epoll) { return books.loops().of(epoll).threads <= 1; }

// The end of the stream is what is reported: there is nothing else to read.
bool told_of_end(const Spin& spin)
{
    return (spin.events & (EV_IN | EV_RDNORM | EV_RDHUP)) && (spin.between & RETURN_AT_END);
}

// Most of what was reported came to a process in which the number leads elsewhere: nothing that could be done there answers
// it. That is EP503.
bool told_to_strangers(const Snapshot& books, const Entry& entry, const Spin& spin)
{
    const epoll_row* epoll = books.epoll(entry.key.epoll);
    return epoll && epoll->strangers >= LEDGER_RUN && epoll->strangers * 2ULL >= spin.returns;
}

SpinShape shape_of(const Snapshot& books, const Entry& entry, const Spin& spin)
{
    if (is_ghost(entry) && !entry.fault.ghost_used && !may_be_anothers(books, entry))
        return SpinShape::kNone;  // nobody can consume or remove it: EP303
    if (told_to_strangers(books, entry, spin))
        return SpinShape::kNone;
    if (spin.between &
        BETWEEN_READ_EOF)  // the program has read the end, again and again: what came later is the same spin
        return SpinShape::kEof;
    if (spin.events & EV_ERR)
        return SpinShape::kHupErr;
    if (told_of_end(spin))
        return SpinShape::kEof;
    if ((spin.events & EV_HUP) && !(spin.events & kInput))
        return SpinShape::kHupErr;
    if (spin.events & kInput) {
        bool starved = entry.file.kind == FILE_LISTENER && (spin.between & BETWEEN_ACCEPT_ERROR);
        return starved ? SpinShape::kNone : SpinShape::kUnread;
    }
    if (spin.events & EV_OUT)
        return SpinShape::kOut;
    return spin.events & EV_RDHUP ? SpinShape::kEof : SpinShape::kNone;
}

bool is_spin(const Snapshot& books, const Spin& spin, const Settings& settings)
{
    // Without time stamps the run itself must do: nothing legitimate was ever seen above 3 returns.
    if (!books.times_known)
        return spin.returns >= settings[kSpinReturns];
    return spin.returns >= settings[kSpinReturns] && spin.seconds >= settings[kSeconds] &&
           spin.per_s >= settings[kPerS];
}

// Input that comes ends a run on EPOLLOUT, and so does the error of a peer that goes away: reported once, it is not
// what the loop spins on. A row counts over its life, never less than in a run.
uint32_t usual_events(const registration_row& r, const Spin& spin)
{
    auto rare = [&](uint64_t reported) { return reported * 10 < spin.returns; };
    uint32_t usual = spin.events;
    if (rare(r.delivered_in))
        usual &= ~kInput;
    if (rare(r.delivered_hup))
        usual &= ~(EV_HUP | EV_ERR);
    if (rare(r.delivered_out))
        usual &= ~EV_OUT;
    return usual ? usual : spin.events;  // a counter has wrapped
}

void measure(Spin& spin, uint64_t returns, uint64_t ns)
{
    spin.returns = returns;
    spin.seconds = seconds_of(ns);
    spin.per_s = ns ? static_cast<double>(returns) / spin.seconds : 0;
}

void describe(Spin& spin, uint64_t at, uint32_t events, const run_calls& calls)
{
    spin.at = at;
    spin.events = events;
    spin.calls = calls;
    spin.between = usual_calls(calls);
}

// run_at and what belongs to it stay as they were when a run ends, until the next one begins.
Spin newest_run(const Snapshot& books, const Entry& entry, uint64_t returns)
{
    const registration_row& r = entry.registration;
    uint64_t ns = r.run_last_at > r.run_at ? r.run_last_at - r.run_at : 0;
    Spin spin;
    measure(spin, returns, ns);
    describe(spin, r.run_at, r.run_events, r.run_calls);
    spin.running = r.run != 0;
    double share = ns ? static_cast<double>(r.run_spent) / static_cast<double>(ns) : 0;
    if (share > 0 && share < 1.1 && one_thread_waits(books, entry.key.epoll))
        spin.cpu_share = std::min(share, 1.0);
    return spin;
}

Spin best_ended_run(const Snapshot& books, const Entry& entry)
{
    const registration_row& r = entry.registration;
    Spin spin;
    if (!r.run && r.best_run_at == r.run_at)  // none since: its CPU time is known as well
        spin = newest_run(books, entry, r.best_run);
    measure(spin, r.best_run, r.best_run_ns);
    describe(spin, r.best_run_at, r.best_run_events, r.best_run_calls);
    spin.running = false;
    return spin;
}

// Useful work now and then (a tick, another client) breaks one spin into many runs; together they count.
Spin all_runs(const Snapshot& books, const Entry& entry)
{
    const registration_row& r = entry.registration;
    Spin spin;
    measure(spin, r.futile, r.futile_ns);
    bool newest = r.run >= LEDGER_RUN || !r.best_run;
    if (newest)
        describe(spin, r.run_at, r.run_events, r.run_calls);
    else
        describe(spin, r.best_run_at, r.best_run_events, r.best_run_calls);
    spin.running = r.run != 0;
    double share = r.futile_ns ? static_cast<double>(r.futile_cpu) / static_cast<double>(r.futile_ns) : 0;
    if (share > 0 && share < 1.1 && one_thread_waits(books, entry.key.epoll))
        spin.cpu_share = std::min(share, 1.0);
    return spin;
}

Spin shaped(const Snapshot& books, const Entry& entry, Spin spin)
{
    spin.events = usual_events(entry.registration, spin);
    spin.shape = shape_of(books, entry, spin);
    return spin;
}

}  // namespace

std::optional<Spin> find_spin(const Snapshot& books, const Entry& entry, const Settings& settings)
{
    // Asked of each registration at each look, by several rules: of most it is plain.
    const registration_row& r = entry.registration;
    if (!entry.key.epoll || std::max<uint64_t>({r.run, r.best_run, r.futile}) < settings[kSpinReturns])
        return std::nullopt;
    Spin now = newest_run(books, entry, entry.registration.run);
    Spin spin = is_spin(books, now, settings) ? now : best_ended_run(books, entry);
    if (!is_spin(books, spin, settings))
        spin = all_runs(books, entry);
    if (!is_spin(books, spin, settings))
        return std::nullopt;
    return shaped(books, entry, spin);
}

namespace {

// So many registrations, and such a part of the time: else it is the odd long turn of a loop that is in order.
constexpr uint64_t kSeveral = 3;
constexpr double kPassingShare = 0.05;

}  // namespace

std::optional<Spin> find_passing_spin(const Snapshot& books, const Passed& sum, const Settings& settings)
{
    if (sum.ones < kSeveral || !books.times_known || books.time <= sum.since)
        return std::nullopt;
    Spin spin = all_runs(books, sum.example);
    measure(spin, static_cast<uint64_t>(sum.returns), sum.ns);
    spin.running = false;
    spin.ones = sum.ones;
    if (spin.cpu_share >= 0 && sum.ns)
        spin.cpu_share = std::min(static_cast<double>(sum.cpu_ns) / static_cast<double>(sum.ns), 1.0);
    const double share = static_cast<double>(sum.ns) / static_cast<double>(books.time - sum.since);
    if (!is_spin(books, spin, settings) || share < kPassingShare)
        return std::nullopt;
    return shaped(books, sum.example, spin);
}

namespace {

// So many times what makes a run, and nearly all the time that was watched: a spin, if it had been watched for longer.
constexpr double kManyRuns = 10, kBriefWatch = 3;
// What comes before and after the run, and when it began, are not known.
constexpr double kSparedS = 5;

std::optional<Spin> brief_spin(const Snapshot& books, const Entry& entry, const Settings& settings)
{
    if (!entry.key.epoll || books.more_follow || !books.times_known || books.time <= books.began)
        return std::nullopt;
    Spin spin = all_runs(books, entry);
    const double watched = seconds_of(books.time - books.began);
    if (watched > kBriefWatch * settings[kSeconds] || spin.returns < kManyRuns * settings[kSpinReturns] ||
        spin.returns < settings[kPerS] * watched)
        return std::nullopt;
    return shaped(books, entry, spin);
}

InconclusiveReason too_brief(const Entry& entry, const Spin& spin, const Settings& settings)
{
    return {Inconclusive::kTooShort,
            fmt::format("fd {} ({}) was reported {} times without work, for less time than a verdict takes",
                        entry.key.fd, kind_name(entry.file.kind), spin.returns),
            fmt::format("watch for {:g} s", settings[kSeconds] + kSparedS)};
}

}  // namespace

std::vector<Threshold> spin_thresholds() { return {kSpinReturns, kPerS, kSeconds, kConfirmPerS, kConfirmCpu}; }

namespace {

// What of this shape proves itself in a log that does not hold what was done about it.
const char* least_doubt(SpinShape shape, const Sight& sight)
{
    if (shape == SpinShape::kHupErr && !sight.calls)
        return ": only an EPOLLHUP that stays is more than a risk";
    if (shape == SpinShape::kEof && sight.calls)
        return ": only an end of the stream that is read again and again is more than a risk";
    return ": a risk at most";
}

}  // namespace

Coverage SpinRule::coverage(const Sight& sight) const
{
    if (!sight.unseen.empty())
        return {Status::kDegraded, sight.unseen + least_doubt(advice_.shape, sight)};
    if (sight.times == Sight::Times::kNone)
        return {Status::kDegraded, "there are no time stamps: the rate of a spin is not known, so likely is the most"};
    if (!sight.kernel_state)
        return {Status::kDegraded, "progress is inferred from system calls only: " + sight.why};
    return {};
}

void SpinRule::judge(const Snapshot& books, const Entry& entry, Sharers& sharers, const Settings& settings,
                     std::vector<Finding>& out)
{
    std::optional<Spin> spin = find_spin(books, entry, settings);
    const bool brief = !spin;
    if (brief && Passing::has_runs(entry) && shaped(books, entry, all_runs(books, entry)).shape == advice_.shape)
        passing_.note(entry);
    if (brief)
        spin = brief_spin(books, entry, settings);
    if (!spin || spin->shape != advice_.shape)
        return;
    const std::vector<const Entry*>& candidates = sharers.of(entry);
    if (!candidates.empty() && candidates.front() != &entry)
        return;  // one finding for all of them
    Finding finding = tell(books, entry, *spin, settings);
    if (candidates.size() > 1)
        name_candidates(finding, candidates);
    if (brief) {
        finding.level = Level::kRisk;
        finding.inconclusive = too_brief(entry, *spin, settings);
    }
    out.push_back(std::move(finding));
}

Finding SpinRule::tell(const Snapshot& books, const Entry& entry, const Spin& spin, const Settings& settings) const
{
    Finding finding = begin_finding(info_, books, entry);
    if (!spin.running && entry.registration.best_run)
        tell_mask(finding, entry.registration.best_run_mask);
    bool dear = books.times_known && (spin.per_s >= settings[kConfirmPerS] || spin.cpu_share >= settings[kConfirmCpu]);
    finding.level = dear ? Level::kConfirmed : Level::kLikely;
    finding.count = spin.returns;
    finding.summary = advice_.summary(entry, spin);
    finding.fix = advice_.fix(entry, spin);
    std::string answer = answer_text(spin.calls);
    if (!answer.empty())
        finding.fix = "a call that fails so will fail again: close() the fd, or EPOLL_CTL_DEL it, at the first one; " +
                      finding.fix;
    finding.shape = between_text(spin.calls);
    if (books.times_known)
        finding.cost.emplace_back("wakeups_per_s", spin.per_s);
    else
        finding.cost.emplace_back("wakeups", static_cast<double>(spin.returns));
    if (spin.cpu_share >= 0)
        finding.cost.emplace_back("cpu_share", spin.cpu_share);
    add_fact(finding, "reported", mask_text(spin.events));
    std::string lasted = duration_text(static_cast<uint64_t>(spin.seconds * NSEC_PER_SEC));
    add_fact(finding, "run",
             fmt::format("{} wake-ups without work{}{}", spin.returns, books.times_known ? " in " + lasted : "",
                         spin.ones > 1  ? fmt::format(", of {} fds one after another", spin.ones)
                         : spin.running ? ", still going"
                                        : " (ended)"));
    if (!answer.empty())
        add_fact(finding, "answered by", std::move(answer));
    return finding;
}

void SpinRule::audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out)
{
    Sharers sharers(books);
    passing_.begin();
    for (const Entry& entry : books.entries)
        judge(books, entry, sharers, settings, out);
    for (const Entry& entry : books.buried)
        judge(books, entry, sharers, settings, out);
    for (const Passed& sum : passing_.sums(books))
        if (std::optional<Spin> spin = find_passing_spin(books, sum, settings))
            out.push_back(tell(books, sum.example, *spin, settings));
    auto advice = [this](const LogRun& run) {
        Entry entry;
        entry.file.kind = run.kind;
        entry.file.eofs = run.between & BETWEEN_READ_EOF ? 1 : 0;
        entry.registration.mask = run.events;  // at least
        Spin spin;
        spin.events = run.events;
        spin.between = run.between;
        return advice_.fix(entry, spin);
    };
    judge_log_runs(info_, books, settings, advice, out);
}

}  // namespace epaudit
