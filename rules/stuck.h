// SPDX-License-Identifier: Apache-2.0
// For the rules about input that waits: who may still come back for it? Each doubt below is a reason why a program may do so
// without being told (it remembers readiness by itself), and any one keeps a finding at risk.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "rules/in_order.h"
#include "src/audit/rule.h"

namespace epaudit {

// Of several rules about what waits.
inline constexpr Threshold kIdleWindowS{"idle_window_s",
                                        {60, 60, Unit::kSeconds},
                                        "seconds within which a thread counts as one of the loop's",
                                        {"threads that are long at work elsewhere are forgotten, and their fds accused",
                                         "threads that left the loop long ago keep the rule silent"}};
inline constexpr Threshold kHandoffTurnS{
    "turn_s",
    {3600, 0.1, Unit::kSeconds},
    "seconds after the last touch within which a wake-up of another thread may hand the fd on",
    {"fds handed to another thread are accused", "old wake-ups keep real stalls a risk"}};
inline constexpr Threshold kGraceS{
    "grace_s",
    {2, 1, Unit::kSeconds},
    "seconds after a registration without a verdict about waiting",
    {"a program that still sets up is accused", "stalls right after the registration are told later"}};

using Doubts = std::vector<std::string>;

// An edge with unread input was left unanswered on purpose, on this file or another of the set.
void doubt_ignored_edges(const Snapshot& books, const Entry& entry, Doubts& doubts);
// The same, of other files than this one.
void doubt_others_ignored(const Snapshot& books, const Entry& entry, Doubts& doubts);
// Input was looked for without being told.
void doubt_eventless_io(const Snapshot& books, const Entry& entry, Doubts& doubts);
// Output of this process is blocked: it may be holding input back until that drains.
void doubt_blocked_output(const Snapshot& books, const Entry& entry, Doubts& doubts);
// Since `touched` the thread set somebody else to work and has not heard back. A write later than
// `turn` ns after that is taken for another turn's.
void doubt_dependency(const Snapshot& books, const Entry& entry, uint64_t touched, uint64_t turn, Doubts& doubts);
// The half of it about threads.
void doubt_handoff(const thread_row& thread, uint64_t touched, uint64_t turn, Doubts& doubts);
// `timer_gone`: what Patience::no_timer_pending() says.
void doubt_timer(bool timer_gone, Doubts& doubts);
// The program looked at what it left.
void doubt_peeked(const Entry& entry, Doubts& doubts);

std::string doubts_text(const Doubts& doubts);

// Who tried to read it last, or was told of it.
uint32_t last_reader(const Entry& entry);
// Who touched the file last: read, wrote, or armed it. 0: not known.
uint32_t last_toucher(const Entry& entry);
// That thread waits on this epoll, now or when it is done: it is one of the loop's.
bool serves_loop(const Snapshot& books, uint32_t tid, uint64_t epoll);

// What it was told, and when its mask was set, was seen: it was added while we looked, or has been reported since.
bool past_known(const Entry& entry);
// It was there when the observation began, and since then nobody has been told of it, touched it or changed its mask.
bool untouched_from_start(const Entry& entry);
inline constexpr const char* kPastUnknown = "what the program did about it before the observation began is not known";

// Edge-triggered, and told of input.
bool asks_for_edges(const Entry& entry);

// Its only registration anywhere?
bool sole_registration(const Snapshot& books, const Entry& entry);

// Nobody will be told of the file again: this is its only registration, or all of them are edge-triggered, and the
// others have told of their edge as well, and whoever polls there has polled again. Go keeps each of its files in an epoll
// of its own, whatever the program does with it.
bool none_tells_again(const Snapshot& books, const Entry& entry);

// Stalls that were called likely, kept in case the program proves later that it knew all the time.
class Stalls {
public:
    static constexpr size_t kMost = 20000;  // the older half of more is forgotten

