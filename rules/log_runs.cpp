// SPDX-License-Identifier: Apache-2.0
#include "rules/log_runs.h"

#include <fmt/format.h>

#include "rules/evidence.h"
#include "rules/spin.h"
#include "src/books/call_names.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit {
namespace {

using Cause = LogRun::Cause;
using Ground = LogRun::Ground;

const char* summary_of(const LogRun& run)
{
    switch (run.cause) {
    case Cause::kOut:
        return run.between & BETWEEN_READ_EAGAIN
                   ? "EPOLLOUT stays armed while the program only tries to read: the loop spins"
               : run.between & (BETWEEN_MOD | BETWEEN_MOD_SAME)
                   ? "EPOLLOUT is armed again and again with nothing to write: the loop spins"
                   : "EPOLLOUT is armed and nothing is written: the loop spins";
    case Cause::kUnread: return "what is reported is never consumed: the loop spins";
    case Cause::kEof: return "the end of the stream is reported again and again and ignored: the loop spins";
    case Cause::kHupErr: return "EPOLLHUP or EPOLLERR is reported again and again and ignored: the loop spins";
    case Cause::kGhost:
        return run.closed || !(run.between & BETWEEN_DEL_FAILED)
                   ? "the fd was closed, but its registration lives on with a duplicate of the file: "
                     "events for the closed number keep coming"
                   : "the fd was closed, but its registration lives on with a duplicate of the file: "
                     "epoll_ctl can no longer reach it";
    case Cause::kZero: return "the loop polls with timeout 0 and finds nothing";
    case Cause::kHerd: return "wake-ups find nothing to accept: others waiting for the same listener were faster";
    default: return "";
    }
}

Level level_of(const Snapshot& books, const LogRun& run, const Settings& settings)
{
    if (run.cause == Cause::kZero)
        return Level::kInfo;
    if (run.cause == Cause::kHerd || run.doubt)
        return Level::kRisk;
    if (run.cause == Cause::kStall || !books.times_known || run.ground > Ground::kUsed)
        return Level::kLikely;
    const double seconds = seconds_of(run.ns);
    const bool fast = seconds >= 1 && static_cast<double>(run.returns) >= 1000 * seconds;
    return fast && log_run_needs(run, settings) <= static_cast<double>(run.returns) ? Level::kConfirmed
                                                                                    : Level::kLikely;
}

// The books know it, and say more.
bool known_better(const Snapshot& books, const LogRun& run, const Settings& settings)
{
    for (const auto* list : {&books.entries, &books.buried})
        for (const Entry& entry : *list)
            if (entry.key.epoll == run.epoll && entry.key.fd == run.fd &&
                (run.cause == Cause::kGhost
                     ? entry.fault.ghost_told && entry.fault.ghost_told >= settings[kGhostToldLikely] &&
                           entry.file.ghost_at + settings.ns(kGhostExistsS) <= books.time
                     : run.cause < Cause::kAccept && run.cause > Cause::kNone && find_spin(books, entry, settings)))
                return true;
    return false;
}

void describe(Finding& finding, const Snapshot& books, const LogRun& run)
{
    finding.summary = summary_of(run);
    finding.shape = run.cause == Cause::kZero ? "epoll_wait(0) = 0 in a row" : between_text(run.between);
    finding.count = run.returns;
    if (run.cause == Cause::kAccept) {
        finding.summary = fmt::format("accept = {} and the listener stays armed: the loop spins",
                                      errno_text(run.error));
        finding.shape = fmt::format("accept = {} between returns", errno_text(run.error));
    } else if (run.cause == Cause::kGhost) {
        finding.shape = run.closed                         ? "told of after its close"
                        : run.between & BETWEEN_DEL_FAILED ? "epoll_ctl on the closed number = EBADF or ENOENT"
                                                           : "calls on the closed number = EBADF";
    } else if (run.cause == Cause::kHerd) {
        finding.shape = "accept = EAGAIN after most wake-ups";
        add_fact(finding, "wasted", fmt::format("{} of {} wake-ups", run.returns, run.of));
        return;
    } else if (run.cause == Cause::kStall) {
        finding.summary = fmt::format("the event loop was blocked for {} in {}; then {} clients had input at once",
                                      duration_text(run.longest), system_call_name(run.call), run.of);
        finding.shape = "blocked in " + system_call_name(run.call);
        finding.cost.emplace_back("longest_stall_s", seconds_of(run.longest));
        add_fact(finding, "stalls", fmt::format("{} of 100 ms and more", run.returns));
        return;
    }
    if (run.cause != Cause::kZero) {
        add_fact(finding, "reported", mask_text(run.events));
        add_fact(finding, "known by", log_run_ground(run));
    }
    const double seconds = seconds_of(run.ns);
    const bool timed = books.times_known && run.ns;
    add_fact(finding, "run", fmt::format("{} returns{}", run.returns, timed ? " in " + duration_text(run.ns) : ""));
    if (run.in_all > run.returns)
        add_fact(finding, "runs", fmt::format("{} returns in all of them", run.in_all));
    if (timed)
        finding.cost.emplace_back("wakeups_per_s", static_cast<double>(run.returns) / seconds);
    else
        finding.cost.emplace_back("wakeups", static_cast<double>(run.returns));
}

}  // namespace

