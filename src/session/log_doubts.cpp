// SPDX-License-Identifier: Apache-2.0
#include "src/session/log_doubts.h"

#include <fmt/format.h>

#include <algorithm>

#include "rules/log_runs.h"
#include "src/books/describe.h"
#include "src/strace/import.h"

namespace epaudit {
namespace {

// So many equal returns in a row happen to no healthy program.
constexpr uint64_t kNotable = 5;
// Fewer do where the log shows that the program met the trouble (read = 0, accept = EMFILE) and waited again.
constexpr uint64_t kNotableMet = 2;
// As few do where nothing else was done each time than to arm it again.
constexpr uint64_t kNotableArmed = 3;
// It may be over before the log is: somebody wrote, or closed. So many, or as many in several runs, were too many all the same.
constexpr uint64_t kNotableEnded = 20, kNotableInAll = 50;

bool met(const LogRun& run)
{
    if (run.ground == LogRun::Ground::kOnlyOne)  // that it accepts says enough of what it is
        return run.cause == LogRun::Cause::kAccept && run.error;
    if (run.ground > LogRun::Ground::kUsed)
        return false;
    return (run.cause == LogRun::Cause::kEof && (run.between & BETWEEN_READ_EOF)) ||
           (run.cause == LogRun::Cause::kAccept && run.error) ||
           (run.cause == LogRun::Cause::kGhost && ((run.between & BETWEEN_DEL_FAILED) || run.bad_number));
}

// Armed again each time, with nothing to write, or for a connection that is at its end.
bool armed_again(const LogRun& run)
{
    if (run.ground > LogRun::Ground::kUsed || !(run.between & (BETWEEN_MOD | BETWEEN_MOD_SAME)))
        return false;
    return (run.cause == LogRun::Cause::kHupErr && !(run.events & ~(EV_HUP | EV_ERR))) ||
           (run.cause == LogRun::Cause::kOut && (run.between & BETWEEN_READ_EAGAIN));
}

uint64_t notable(const LogRun& run) { return met(run) ? kNotableMet : armed_again(run) ? kNotableArmed : kNotable; }

// Input that is told of again until somebody comes for it is what a busy pool looks like, and a hang-up what a client makes
// that is being closed.
bool over_and_notable(const LogRun& run)
{
    const bool fault = run.cause == LogRun::Cause::kOut || met(run);
    return fault && (run.returns >= kNotableEnded || run.in_all >= kNotableInAll);
}

// The rule that such a run belongs to, if it is on.
const RuleInfo* rule_of(const Auditor& auditor, const std::vector<RuleInfo>& rules, const LogRun& run)
{
    const std::string id = log_run_rule(run);
    for (const RuleInfo& rule : rules)
        if (rule.id == id && auditor.is_on(id))
            return &rule;
    return nullptr;
}

// What the program did about it, each time.
std::string done_about(const LogRun& run)
{
    if (run.cause == LogRun::Cause::kAccept && run.error)
        return fmt::format("accept = {} each time", errno_text(run.error));
    if (run.cause == LogRun::Cause::kEof && (run.between & BETWEEN_READ_EOF))
        return "read = 0 each time";
    if (armed_again(run))
        return "nothing was done about it but to arm it again";
    return "nothing was done about it";
}

// The end of a stream, read again and again; empty: it is not, or is told.
std::string reads_ends(const Auditor& auditor, const LogCounts& counts)
{
    const std::vector<Finding> findings = auditor.findings();
    const bool told = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
        return finding.level >= Level::kLikely && (finding.rule == "EP203" || finding.rule == "EP204");
    });
    if (told || counts.most_ends < kNotable)
        return {};
    return fmt::format(
        "fd {} was read to its end {} times in a row, each time after another return of epoll_wait, and not "
        "closed: a spin if it stays registered",
        counts.ends_fd, counts.most_ends);
}

// What the log looks like, though it does not prove it; empty: it does not look like anything.
std::string looks_like(const Auditor& auditor, const StraceImport& log)
{
    LogRun longest;
    std::string name;
    double needed = 0;
    const std::vector<RuleInfo> rules = auditor.rules();
    for (const LogRun& run : log.runs()) {
        const bool spin = run.cause > LogRun::Cause::kNone && run.cause <= LogRun::Cause::kGhost &&
                          run.cause != LogRun::Cause::kZero;
        const RuleInfo* rule = spin && (!run.ended || over_and_notable(run)) ? rule_of(auditor, rules, run) : nullptr;
        if (!rule || run.returns < notable(run) || run.returns <= longest.returns)
            continue;
        const Settings& settings = *auditor.settings(rule->id);
        if (!run.doubt && is_finding(run, settings))
            continue;
        longest = run;
        name = rule->name;
        needed = log_run_needs(run, settings);
    }
    if (name.empty())
        return {};
    std::string text = fmt::format("{} was reported {} times in a row ({}) and {}: ", log_run_subject(longest),
                                   longest.returns, mask_text(longest.events), done_about(longest));
    if (longest.doubt)
        return text + longest.doubt;
    const uint64_t round = longest.returns >= 20 ? longest.returns / 10 * 10 : longest.returns;
    return text + fmt::format("a spin if this goes on; {} returns are needed, or --set {}.returns={}", needed, name,
                              std::min<uint64_t>(round, 50));
}

