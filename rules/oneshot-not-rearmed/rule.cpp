// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "rules/catalogue.h"
#include "rules/comes_back.h"
#include "rules/evidence.h"
#include "rules/shared_data.h"
#include "rules/stuck.h"
#include "rules/wake_calls.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit::oneshot_not_rearmed {
namespace {

constexpr Threshold kStallS{
    "stall_s",
    {10, 1, Unit::kSeconds},
    "seconds input must wait, untouched, on a fired registration",
    {"handlers that take their time are accused", "it is told later, and shorter stalls not at all"},
    kPatience};
constexpr Threshold kFromStartS{"from_start_s",
                                {30, 1, Unit::kSeconds},
                                "the same, for one that had fired when the observation began",
                                {"a handler at work since before is accused", "hangs from before are told later"}};
constexpr Threshold kFailedS{"failed_s",
                             {1, 1, Unit::kSeconds},
                             "the same, when a re-arm was tried and failed",
                             {"a program about to try again is accused", "it is told later"}};
constexpr Threshold kFastShare{"fast_share",
                               {0.9, 0.9, Unit::kShare},
                               "share of re-arms within 1 s from which the program counts as one that re-arms at once",
                               {"programs that take their time are accused", "a few slow re-arms keep it a risk"}};
constexpr Threshold kHabit{"habit",
                           {10, 3, Unit::kCount},
                           "re-arms needed to know that habit",
                           {"few re-arms pass for a habit", "it stays a risk for longer"}};
constexpr Threshold kNeverRearmed{"never_rearmed",
                                  {3, 2, Unit::kCount},
                                  "firings without a single re-arm that show a program which never does",
                                  {"a program that re-arms late is accused", "it stays a risk for longer"}};
constexpr Threshold kAbandoned{"abandoned",
                               {3, 3, Unit::kCount},
                               "fired fds closed with their input untouched",
                               {"connections given up on purpose are accused", "it is told later"}};
constexpr Threshold kTurnS{"turn_s",
                           {3600, 0.1, Unit::kSeconds},
                           "seconds after the last touch within which a write elsewhere may be what it waits for",
                           {"fds that wait for an answer are accused", "old writes elsewhere keep real stalls a risk"}};

const RuleInfo kInfo{
    "EP104",
    "oneshot-not-rearmed",
    "ONESHOT fired and nobody re-armed it while data waits",
    Level::kConfirmed,
    {kStallS, kFromStartS, kFailedS, kFastShare, kHabit, kNeverRearmed, kAbandoned, kTurnS, kIdleWindowS},
    {Seam::kState},
    "fds handed to threads that never wait on an epoll; passive sockets on purpose look the same at likely",
    {StackRole::kArmed, StackRole::kWait}};

constexpr const char* kFix =
    "epoll_ctl(EPOLL_CTL_MOD) the fd with EPOLLONESHOT again on every path out of the handler, early returns and "
    "errors "
    "included, or close() it";

// Something that a delivery would still tell the program: what it was told already does not count.
bool news_waits(const Entry& entry)
{
    bool end = (entry.state.flags & STATE_EOF_UNREAD) && !entry.file.eof_at;
    return entry.state.unread || entry.state.backlog || end || static_cast<uint16_t>(entry.state.aux);
}

// That others write to it touches nothing of what the loop has to do about it.
uint64_t last_written(const Entry& entry) { return wakes_the_loop(entry) ? 0 : entry.file.wrote_at; }

uint64_t last_touch(const Entry& entry)
{
    const file_row& f = entry.file;
    return std::max({entry.registration.fired_at, f.attempt_at, last_written(entry), f.armed_at});
}

// A MOD that failed since the registration fired. The recorder's times are exact to 1/2048.
bool rearm_failed(const Entry& entry)
{
    const file_row& f = entry.file;
    if (!f.rearm_errno)
        return false;
    uint64_t at = f.last_at;
    uint32_t held = std::min<uint32_t>(f.flight_next, FLIGHT_SLOTS);
    for (uint32_t back = 1; back <= held && at + NSEC_PER_MSEC >= entry.registration.fired_at; back++) {
        uint64_t posting = f.flight[(f.flight_next - back) & (FLIGHT_SLOTS - 1)];
        if (flight_kind(posting) == POSTING_MOD && flight_value(posting) < 0)
            return true;
        at -= std::min<uint64_t>(at, flight_since_us(posting) * NSEC_PER_USEC);
    }
    return false;
}

// Does this program re-arm at once, or never? One that takes its time may be taking it now.
bool habit_known(const epoll_row& epoll, const Settings& settings)
{
    if (!epoll.rearms)
        return epoll.fired >= settings[kNeverRearmed];
    return epoll.rearms >= settings[kHabit] && epoll.rearms_fast >= settings[kFastShare] * epoll.rearms;
}

class OneshotNotRearmed : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        const size_t first = out.size();
        patience_.look(books);
        repeats_.begin();
        for (const Entry* one : books.neighbours().with(kTraitDisarmed)) {
            const Entry& entry = *one;
            if (entry.key.epoll && (entry.registration.flags & REGISTRATION_FIRED))
                judge(books, entry, settings, out);
            else if (fired_unplaced(books, entry))
                judge_unplaced(books, entry, settings, out);
        }
        from_start_.settle(kInfo, books, first, out);
        comes_back_.settle(kInfo, books, stalls_, out);
        calls_.forget_others(books.time);
        for (const auto& [id, epoll] : books.epolls)
            judge_abandoned(books, id, epoll, settings, out);
    }

