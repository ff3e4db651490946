// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "bpf/ledger_limits.h"
#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/log_runs.h"
#include "rules/passing.h"
#include "rules/spin.h"
#include "rules/stuck.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit::ghost_registration {
namespace {

constexpr Threshold kTold{"told",
                          {10, 10, Unit::kCount},
                          "the same, to be confirmed; a failing epoll_ctl on the number confirms as well",
                          {"a few late events confirm it", "it stays likely for longer"}};

const RuleInfo kInfo{"EP303",
                     "ghost-registration",
                     "fd closed, description alive through dup/fork: events keep coming, DEL cannot work",
                     Level::kConfirmed,
                     {kLogReturns, kGhostExistsS, kGhostToldLikely, kTold},
                     {},
                     "numbers closed before we attached and not reported since; those closed by another process",
                     {StackRole::kArmed, StackRole::kWait}};

constexpr const char* kFix =
    "epoll_ctl(EPOLL_CTL_DEL) before close() whenever a duplicate may exist (dup, fork without exec, descriptors "
    "passed on); now only closing every duplicate, or the epoll, removes it";

bool seen_closing(const Entry& entry) { return !(entry.registration.flags & REGISTRATION_UNREACHED); }

bool spins(const registration_row& r) { return r.run >= LEDGER_RUN || r.best_run >= LEDGER_RUN; }

// Where nobody saw the close, only what comes of it is proof.
Level level_of(const Entry& entry, const Settings& settings)
{
    const fault_row& x = entry.fault;
    if (x.ghost_errors || (x.ghost_told >= settings[kTold] && (seen_closing(entry) || spins(entry.registration))))
        return Level::kConfirmed;
    return x.ghost_told >= settings[kGhostToldLikely] ? Level::kLikely : Level::kRisk;
}

std::string closed_text(const Snapshot& books, const Entry& entry)
{
    const std::string age = duration_text(books.time - entry.file.ghost_at);
    return seen_closing(entry)
               ? age + " ago, not the last descriptor of the file"
               : fmt::format("{} ago or more: nobody saw it, but by then the number led elsewhere or nowhere", age);
}

class GhostRegistration : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        repeats_.begin();
        judge_log_runs(
            kInfo, books, settings, [](const LogRun&) { return kFix; }, out);
        passing_.begin();
        for (const Entry* one : books.neighbours().with(kTraitGhost)) {
            const Entry& entry = *one;
            if (is_ghost(entry) && entry.file.ghost_at + settings.ns(kGhostExistsS) <= books.time)
                judge(books, entry, settings, out);
            else
                note_passing(books, entry, settings);
        }
        for (const Entry& entry : books.buried)
            note_passing(books, entry, settings);
        for (const Passed& sum : passing_.sums(books))
            if (lasts(books, sum, settings))
                out.push_back(tell_passing(books, sum));
    }

private:
    void judge(const Snapshot& books, const Entry& entry, const Settings& settings, std::vector<Finding>& out)
    {
        const file_row& f = entry.file;
        const fault_row& x = entry.fault;
        double age = seconds_of(books.time - f.ghost_at);
        Doubts doubts;
        if (x.ghost_used)
            doubts.push_back("the process goes on using the file under another number");
        if (may_be_anothers(books, entry))
            doubts.push_back("another process waits on the epoll as well and may have registered it");
        const Level level = doubts.empty() ? level_of(entry, settings) : Level::kRisk;
        // What it costs changes with each event; one that gets none is written once.
        const uint64_t told = uint64_t{x.ghost_told} << 32 | x.ghost_errors;
        if (repeats_.same(books, entry, level, doubts, told * 31 + entry.registration.run))
            return;
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = level;
        finding.summary = fmt::format(
            "fd {} was closed, but its registration lives on with a duplicate of the file: {}", x.ghost_fd,
            x.ghost_errors ? "epoll_ctl can no longer reach it"
            : x.ghost_told ? "events for the closed number keep coming"
                           : "events for the closed number may come");
        finding.shape = x.ghost_errors ? "epoll_ctl on the closed number = EBADF or ENOENT"
                                       : "close() while a duplicate exists (dup, fork, SCM_RIGHTS)";
        finding.count = x.ghost_told;
        finding.cost.emplace_back("ghost_events_per_s", x.ghost_told / age);
        add_cpu_share(finding, entry);
        add_fact(finding, "closed", closed_text(books, entry));
        if (x.ghost_errors)
            add_fact(
                finding, "epoll_ctl",
                fmt::format("failed {} time{} on the closed number", x.ghost_errors, x.ghost_errors == 1 ? "" : "s"));
        if (entry.registration.run >= LEDGER_RUN)
            add_fact(
                finding, "spin",
                fmt::format("{} wake-ups without work, {}", entry.registration.run, between_text(entry.runs.calls)));
        if (!doubts.empty())
            add_fact(finding, "possible explanation", doubts_text(doubts));
        finding.fix = kFix;
        out.push_back(std::move(finding));
    }

    void note_passing(const Snapshot& books, const Entry& entry, const Settings& settings)
    {
        const fault_row& x = entry.fault;
        if (is_ghost(entry) && spins(entry.registration) && x.ghost_told >= settings[kTold] && !x.ghost_used &&
            !may_be_anothers(books, entry))
            passing_.note(entry);
    }

    // Each is closed for good after a moment, by a child that ends or by whom it was passed on to.
    static bool lasts(const Snapshot& books, const Passed& sum, const Settings& settings)
    {
        return sum.is_habit(books) && sum.ns >= settings.ns(kGhostExistsS);
    }

    Finding tell_passing(const Snapshot& books, const Passed& sum) const
    {
        const double seconds = seconds_of(sum.ns);
        Finding finding = begin_finding(kInfo, books, sum.example);
        finding.level = Level::kConfirmed;
        finding.summary =
            "fds are closed while others still have their files: until those close them too, the loop spins on events "
            "for closed numbers";
        finding.shape = "close() while a duplicate exists (dup, fork, SCM_RIGHTS)";
        finding.count = static_cast<uint64_t>(sum.returns);
        finding.cost.emplace_back("ghost_events_per_s", sum.returns / seconds);
        add_fact(finding, "spin",
                 fmt::format("{} wake-ups without work in {}, of {} closed fds one after another", finding.count,
                             duration_text(sum.ns), sum.ones));
        finding.fix =
            "epoll_ctl(EPOLL_CTL_DEL) before close() whenever a duplicate may exist (dup, fork without exec, "
            "descriptors passed on); a child that does not need them closes its copies at once";
        return finding;
    }

    Repeats repeats_;
    Passing passing_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<GhostRegistration>(); }

}  // namespace epaudit::ghost_registration
