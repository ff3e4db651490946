// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/stuck.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit::et_accept_not_drained {
namespace {

constexpr Threshold kLeftPasses{"left_passes",
                                {3, 3, Unit::kCount},
                                "successive edges whose accepts left a connection older than 200 ms waiting",
                                {"one connection left by chance confirms it", "slow listeners are told later"}};
constexpr Threshold kStallS{"stall_s",
                            {2, 1, Unit::kSeconds},
                            "seconds a backlog must wait while the loop sleeps",
                            {"a loop about to come back is accused", "it is told later, and shorter stalls not at all"},
                            kPatience};
constexpr Threshold kUntriedS{"untried_s",
                              {30, 2, Unit::kSeconds},
                              "seconds a backlog must wait when the loop was told and has never called accept()",
                              {"a server that is not ready yet is accused", "it is told later"}};
constexpr Threshold kStarvedS{"starved_s",
                              {2, 1, Unit::kSeconds},
                              "seconds a backlog must wait after accept failed for want of descriptors",
                              {"a server about to find a descriptor is accused", "it is told later"}};
constexpr Threshold kFromStartS{
    "from_start_s",
    {30, 1, Unit::kSeconds},
    "the same, for a backlog that was there when the observation began",
    {"a backlog left on purpose before is remarked on", "hangs from before are told later"}};

const RuleInfo kInfo{"EP102",
                     "et-accept-not-drained",
                     "edge-triggered listener left with a backlog",
                     Level::kConfirmed,
                     {kLeftPasses, kStallS, kUntriedS, kStarvedS, kFromStartS, kIdleWindowS, kGraceS},
                     {Seam::kState, Seam::kReadiness},
                     "listeners shared with programs that are not watched",
                     {StackRole::kAccept, StackRole::kArmed, StackRole::kWait}};

constexpr const char* kFix =
    "call accept4() until it returns EAGAIN after each edge, or register the listener without EPOLLET";
constexpr const char* kStarvedFix =
    "after EMFILE, come back: keep the listener on a list of your own and accept again when an fd is closed or a timer "
    "runs out; an edge-triggered listener is not reported again for connections that already wait";

bool left_behind(const Entry& entry)
{
    const file_row& f = entry.file;
    const registration_row& r = entry.registration;
    bool armed = asks_for_edges(entry) && !(r.flags & REGISTRATION_FIRED);
    bool history = (r.flags & REGISTRATION_KNOWN) && r.delivered_in && f.edge_at;
    return armed && history && !entry.ready && entry.state.backlog && f.stuck_at && f.left_at &&
           f.left_at >= f.edge_at && f.armed_at < f.left_at && f.attempt_at <= f.left_at;
}

// It was told, more than once perhaps, and has not even tried.
bool never_tried(const Entry& entry)
{
    const file_row& f = entry.file;
    bool armed = asks_for_edges(entry) && !(entry.registration.flags & REGISTRATION_FIRED);
    return armed && (entry.registration.flags & REGISTRATION_KNOWN) && f.edge_at && !f.attempt_at && !entry.ready &&
           entry.state.backlog && f.stuck_at;
}

bool hung_from_start(const Entry& entry)
{
    return asks_for_edges(entry) && !entry.ready && entry.state.backlog && entry.file.stuck_at &&
           untouched_from_start(entry);
}

class EtAcceptNotDrained : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        const size_t first = out.size();
        patience_.look(books);
        stalls_.take_back(kInfo, books, out);
        for (const Entry* one : books.neighbours().with(kTraitListens)) {
            const Entry& entry = *one;
            if (!entry.key.epoll || entry.file.kind != FILE_LISTENER)
                continue;
            judge_passes(books, entry, settings, out);
            if (never_tried(entry))
                judge_untried(books, entry, settings, out);
            else
                judge_stall(books, entry, settings, out);
        }
        for (const Entry& entry : books.buried) {
            if (entry.file.kind == FILE_LISTENER)
                judge_passes(books, entry, settings, out);
        }
        from_start_.settle(kInfo, books, first, out);
    }

