// SPDX-License-Identifier: Apache-2.0
// Judged by the failing accepts, not by futile returns: a busy server serves other clients in between.
#include <fmt/format.h>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/log_runs.h"
#include "rules/spin.h"
#include "rules/window.h"
#include "src/books/describe.h"

namespace epaudit::accept_spin {
namespace {

constexpr Threshold kWindowS{"window_s",
                             {1, 1, Unit::kSeconds},
                             "seconds over which failing accepts are counted",
                             {"a burst that ends by itself counts", "short spins are averaged away"},
                             kPatience};
constexpr Threshold kTurnsPerS{"turns_per_s",
                               {100, 100, Unit::kPerSecond},
                               "deliveries of the listener per second, each answered by a failing accept",
                               {"a server that tries again now and then is accused", "slow spins are missed"}};
constexpr Threshold kBurstPerS{"burst_per_s",
                               {1000, 1000, Unit::kPerSecond},
                               "failing accepts per second that a handler makes without waiting in between",
                               {"a handler that tries a few times is accused", "slow retries are missed"}};
constexpr Threshold kAcceptedShare{
    "accepted_share",
    {0.1, 0.1, Unit::kShare},
    "accepts that succeed, to failing ones, from which descriptors are found",
    {"spins in which some accepts succeed are missed", "servers that shed load are accused"}};

const RuleInfo kInfo{"EP205",
                     "accept-spin",
                     "accept fails (EMFILE ...), the backlog stays, the loop spins",
                     Level::kConfirmed,
                     {kLogReturns, kWindowS, kTurnsPerS, kBurstPerS, kAcceptedShare},
                     {},
                     "a shortage seen only through calls other than accept (open, socket, connect)",
                     {StackRole::kAccept, StackRole::kArmed}};

struct Failures {
    uint32_t turns = 0;
    uint32_t errors = 0;
    uint32_t accepts = 0;
};

struct Spinning {
    double turns_per_s = 0;
    double errors_per_s = 0;
    bool in_handler = false;  // tried again without waiting
};

const char* remedy(uint32_t error)
{
    return error == 23 /* ENFILE */   ? "the system's limit (fs.file-max) is reached"
           : error == 24 /* EMFILE */ ? "the process's limit (RLIMIT_NOFILE) is reached"
                                      : "the kernel is out of memory for sockets";
}

constexpr const char* kFix =
    "on EMFILE or ENFILE take the listener out (EPOLL_CTL_DEL) and put it back when a connection has been closed or "
    "after a pause; or keep a spare descriptor: close it, accept, close the connection, open it again";

class AcceptSpin : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        judge_log_runs(
            kInfo, books, settings, [](const LogRun&) { return kFix; }, out);
        for (std::span<const Entry> file : books.neighbours().files_with(kTraitListens)) {
            const Entry& entry = file.front();
            const file_row& f = entry.file;
            if (f.kind != FILE_LISTENER || !f.accept_errors)
                continue;
            auto span = windows_.note({entry.file_id, f.ino}, {entry.fault.fail_turns, f.accept_errors, f.accepts},
                                      books.time, settings.ns(kWindowS));
            Spinning spinning;
            if (span)
                spinning = measure(entry, span->then, span->seconds);
            report(books, entry, spinning, span && spins(f, span->then, spinning, settings), out);
        }
        windows_.forget_others();
    }

    // Which accept failed is known without the kernel's state.
    Coverage coverage(const Sight& sight) const override
    {
        if (!sight.calls)
            return {Status::kUnavailable, sight.unseen};
        if (!sight.accepts)
            return {Status::kDegraded, "the log holds no accept(): was it traced (strace -e trace=%network)?"};
        return {};
    }

private:
    static Spinning measure(const Entry& entry, const Failures& then, double seconds)
    {
        Spinning s;
        double errors = entry.file.accept_errors - then.errors;
        double turns = entry.fault.fail_turns - then.turns;
        s.turns_per_s = turns / seconds;
        s.errors_per_s = errors / seconds;
        s.in_handler = errors >= 5 * turns;
        return s;
    }

    static bool spins(const file_row& f, const Failures& then, const Spinning& s, const Settings& settings)
    {
        double errors = f.accept_errors - then.errors;
        double accepts = f.accepts - then.accepts;
        if (accepts > settings[kAcceptedShare] * errors)
            return false;  // sheds with a spare descriptor, or others close theirs
        return s.turns_per_s >= settings[kTurnsPerS] || (s.in_handler && s.errors_per_s >= settings[kBurstPerS]);
    }

    static void report(const Snapshot& books, const Entry& entry, const Spinning& s, bool spins,
                       std::vector<Finding>& out)
    {
        const file_row& f = entry.file;
        const fault_row& x = entry.fault;
        std::string error = errno_text(x.fail_errno);
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = spins ? Level::kConfirmed : Level::kInfo;
        finding.summary = !spins ? fmt::format("accept failed with {}: {}", error, remedy(x.fail_errno))
                          : s.in_handler
                              ? fmt::format("accept = {} is tried again at once, for ever: the handler spins", error)
                              : fmt::format("accept = {} and the listener stays armed: the loop spins", error);
        if (spins)
            finding.shape = s.in_handler ? fmt::format("accept = {} again and again in one turn", error)
                                         : fmt::format("accept = {} between returns", error);
        finding.count = f.accept_errors;
        if (spins)
            add_costs(finding, entry, s);
        add_fact(finding, "limit", remedy(x.fail_errno));
        add_fact(finding, "accepts", fmt::format("{} accepted, {} failed", f.accepts, f.accept_errors));
        finding.fix =
            !spins ? "raise RLIMIT_NOFILE (LimitNOFILE= in a systemd unit), or refuse clients before the limit is "
                     "reached"
                   : kFix;
        out.push_back(std::move(finding));
    }

    static void add_costs(Finding& finding, const Entry& entry, const Spinning& s)
    {
        finding.cost.emplace_back("failing_accepts_per_s", s.errors_per_s);
        finding.cost.emplace_back("connections_waiting", entry.state.backlog);
        add_cpu_share(finding, entry);
    }

    Windows<std::pair<uint64_t, uint64_t>, Failures> windows_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<AcceptSpin>(); }

}  // namespace epaudit::accept_spin
