// SPDX-License-Identifier: Apache-2.0
// What the four spin rules say of a spin that has been found.
#include <fmt/format.h>

#include "rules/evidence.h"
#include "rules/log_runs.h"
#include "rules/sharers.h"
#include "rules/spin.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit {
namespace {

constexpr Threshold kConfirmPerS{"confirm_per_s",
                                 {1000, 1000, Unit::kPerSecond},
                                 "wake-ups without work per second from which it is confirmed",
                                 {"slow spins are confirmed", "fast ones stay likely"}};
constexpr Threshold kConfirmCpu{"confirm_cpu",
                                {0.1, 0.1, Unit::kShare},
                                "share of a core from which it is confirmed",
                                {"spins that cost little are confirmed", "dear ones stay likely"}};

// What comes before and after a run, and when it began, are not known.
constexpr double kSparedS = 5;

InconclusiveReason too_brief(const Entry& entry, const Spin& spin, const Settings& settings)
{
    return {Inconclusive::kTooShort,
            fmt::format("fd {} ({}) was reported {} times without work, for less time than a verdict takes",
                        entry.key.fd, kind_name(entry.file.kind), spin.returns),
            fmt::format("watch for {:g} s", settings[kSpinS] + kSparedS)};
}

}  // namespace

std::vector<Threshold> spin_thresholds() { return {kSpinReturns, kPerS, kSpinS, kConfirmPerS, kConfirmCpu}; }

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
    if (brief && Passing::has_runs(entry) && shape_so_far(books, entry) == advice_.shape)
        passing_.note(entry);
    if (brief)
        spin = find_brief_spin(books, entry, settings);
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
        tell_mask(finding, entry.runs.best_mask);
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
    for (const Entry* entry : books.neighbours().with(kTraitRuns))
        judge(books, *entry, sharers, settings, out);
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