    void remember(const Entry& entry);
    // What was judged while the thread that had it last was there does not change because that thread ends.
    bool settled(const Snapshot& books, const Entry& entry, uint32_t tid) const
    {
        return !books.thread(tid) && subjects_.count({entry.key.epoll, entry.file_id});
    }
    // Withdraws those of epolls on which something was since read without being told; with `writes`, written.
    void take_back(const RuleInfo& rule, const Snapshot& books, std::vector<Finding>& out, bool writes = false);
    // Withdraws those of this epoll, confirmed ones too.
    void take_back(const RuleInfo& rule, uint64_t epoll, std::vector<Finding>& out);
    size_t size() const { return subjects_.size(); }

private:
    std::map<std::pair<uint64_t, uint64_t>, uint64_t> subjects_;  // in the order in which they came
    uint64_t next_ = 0;
};

// What waits untouched since the observation began may be a hang, or a wait that is right: a risk, and while it lasts
// the verdict is inconclusive.
class FromStart {
public:
    // `has`: what it has, where that is not its input.
    void mark(Finding& finding, const Entry& entry, const char* has = nullptr);
    // The same for what is not worth another finding.
    void still(const Entry& entry) { marked_.insert({entry.key.epoll, entry.file_id, entry.file.tgid}); }
    // At the end of an audit. Takes back what was marked before and is not any more; `first`: where in `out` the
    // findings of this audit begin.
    void settle(const RuleInfo& rule, const Snapshot& books, size_t first, std::vector<Finding>& out);

private:
    using Subject = std::tuple<uint64_t, uint64_t, uint32_t>;  // epoll, file, process
    std::set<Subject> marked_, before_;
};

// Thousands of connections may hang, and are looked at several times a second: what is said of one is written anew when it
// has changed, and at the last look, which has the numbers that are reported.
class Repeats {
public:
    // Once per audit, first.
    void begin();
    // The same was said of it at the audit before, and another one follows.
    // `more`: what else of it is in the finding.
    bool same(const Snapshot& books, const Entry& entry, Level level, const Doubts& doubts, uint64_t more = 0);

private:
    using Subject = std::tuple<uint64_t, uint64_t, uint64_t, uint32_t>;  // epoll, file, inode, process
    struct Hash {
        size_t operator()(const Subject& subject) const;
    };
    struct Said {
        size_t what = 0;
        size_t before = 0;      // what was said at the audit before, if anything was
        bool was_said = false;  // something was
        uint64_t audit = 0;     // the newest at which it was said
    };
    // Those of the audit before, of this one, and, until they are more than these, of older ones.
    InOrder<Subject, Said, Hash> said_;
    uint64_t audit_ = 1;
    size_t now_ = 0;  // so many were said at this audit
};

// Memory between audits, for verdicts about waiting.
class Patience {
public:
    // Once per audit, first.
    void look(const Snapshot& books);
    // `at`, or the last moment its process was known to be stopped (SIGSTOP, debugger, frozen cgroup), whichever is
    // later.
    uint64_t since(uint32_t tgid, uint64_t at) const;
    // Nobody will come back by the clock: all threads of the loop wait without timeout, or it has gone to sleep
    // again since this wait for `entry` (begun at `mark`) was first asked about and still did not touch it.
    bool no_timer_pending(const Snapshot& books, const Entry& entry, uint64_t mark);

private:
    struct Sight {
        uint64_t mark = 0;
        uint64_t waits = 0;
        uint64_t seen_at = 0;
    };
    std::map<uint32_t, uint64_t> stopped_at_;
    using Place = std::tuple<uint64_t, uint64_t, int32_t>;  // epoll, file, number
    struct Hash {
        size_t operator()(const Place& place) const;
    };
    InOrder<Place, Sight, Hash> sights_;  // there may be tens of thousands
    uint64_t forgot_at_ = 0;              // when those that nobody asks about any more were looked for
};

}  // namespace epaudit
