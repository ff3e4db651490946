// SPDX-License-Identifier: Apache-2.0
// Two ways to know. Rescue: what an earlier pass left was read only because more arrived, again and again; a
// program that waits for the edge never reads without one. Stall: it lies there now, and nobody is coming.
#include <fmt/format.h>

#include <algorithm>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/inner_epoll.h"
#include "rules/shared_data.h"
#include "rules/stuck.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit::et_read_not_drained {
namespace {

constexpr Threshold kRescuesPerFd{"rescues_per_fd",
                                  {2, 2, Unit::kCount},
                                  "times left-over input of one fd was read only when more arrived",
                                  {"one read left for later on purpose counts", "rare stalls are told later"}};
constexpr Threshold kRescuesPerEpoll{"rescues_per_epoll",
                                     {3, 3, Unit::kCount},
                                     "the same, over all fds of an epoll",
                                     {"reads left for later on purpose count", "rare stalls are told later"}};
constexpr Threshold kStallS{"stall_s",
                            {5, 1, Unit::kSeconds},
                            "seconds input must lie unread while the loop sleeps",
                            {"a loop about to come back is accused", "it is told later, and shorter stalls not at all"},
                            kPatience};
constexpr Threshold kFromStartS{"from_start_s",
                                {30, 1, Unit::kSeconds},
                                "the same, for what was there when the observation began",
                                {"input left on purpose before is remarked on", "hangs from before are told later"}};
constexpr Threshold kShared{"shared",
                            {3, 3, Unit::kCount},
                            "connections with the same data and untouched input, to be sure that it is why",
                            {"an accidental pair of equal data is blamed", "small servers are missed"}};

const RuleInfo kInfo{
    "EP101",
    "et-read-not-drained",
    "edge-triggered data left unread, nobody will be told again",
    Level::kConfirmed,
    {kRescuesPerFd, kRescuesPerEpoll, kStallS, kFromStartS, kIdleWindowS, kShared, kHandoffTurnS, kGraceS},
    {Seam::kState, Seam::kReadiness},
    "input held back on purpose by a program without any history; proxies, until more data arrives",
    {StackRole::kRead, StackRole::kArmed, StackRole::kWait}};

constexpr const char* kFix =
    "read until EAGAIN after each edge, or drop EPOLLET; to stop early on purpose, keep the fd on a list of your own "
    "and come back to it, or EPOLL_CTL_MOD it with the same mask, which reports what is left";

// Eventfds, timerfds and their like are often never read under EPOLLET, rightly.
bool of_kind(const Entry& entry)
{
    uint8_t kind = entry.file.kind;
    return kind == FILE_PIPE || kind == FILE_TCP || kind == FILE_UDP || kind == FILE_UNIX || kind == FILE_SOCKET;
}

// The newest pass left something, no re-arm has asked for it again, and it is still there.
bool left_behind(const Entry& entry)
{
    const file_row& f = entry.file;
    const registration_row& r = entry.registration;
    bool armed = asks_for_edges(entry) && !(r.flags & REGISTRATION_FIRED);
    bool history = (r.flags & REGISTRATION_KNOWN) && r.delivered_in && f.edge_at;
    return armed && history && !entry.ready && entry.state.unread && f.stuck_at && f.left_at &&
           f.left_at >= f.edge_at && f.left_at == f.consumed_at && f.armed_at < f.left_at && f.attempt_at <= f.left_at;
}

bool hung_from_start(const Entry& entry)
{
    return asks_for_edges(entry) && !entry.ready && entry.state.unread && entry.file.stuck_at &&
           untouched_from_start(entry);
}

// The same, as far as calls alone tell: the newest read after the edge filled its buffer, and none followed.
bool ended_full(const Entry& entry)
{
    const file_row& f = entry.file;
    const registration_row& r = entry.registration;
    bool armed = asks_for_edges(entry) && !(r.flags & REGISTRATION_FIRED);
    return armed && f.edge_at && f.last_read > 0 && static_cast<uint32_t>(f.last_read) == f.last_asked &&
           f.consumed_at >= f.edge_at && f.attempt_at == f.consumed_at && f.armed_at < f.edge_at;
}

class EtReadNotDrained : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    Coverage coverage(const Sight& sight) const override
    {
        if (sight.kernel_state || sight.times == Sight::Times::kNone || !sight.unseen.empty())
            return Rule::coverage(sight);
        return {Status::kDegraded,
                "how much is unread cannot be read, so a read that filled its buffer and was not "
                "repeated is a risk at most: " +
                    sight.why};
    }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        const size_t first = out.size();
        patience_.look(books);
        repeats_.begin();
        rescued_.begin();
        stalls_.take_back(kInfo, books, out);
        const LostEdges lost(books);
        for (const Entry& entry : books.entries) {
            if (entry.file.kind == FILE_EPOLL)
                judge_inner(books, entry, settings, out);
            if (!entry.key.epoll || !of_kind(entry))
                continue;
            if (!books.state_known) {
                judge_calls(books, entry, settings, out);
                continue;
            }
            judge_rescue(books, entry, settings, out);
            judge_stall(books, entry, settings, out);
            judge_unplaced(books, entry, lost.alike(entry), settings, out);
        }
        for (const Entry& entry : books.buried) {
            if (of_kind(entry))
                judge_rescue(books, entry, settings, out);
        }
        from_start_.settle(kInfo, books, first, out);
    }