// epoll_wait() on what is no epoll any more, or with maxevents 0: it returns at once, and tells nothing. No rule looks at that.
constexpr uint64_t kFailedWaits = 100;
// Fewer are enough where most of them failed.
constexpr uint64_t kFewestFailedWaits = 5;

// So many lines that could not be read, and a tenth of all: a line or two may be prose.
constexpr uint64_t kUnreadWaits = 5;

// Fewer events say little about what is not in a log, unless there is nothing else: four lines that somebody pasted are no
// proof that all is well.
constexpr uint64_t kFewestUnjudged = 10;

// An excerpt of fewer turns of the loop shows nothing, however well its events were answered. A program's whole life may be
// as short.
constexpr uint64_t kFewestTurns = 2;
constexpr double kLongS = 1;

std::string too_little(const StraceImport& log, double seconds)
{
    const uint64_t returns = log.tracker().returns();
    if (log.holds_birth() || log.tracker().turns() >= kFewestTurns || seconds >= kLongS)
        return {};
    if (returns == 0)
        return "no return of epoll_wait() stands in this log: what the program does about its events is not known";
    if (returns == 1)
        return "one return of epoll_wait() stands in this log: too little to say anything";
    return fmt::format("{} returns of epoll_wait() stand in this log: too little to say anything", returns);
}

// With time stamps the rule says so itself.
std::string refused(const StraceImport& log)
{
    int error = 0;
    const int fd = log.tracker().refused(error);
    if (fd < 0 || log.clock().known())
        return {};
    return fmt::format(
        "epoll_ctl() of fd {} failed with {}, and nothing made up for it: how long that lasted is not known", fd,
        errno_text(error));
}

std::string mostly_unjudged(const StraceImport& log)
{
    const Runs& tracker = log.tracker();
    // Where the log holds what a program does to descriptors, that nothing was done is known.
    const uint64_t unjudged = tracker.open() + (log.holds_io() ? 0 : tracker.silent());
    const uint64_t all = tracker.open() + tracker.silent() + tracker.answered();
    const bool all_of_them = unjudged > 0 && unjudged == all;
    if (!all_of_them && (unjudged < kFewestUnjudged || unjudged * 2 <= all))
        return {};
    if (tracker.unprinted() * 2 > unjudged)
        return fmt::format("{} of {} events are not printed in the log (strace -v -s 256 shows them)", unjudged, all);
    return fmt::format("{} of {} events could not be judged: what the program did about them is not in the log",
                       unjudged, all);
}

}  // namespace

std::vector<InconclusiveReason> log_doubts(const Auditor& auditor, const StraceImport& log, double seconds)
{
    if (log.counts().mixed)
        return {{Inconclusive::kUnjudged,
                 "calls of several threads or processes are mixed in this log, and nothing tells them apart",
                 "strace -f -o FILE writes the pid before each call"}};
    if (!log.counts().waits && log.counts().epolls && !log.holds_everything())
        return {{Inconclusive::kUnjudged,
                 "no call of epoll_wait() stands in this log: what was reported to the program is not known",
                 "trace all calls (strace -f), or at least -e trace=%desc,%network"}};
    if (log.unread_waits() >= kUnreadWaits && log.unread_waits() * 10 >= log.counts().waits)
        return {{Inconclusive::kLost,
                 fmt::format("{} lines name epoll_wait() in a form that cannot be read", log.unread_waits()),
                 "give the log as strace -o FILE wrote it"}};
    if (const LogCounts& counts = log.counts();
        counts.failed_waits >= kFailedWaits || (counts.failed_waits && counts.failed_waits >= counts.waits) ||
        (counts.failed_waits >= kFewestFailedWaits && counts.failed_waits * 2 > counts.waits))
        return {{Inconclusive::kUnjudged,
                 fmt::format("epoll_wait() failed {} time{} ({}): that its loop does nothing else is no rule's matter",
                             counts.failed_waits, counts.failed_waits == 1 ? "" : "s", errno_text(counts.wait_error)),
                 "see what its epoll fd and its arguments are there"}};
    if (log.counts().calls && !log.counts().succeeded)
        return {{Inconclusive::kUnjudged,
                 "no call of this log succeeded: what was reported to the program, and what it did, is not in it",
                 "strace without -Z (-e status=failed)"}};
    if (std::string text = looks_like(auditor, log); !text.empty())
        return {{Inconclusive::kTooShort, std::move(text), ""}};
    if (std::string text = reads_ends(auditor, log.counts()); !text.empty())
        return {{Inconclusive::kTooShort, std::move(text), "give a longer log, strace -s 4096 -v"}};
    if (std::string text = refused(log); !text.empty())
        return {{Inconclusive::kUnjudged, std::move(text), "give a log with time stamps (strace -ttt)"}};
    if (std::string text = too_little(log, seconds); !text.empty())
        return {{Inconclusive::kTooShort, std::move(text), "give a longer log"}};
    if (std::string text = mostly_unjudged(log); !text.empty())
        return {{Inconclusive::kUnjudged, std::move(text), ""}};
    return {};
}

}  // namespace epaudit