private:
    void judge_passes(const Snapshot& books, const Entry& entry, const Settings& settings, std::vector<Finding>& out)
    {
        const file_row& f = entry.file;
        if (!(entry.registration.mask & EV_ET) || f.left_passes < settings[kLeftPasses])
            return;
        Doubts doubts;
        if (f.eventless_io)
            doubts.push_back("the program accepts without being told");
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = doubts.empty() ? Level::kConfirmed : Level::kRisk;
        finding.summary = "each edge of the listener is answered by too few accepts: connections wait for the next one";
        finding.count = f.left_passes;
        finding.shape = "backlog left after each pass";
        finding.fix = kFix;
        finding.cost.emplace_back("connections_waiting", entry.buried ? f.backlog : entry.state.backlog);
        if (f.backlog_at && f.backlog_at < books.time)
            finding.cost.emplace_back("stuck_s", seconds_of(books.time - f.backlog_at));
        finish(finding, books, entry, doubts);
        out.push_back(std::move(finding));
    }

    void judge_untried(const Snapshot& books, const Entry& entry, const Settings& settings, std::vector<Finding>& out)
    {
        const file_row& f = entry.file;
        uint64_t first = std::max(f.stuck_at, entry.registration.added_at);
        uint64_t since = patience_.since(f.tgid, first);
        bool timer_gone = patience_.no_timer_pending(books, entry, first);
        const thread_row* told = books.thread(entry.registration.delivered_tid);
        if (since + settings.ns(kUntriedS) > books.time || !told || !sole_registration(books, entry) ||
            books.stopped(f.tgid) || !books.loop_idle(entry.key.epoll, settings.ns(kIdleWindowS)))
            return;
        Doubts doubts;
        doubt_others_ignored(books, entry, doubts);
        doubt_eventless_io(books, entry, doubts);
        doubt_handoff(*told, f.edge_at, UINT64_MAX, doubts);
        doubt_timer(timer_gone, doubts);
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = doubts.empty() ? Level::kLikely : Level::kRisk;
        finding.summary =
            "the loop was told of connections at its edge-triggered listener, and has never called accept()";
        finding.count = entry.state.backlog;
        finding.shape = "told, and never accepted";
        finding.fix = kFix;
        finding.cost.emplace_back("connections_waiting", entry.state.backlog);
        finding.cost.emplace_back("stuck_s", seconds_of(books.time - since));
        finish(finding, books, entry, doubts);
        if (finding.level == Level::kLikely)
            stalls_.remember(entry);
        out.push_back(std::move(finding));
    }

    void judge_stall(const Snapshot& books, const Entry& entry, const Settings& settings, std::vector<Finding>& out)
    {
        const file_row& f = entry.file;
        bool early = hung_from_start(entry);
        if (!(early || left_behind(entry)) || !sole_registration(books, entry) || books.stopped(f.tgid) ||
            entry.registration.added_at + settings.ns(kGraceS) > books.time)
            return;
        uint64_t left = early ? entry.registration.added_at : f.left_at;
        uint64_t since = patience_.since(f.tgid, std::max(f.stuck_at, left));
        bool timer_gone = patience_.no_timer_pending(books, entry, left);
        // The flag falls at the next delivery: until then the newest pass ended for want of descriptors.
        bool starved = (f.between & BETWEEN_ACCEPT_ERROR) && !(f.flags & FILE_SAW_EAGAIN);
        if (since + settings.ns(early     ? kFromStartS
                                : starved ? kStarvedS
                                          : kStallS) >
                books.time ||
            !books.loop_idle(entry.key.epoll, settings.ns(kIdleWindowS)))
            return;
        Doubts doubts;
        doubt_ignored_edges(books, entry, doubts);
        doubt_eventless_io(books, entry, doubts);
        doubt_timer(timer_gone, doubts);
        bool hangs = early && doubts.empty();
        if (early)
            doubts.emplace_back(kPastUnknown);
        Finding finding = begin_finding(kInfo, books, entry);
        Level sure = starved ? Level::kConfirmed : Level::kLikely;
        finding.level = doubts.empty() ? sure : Level::kRisk;
        finding.summary =
            starved ? "accept failed for want of descriptors and the edge-triggered listener is not tried again"
                    : "connections wait in the backlog of an edge-triggered listener while the loop sleeps";
        finding.count = entry.state.backlog;
        finding.shape = starved ? "accept = EMFILE ended the pass" : "backlog left while the loop sleeps";
        finding.fix = starved ? kStarvedFix : kFix;
        finding.cost.emplace_back("connections_waiting", entry.state.backlog);
        finding.cost.emplace_back("stuck_s", seconds_of(books.time - since));
        finish(finding, books, entry, doubts);
        if (finding.level == Level::kLikely)
            stalls_.remember(entry);
        if (hangs)
            from_start_.mark(finding, entry);
        out.push_back(std::move(finding));
    }

    static void finish(Finding& finding, const Snapshot& books, const Entry& entry, const Doubts& doubts)
    {
        const file_row& f = entry.file;
        if (f.backlog_at && f.backlog_at < books.time)
            add_fact(finding, "oldest waits", "at least " + duration_text(books.time - f.backlog_at));
        add_fact(
            finding, "accepts",
            fmt::format("{} accepted, {} ended in EAGAIN, {} failed", f.accepts, f.accept_eagain, f.accept_errors));
        if (!doubts.empty())
            add_fact(finding, "possible explanation", doubts_text(doubts));
    }

    Patience patience_;
    Stalls stalls_;
    FromStart from_start_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<EtAcceptNotDrained>(); }

}  // namespace epaudit::et_accept_not_drained