double log_run_needs(const LogRun& run, const Settings& settings)
{
    switch (run.cause) {
    case Cause::kOut:
    case Cause::kUnread:
    case Cause::kEof:
    case Cause::kHupErr: return settings[kSpinReturns];
    case Cause::kHerd: return 8;
    case Cause::kStall: return settings[kStalls];
    default: return settings[kLogReturns];
    }
}

bool is_finding(const LogRun& run, const Settings& settings)
{
    const double needs = log_run_needs(run, settings);
    if (static_cast<double>(run.returns) >= needs)
        return true;
    // What ends such a run is a client that sends, a timer that closes, a descriptor that comes free. Output of a socket
    // whose trigger is not known may be news each time.
    const bool proven = (run.cause == Cause::kOut && run.ground == Ground::kRegistered) ||
                        (run.cause == Cause::kEof && (run.between & BETWEEN_READ_EOF)) ||
                        (run.cause == Cause::kAccept && run.error);
    return proven && run.ground <= Ground::kUsed && !run.doubt && static_cast<double>(run.in_all) >= 2 * needs;
}

std::string log_run_rule(const LogRun& run)
{
    static constexpr const char* kRules[] = {"",      "EP201", "EP202", "EP203", "EP204",
                                             "EP205", "EP206", "EP303", "EP401", "EP404"};
    return kRules[static_cast<size_t>(run.cause)];
}

std::string log_run_subject(const LogRun& run)
{
    return run.fd >= 0 ? fmt::format("fd {}", run.fd) : fmt::format("the event with data {:#x}", run.data);
}

std::string log_run_ground(const LogRun& run)
{
    switch (run.ground) {
    case Ground::kRegistered: return "its epoll_ctl is in the log";
    case Ground::kUsed: return "the program used the number that data holds";
    case Ground::kOnlyOne: return "the only fd that was used between returns: a guess";
    case Ground::kData: return "data looks like this fd number, nothing else says so: a guess";
    default: return "which fd it is cannot be told: its epoll_ctl is not in the log, and data is no fd number";
    }
}

void judge_log_runs(const RuleInfo& info, const Snapshot& books, const Settings& settings, const LogRunAdvice& advice,
                    std::vector<Finding>& out)
{
    for (const LogRun& run : books.log_runs) {
        if (run.cause == Cause::kStall && run.doubt)
            continue;
        if (log_run_rule(run) != info.id || !is_finding(run, settings) || known_better(books, run, settings))
            continue;
        Finding finding = begin_epoll_finding(info, books, run.epoll, run.pid);
        if (finding.epoll_fd < 0)
            finding.epoll_fd = run.epfd;
        finding.level = level_of(books, run, settings);
        if (run.cause != Cause::kZero && run.cause != Cause::kStall) {
            finding.fd.number = run.fd;
            finding.fd.kind = run.fd >= 0 && run.kind ? kind_name(run.kind) : "";
            finding.subject_file = run.file;
            finding.subject_ino = run.file;
        }
        describe(finding, books, run);
        if (run.doubt)
            add_fact(finding, "doubt", run.doubt);
        finding.fix = advice(run);
        out.push_back(std::move(finding));
    }
}

}  // namespace epaudit