private:
    void judge_rescue(const Snapshot& books, const Entry& entry, const Settings& settings, std::vector<Finding>& out)
    {
        const epoll_row* epoll = books.epoll(entry.key.epoll);
        if (!entry.file.rescues || !(entry.registration.mask & EV_ET))
            return;
        bool enough = entry.file.rescues >= settings[kRescuesPerFd] ||
                      (epoll && epoll->rescues >= settings[kRescuesPerEpoll]);
        Doubts doubts;
        doubt_eventless_io(books, entry, doubts);
        doubt_peeked(entry, doubts);
        if (entry.file.ignored_edges)
            doubts.push_back("the program leaves edges unanswered on purpose");
        if (!entry.buried)
            doubt_blocked_output(books, entry, doubts);
        const Level level = enough && doubts.empty() ? Level::kConfirmed : Level::kRisk;
        if (rescued_.same(books, entry, level, doubts, entry.buried))
            return;
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = level;
        finding.summary = "edge-triggered input is left unread and taken only when more arrives";
        finding.count = entry.file.rescues;
        finding.shape = "left-over input read only after a fresh edge";
        finding.fix = kFix;
        finding.cost.emplace_back("late_reads", entry.file.rescues);
        if (!entry.buried && entry.state.unread && entry.file.left_at) {
            finding.cost.emplace_back("unread_bytes", entry.state.unread);
            finding.cost.emplace_back("stuck_s", seconds_of(books.time - entry.file.left_at));
        }
        finish(finding, entry, doubts);
        out.push_back(std::move(finding));
    }

    void judge_stall(const Snapshot& books, const Entry& entry, const Settings& settings, std::vector<Finding>& out)
    {
        const file_row& f = entry.file;
        bool early = hung_from_start(entry);
        if (!(early || left_behind(entry)) || !none_tells_again(books, entry) || books.stopped(f.tgid) ||
            entry.registration.added_at + settings.ns(kGraceS) > books.time)
            return;
        uint64_t left = early ? entry.registration.added_at : f.left_at;
        uint64_t since = patience_.since(f.tgid, std::max(f.stuck_at, left));
        bool timer_gone = patience_.no_timer_pending(books, entry, left);
        if (since + settings.ns(early ? kFromStartS : kStallS) > books.time ||
            !books.loop_idle(entry.key.epoll, settings.ns(kIdleWindowS)) ||
            stalls_.settled(books, entry, last_reader(entry)))
            return;
        Doubts doubts;
        doubt_ignored_edges(books, entry, doubts);
        doubt_eventless_io(books, entry, doubts);
        doubt_blocked_output(books, entry, doubts);
        if (!early)
            doubt_dependency(books, entry, f.left_at, UINT64_MAX, doubts);
        doubt_peeked(entry, doubts);
        doubt_timer(timer_gone, doubts);
        bool hangs = early && doubts.empty();
        if (early)
            doubts.emplace_back(kPastUnknown);
        const Level level = doubts.empty() ? Level::kLikely : Level::kRisk;
        if (repeats_.same(books, entry, level, doubts)) {
            if (hangs)
                from_start_.still(entry);
            return;
        }
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = level;
        finding.summary = "edge-triggered input lies unread and the loop will not be told of it again";
        finding.count = 1;
        finding.shape = "unread while the loop sleeps";
        finding.fix = kFix;
        finding.cost.emplace_back("unread_bytes", entry.state.unread);
        finding.cost.emplace_back("stuck_s", seconds_of(books.time - since));
        add_fact(finding, "unread for", duration_text(books.time - since));
        finish(finding, entry, doubts);
        if (finding.level == Level::kLikely)
            stalls_.remember(entry);
        if (hangs)
            from_start_.mark(finding, entry);
        out.push_back(std::move(finding));
    }

    void judge_unplaced(const Snapshot& books, const Entry& entry, size_t alike, const Settings& settings,
                        std::vector<Finding>& out)
    {
        const file_row& f = entry.file;
        if (static_cast<double>(alike) < settings[kShared] || books.stopped(f.tgid))
            return;
        uint64_t since = patience_.since(f.tgid, std::max(f.stuck_at, f.armed_at));
        bool timer_gone = patience_.no_timer_pending(books, entry, f.armed_at);
        if (since + settings.ns(kStallS) > books.time || !books.loop_idle(entry.key.epoll, settings.ns(kIdleWindowS)))
            return;
        Doubts doubts;
        doubt_unplaced(books, entry, f.armed_at, settings.ns(kHandoffTurnS), timer_gone, doubts);
        const Level level = doubts.empty() ? Level::kLikely : Level::kRisk;
        if (repeats_.same(books, entry, level, doubts))
            return;
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = level;
        finding.summary = "edge-triggered input was reported under data that others have too, and nobody has read it";
        finding.count = 1;
        finding.shape = "data shared by several registrations";
        finding.fix = "give each registration data of its own (epoll_event.data)";
        finding.cost.emplace_back("unread_bytes", entry.state.unread);
        finding.cost.emplace_back("stuck_s", seconds_of(books.time - since));
        add_fact(finding, "same data", fmt::format("{} connections whose input nobody has touched", alike));
        finish(finding, entry, doubts);
        out.push_back(std::move(finding));
    }

    // An epoll in an epoll. Its events are its input, and they were not all fetched.
    void judge_inner(const Snapshot& books, const Entry& entry, const Settings& settings, std::vector<Finding>& out)
    {
        const registration_row& r = entry.registration;
        if (!asks_for_edges(entry) || entry.ready || !past_known(entry) || books.stopped(entry.file.tgid))
            return;
        const uint64_t inner = inner_of(books, entry);
        const epoll_row* row = books.epoll(inner);
        const thread_row* poller = row ? books.thread(row->polled_tid) : nullptr;
        if (!poller || row->polled_at < r.delivered_at || !r.delivered_at || books.waiters(inner))
            return;
        if (!poller->waiting || poller->epoll != entry.key.epoll)  // it may come back by itself
            return;
        const std::vector<const Entry*> left = unfetched(books, inner, settings.ns(kStallS));
        const uint64_t since = patience_.since(entry.file.tgid, row->polled_at);
        const bool timer_gone = patience_.no_timer_pending(books, entry, row->polled_at);
        if (left.empty() || since + settings.ns(kStallS) > books.time ||
            !books.loop_idle(entry.key.epoll, settings.ns(kIdleWindowS)))
            return;
        Doubts doubts;
        doubt_blocked_output(books, *left.front(), doubts);
        doubt_timer(timer_gone, doubts);
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = doubts.empty() ? Level::kLikely : Level::kRisk;
        finding.summary = fmt::format(
            "{} ready in an epoll that is registered edge-triggered in another: the loop will not be told of {} again",
            left.size() == 1 ? "1 fd is" : fmt::format("{} fds are", left.size()), left.size() == 1 ? "it" : "them");
        finding.count = 1;
        finding.shape = "an inner epoll is not drained while the loop sleeps";
        finding.fix =
            "after each edge call epoll_wait() on the inner epoll with timeout 0, and handle what it returns, until it "
            "returns 0; or register it without EPOLLET";
        finding.cost.emplace_back("stuck_s", seconds_of(books.time - since));
        add_fact(finding, "inner epoll",
                 fmt::format("fd {}, last polled {} ago", row->fd, duration_text(books.time - row->polled_at)));
        if (!doubts.empty())
            add_fact(finding, "possible explanation", doubts_text(doubts));
        out.push_back(std::move(finding));
    }

    void judge_calls(const Snapshot& books, const Entry& entry, const Settings& settings, std::vector<Finding>& out)
    {
        uint64_t since = patience_.since(entry.file.tgid, entry.file.consumed_at);
        if (!books.times_known || !ended_full(entry) || since + settings.ns(kStallS) > books.time ||
            !books.loop_idle(entry.key.epoll, settings.ns(kIdleWindowS)))
            return;
        Doubts doubts;
        doubt_eventless_io(books, entry, doubts);
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = Level::kRisk;
        finding.summary =
            "an edge-triggered read filled its buffer and was not repeated: if more is there, nobody will be told";
        finding.count = 1;
        finding.shape = "read = all that was asked for, then the loop sleeps";
        finding.fix = kFix;
        finding.cost.emplace_back("stuck_s", seconds_of(books.time - since));
        finish(finding, entry, doubts);
        out.push_back(std::move(finding));
    }

    static void finish(Finding& finding, const Entry& entry, const Doubts& doubts)
    {
        if (entry.file.rescues)
            add_fact(finding, "rescued", fmt::format("{} times by a later edge", entry.file.rescues));
        if (entry.file.last_read > 0)
            add_fact(finding, "last read", bytes_text(static_cast<uint64_t>(entry.file.last_read)));
        if (!doubts.empty())
            add_fact(finding, "possible explanation", doubts_text(doubts));
    }

    Patience patience_;
    Stalls stalls_;
    FromStart from_start_;
    Repeats repeats_;
    Repeats rescued_;  // a file may have both: left-over input that was read late, and some that lies there
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<EtReadNotDrained>(); }

}  // namespace epaudit::et_read_not_drained