private:
    void judge(const Snapshot& books, const Entry& entry, const Settings& settings, std::vector<Finding>& out)
    {
        const file_row& f = entry.file;
        bool disarmed = !(entry.live_mask & ~EV_PRIVATE);
        if (!disarmed || !f.stuck_at || !news_waits(entry) || !sole_registration(books, entry) || books.stopped(f.tgid))
            return;
        uint64_t since = patience_.since(f.tgid, std::max(f.stuck_at, last_touch(entry)));
        bool failed = rearm_failed(entry);
        bool called = calls_.go_on(entry, books.time);
        bool early = untouched_from_start(entry);
        if (since + settings.ns(failed  ? kFailedS
                                : early ? kFromStartS
                                        : kStallS) >
                books.time ||
            stalls_.settled(books, entry, last_handler(entry)))
            return;
        Doubts doubts;
        if (early)
            doubt_blocked_output(books, entry, doubts);
        else if (!failed)
            collect_doubts(books, entry, called, forsaken(books, entry, settings), settings, doubts);
        if (!early && !failed && !called)
            comes_back_.weigh(books, entry, doubts);
        bool hangs = early && doubts.empty() && books.loop_idle(entry.key.epoll, settings.ns(kIdleWindowS));
        if (early)
            doubts.emplace_back(kPastUnknown);
        const Level level = failed ? Level::kConfirmed : doubts.empty() ? Level::kLikely : Level::kRisk;
        if (repeats_.same(books, entry, level, doubts, hangs)) {
            if (hangs)
                from_start_.still(entry);
            return;
        }
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = level;
        finding.summary = failed ? "re-arming the fired registration failed: its input will never be reported"
                                 : "the registration fired and was not re-armed: input waits and nobody will be told";
        finding.count = 1;
        finding.fix = failed
                          ? "check the result of epoll_ctl(EPOLL_CTL_MOD): re-arm the fd that was registered, in the "
                            "epoll it is registered in"
                          : kFix;
        finding.cost.emplace_back("unread_bytes", entry.state.unread);
        finding.cost.emplace_back("stuck_s", seconds_of(books.time - since));
        describe(finding, books, entry, doubts, since);
        if (hangs)
            from_start_.mark(finding, entry);
        if (finding.level == Level::kLikely)
            stalls_.remember(entry);
        out.push_back(std::move(finding));
    }

    void judge_unplaced(const Snapshot& books, const Entry& entry, const Settings& settings, std::vector<Finding>& out)
    {
        const file_row& f = entry.file;
        const uint64_t touched = std::max({f.attempt_at, f.wrote_at, f.armed_at});
        const uint64_t since = patience_.since(f.tgid, std::max(f.stuck_at, touched));
        bool timer_gone = patience_.no_timer_pending(books, entry, touched);
        if (books.stopped(f.tgid) || !news_waits(entry) || since + settings.ns(kStallS) > books.time ||
            !books.loop_idle(entry.key.epoll, settings.ns(kIdleWindowS)))
            return;
        Doubts doubts;
        doubt_unplaced(books, entry, touched, settings.ns(kTurnS), timer_gone, doubts);
        const Level level = doubts.empty() ? Level::kLikely : Level::kRisk;
        if (repeats_.same(books, entry, level, doubts))
            return;
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = level;
        finding.summary = "the registration fired under data that others have too: input waits and nobody will be told";
        finding.shape = "data shared by several registrations";
        finding.count = 1;
        finding.fix = "give each registration data of its own (epoll_event.data), also when EPOLL_CTL_MOD re-arms it";
        finding.cost.emplace_back("unread_bytes", entry.state.unread);
        finding.cost.emplace_back("stuck_s", seconds_of(books.time - since));
        describe(finding, books, entry, doubts, since);
        out.push_back(std::move(finding));
    }

    // A listener that pauses because it has clients enough: is that still a reason? Not when all have left the epoll that they
    // were in, and not when more threads sleep on it than there are clients: who has a limit has it for what all its threads
    // can bear. Whatever the program's habits, no event will come that could end it.
    bool forsaken(const Snapshot& books, const Entry& entry, const Settings& settings)
    {
        const epoll_row* epoll = books.epoll(entry.key.epoll);
        bool timer_gone = patience_.no_timer_pending(books, entry, last_touch(entry));
        if (!epoll || entry.file.kind != FILE_LISTENER || !(epoll->flags & EPOLL_STREAM) || !timer_gone ||
            !books.loop_idle(entry.key.epoll, settings.ns(kIdleWindowS)))
            return false;
        const size_t threads = books.waiters(entry.key.epoll);
        return epoll->registrations == 1 || (threads > 1 && epoll->registrations <= threads);
    }

    static uint32_t last_handler(const Entry& entry)
    {
        const file_row& f = entry.file;
        uint64_t wrote = last_written(entry);
        return std::max(f.attempt_at, wrote) <= entry.registration.fired_at ? entry.registration.delivered_tid
               : f.attempt_at >= wrote                                      ? f.last_read_tid
                                                                            : f.last_write_tid;
    }

    // There is no need for the whole loop to sleep (pools wake for timers and other fds): what counts is that
    // the thread which had the fd has gone back to waiting without it.
    static void collect_doubts(const Snapshot& books, const Entry& entry, bool called, bool forsaken,
                               const Settings& settings, Doubts& doubts)
    {
        uint64_t touched = last_touch(entry);
        const thread_row* thread = books.thread(last_handler(entry));
        if (!thread || thread->wait_at < touched)
            doubts.push_back("the thread that last had it has not waited again: it may still be at work");
        if (called) {  // nobody holds a wake-up back for an answer, and it is a habit of its own
            if (thread && thread->handoff_at >= touched && thread->handoff_at - touched <= settings.ns(kTurnS))
                doubts.push_back("its thread woke another thread since, which may be at work on it");
            return;
        }
        const epoll_row* epoll = books.epoll(entry.key.epoll);
        if (!forsaken && (!epoll || !habit_known(*epoll, settings)))
            doubts.push_back(epoll && epoll->rearms && epoll->rearms == epoll->rearms_fast
                                 ? "too few others were re-armed to know whether it does so at once"
                                 : "the program does not re-arm others at once either");
        doubt_blocked_output(books, entry, doubts);
        doubt_dependency(books, entry, touched, settings.ns(kTurnS), doubts);
        doubt_peeked(entry, doubts);
    }

    static void describe(Finding& finding, const Snapshot& books, const Entry& entry, const Doubts& doubts,
                         uint64_t since)
    {
        add_fact(finding, "mask now", kernel_mask_text(entry.live_mask));
        add_fact(finding, "untouched for", duration_text(books.time - since));
        if (entry.file.rearm_errno)
            add_fact(finding, "re-arm", "epoll_ctl(MOD) = " + errno_text(entry.file.rearm_errno));
        if (const epoll_row* epoll = books.epoll(entry.key.epoll))
            add_fact(finding, "re-arms in this epoll",
                     fmt::format("{} of {} firings, {} within 1 s", epoll->rearms, epoll->fired, epoll->rearms_fast));
        if (!doubts.empty())
            add_fact(finding, "possible explanation", doubts_text(doubts));
    }

    static void judge_abandoned(const Snapshot& books, uint64_t id, const epoll_row& epoll, const Settings& settings,
                                std::vector<Finding>& out)
    {
        if (epoll.unarmed_closes < settings[kAbandoned] ||
            (epoll.rearms && epoll.rearms_fast < settings[kFastShare] * epoll.rearms))
            return;
        Finding finding = begin_epoll_finding(kInfo, books, id, epoll.tgid);
        finding.trigger = trigger_text(EV_ONESHOT);
        finding.level = Level::kConfirmed;
        finding.summary = "fds whose registration fired for input were closed later with that input untouched";
        finding.shape = "fired, never touched, closed after more than 1 s";
        finding.count = epoll.unarmed_closes;
        finding.fix = kFix;
        add_fact(finding, "re-arms in this epoll",
                 fmt::format("{} of {} firings, {} within 1 s", epoll.rearms, epoll.fired, epoll.rearms_fast));
        out.push_back(std::move(finding));
    }

    Patience patience_;
    Stalls stalls_;
    FromStart from_start_;
    Repeats repeats_;
    WakeCalls calls_;
    ComesBack comes_back_{[](const epoll_row& epoll) { return epoll.rearms - epoll.rearms_fast; }};
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<OneshotNotRearmed>(); }

}  // namespace epaudit::oneshot_not_rearmed
