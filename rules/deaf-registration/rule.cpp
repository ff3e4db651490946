// SPDX-License-Identifier: Apache-2.0
// Registered only for what cannot come. Deaf: the program answered, was asked again, and its mask has no EPOLLIN.
// Connect: EPOLLOUT would have told that the connection stands, and was taken out before it did. Unregistered: accepted, and
// no epoll has it (rules/unregistered.h).
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "rules/catalogue.h"
#include "rules/comes_back.h"
#include "rules/evidence.h"
#include "rules/stuck.h"
#include "rules/unregistered.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit::deaf_registration {
namespace {

constexpr uint32_t kInput = EV_IN | EV_RDNORM;
constexpr uint16_t kConnectUntold = FILE_CONNECTING | FILE_CONNECT_ASKED;

constexpr Threshold kDeafS{
    "deaf_s",
    {10, 1, Unit::kSeconds},
    "seconds input must wait, with nobody touching the fd",
    {"input left on purpose for a while is accused", "it is told later, and shorter stalls not at all"},
    kPatience};
constexpr Threshold kFromStartS{"from_start_s",
                                {30, 1, Unit::kSeconds},
                                "the same, for input of an fd that was registered when the observation began",
                                {"input left on purpose before is remarked on", "hangs from before are told later"}};
constexpr Threshold kConnectS{"connect_s",
                              {10, 1, Unit::kSeconds},
                              "seconds a connection must stand untold, with nobody touching the fd",
                              {"connections about to be looked at are accused", "it is told later"},
                              kPatience};
constexpr Threshold kFastShare{
    "fast_share",
    {0.9, 0.9, Unit::kShare},
    "share of masks that get EPOLLIN back within 1 s from which a program counts as one that "
    "does so at once",
    {"programs that take their time are accused", "a few slow ones keep it a risk"}};

const RuleInfo kInfo{
    "EP106",
    "deaf-registration",
    "registered only for what cannot come, while input waits",
    Level::kConfirmed,
    {kDeafS, kFromStartS, kConnectS, kUnregisteredS, kSockets, kFastShare, kHandoffTurnS, kIdleWindowS},
    {Seam::kState},
    "programs that pause all their clients on purpose after answering them look the same at likely",
    {StackRole::kArmed, StackRole::kWait}};

constexpr const char* kFix =
    "when the output is sent, epoll_ctl(EPOLL_CTL_MOD) the fd to a mask with EPOLLIN again; to change one direction, "
    "change its bit in the mask you keep, instead of writing the mask anew";
constexpr const char* kListenerFix = "register a listener for EPOLLIN: that is what tells of connections to accept";
constexpr const char* kConnectFix =
    "keep EPOLLOUT in the mask until it is reported and getsockopt(SO_ERROR) says 0; to add EPOLLIN meanwhile, set "
    "both "
    "bits";

// EPOLLRDHUP alone is how a parked connection is kept on purpose. Output under way excuses: EPOLLOUT will come.
bool deaf(std::span<const Entry> file)
{
    const Entry& entry = file.front();
    return is_stream_socket(entry) && entry.state.unread && entry.file.stuck_at && !entry.file.out_cut_at &&
           !static_cast<uint16_t>(entry.state.aux) && (entry.state.flags & STATE_WRITABLE) && !entry.ready &&
           none_tells(file, kInput | EV_RDHUP);
}

// Nobody pauses a listener by asking it for room to write: that never comes.
bool deaf_listener(std::span<const Entry> file)
{
    const Entry& entry = file.front();
    auto for_room = [](const Entry& one) { return one.key.epoll && (present_mask(one) & EV_OUT); };
    return entry.file.kind == FILE_LISTENER && entry.state.backlog && entry.file.stuck_at && !entry.ready &&
           none_tells(file, kInput) && std::any_of(file.begin(), file.end(), for_room);
}

bool connect_untold(std::span<const Entry> file)
{
    const Entry& entry = file.front();
    return entry.file.kind == FILE_TCP && (entry.file.flags & kConnectUntold) == kConnectUntold &&
           entry.state.sk_state == SK_ESTABLISHED && !input_waits(entry) && none_tells(file, EV_OUT);
}

// Did what waits come after the program had answered what it read? Then its client has all it asked for, and asks
// again. The callback tells, or the delivery of EPOLLOUT before the answer, which saw nothing unread.
bool asked_again(const Entry& entry)
{
    const file_row& f = entry.file;
    const registration_row& r = entry.registration;
    bool came_later = r.ready_at && r.ready_at >= f.wrote_at;
    bool nothing_before = r.delivered_at >= f.consumed_at && (r.delivered_events & EV_OUT) && !r.delivered_unread;
    return f.wrote_at && f.wrote_at >= f.consumed_at && !f.left_at && (came_later || nothing_before);
}

bool told_and_queued(const Entry& entry)
{
    const registration_row& r = entry.registration;
    return (r.delivered_events & kInput) && r.delivered_at > entry.file.attempt_at;
}

class DeafRegistration : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        const size_t first = out.size();
        patience_.look(books);
        repeats_.begin();
        stalls_.take_back(kInfo, books, out);
        std::vector<Case> found;
        std::map<uint32_t, unsigned> sure;  // by process
        for (std::span<const Entry> file : books.neighbours().files()) {
            uint32_t tgid = file.front().file.tgid;
            if (books.stopped(tgid))
                continue;
            std::optional<Case> one = deaf(file)             ? judge_deaf(books, file.front(), settings)
                                      : deaf_listener(file)  ? judge_listener(books, file.front(), settings)
                                      : connect_untold(file) ? judge_connect(books, file.front(), settings)
                                                             : std::nullopt;
            if (!one)
                continue;
            sure[tgid] += one->doubts.empty();
            found.push_back(std::move(*one));
        }
        std::erase_if(stands_, [&](const auto& s) { return s.second.seen_at != books.time; });
        for (const Case& one : found)
            report(books, one, sure[one.entry->file.tgid] >= settings[kSockets], out);
        unregistered_.audit(kInfo, books, settings, from_start_, out);
        from_start_.settle(kInfo, books, first, out);
        comes_back_.settle(kInfo, books, stalls_, out);
    }

private:
    enum class Way { kDeaf, kListener, kConnect };

    struct Case {
        const Entry* entry;
        Way way;
        uint64_t since;
        Doubts doubts;
        bool hangs = false;  // since before the observation, and nothing else speaks against it
    };

    std::optional<Case> judge_deaf(const Snapshot& books, const Entry& entry, const Settings& settings)
    {
        const file_row& f = entry.file;
        bool early = untouched_from_start(entry);
        uint64_t touched = early ? entry.registration.added_at : std::max({f.attempt_at, f.wrote_at, f.armed_at});
        uint64_t since = patience_.since(f.tgid, std::max(f.stuck_at, touched));
        bool timer_gone = patience_.no_timer_pending(books, entry, touched);
        if (since + settings.ns(early ? kFromStartS : kDeafS) > books.time)
            return std::nullopt;
        Doubts doubts;
        if (!resumes_at_once(books, entry, settings))
            doubts.push_back("the program takes its time to ask for input again with others too");
        doubt_eventless_io(books, entry, doubts);
        doubt_blocked_output(books, entry, doubts);
        doubt_peeked(entry, doubts);
        doubt_timer(timer_gone, doubts);
        bool hangs = early && doubts.empty() && books.loop_idle(entry.key.epoll, settings.ns(kIdleWindowS));
        if (early)
            doubts.emplace_back(kPastUnknown);
        else
            doubt_past(books, entry, touched, settings, doubts);
        comes_back_.weigh(books, entry, doubts);
        if (doubts.empty())
            stalls_.remember(entry);
        return Case{&entry, Way::kDeaf, since, std::move(doubts), hangs};
    }

    std::optional<Case> judge_listener(const Snapshot& books, const Entry& entry, const Settings& settings)
    {
        const file_row& f = entry.file;
        uint64_t since = patience_.since(f.tgid, std::max({f.stuck_at, f.armed_at, f.attempt_at}));
        if (since + settings.ns(kDeafS) > books.time)
            return std::nullopt;
        Doubts doubts;
        if (untouched_from_start(entry))
            doubts.emplace_back(kPastUnknown);
        doubt_eventless_io(books, entry, doubts);
        return Case{&entry, Way::kListener, since, std::move(doubts)};
    }

    // What was seen of it: who had it last, and did they answer?
    static void doubt_past(const Snapshot& books, const Entry& entry, uint64_t touched, const Settings& settings,
                           Doubts& doubts)
    {
        if (told_and_queued(entry))
            doubts.push_back("it was told of input and has not looked since: the fd may be waiting for a thread");
        else if (!asked_again(entry))
            doubts.push_back("it has not answered since it last read: it may be at work for this client");
        doubt_thread(books, entry, touched, settings, doubts);
    }

    std::optional<Case> judge_connect(const Snapshot& books, const Entry& entry, const Settings& settings)
    {
        const file_row& f = entry.file;
        Stand& stand = stands_[{entry.file_id, f.ino}];
        stand.at = stand.at ? stand.at : books.time;
        stand.seen_at = books.time;
        uint64_t touched = std::max({f.attempt_at, f.wrote_at, f.armed_at});
        uint64_t since = patience_.since(f.tgid, std::max(stand.at, touched));
        bool timer_gone = patience_.no_timer_pending(books, entry, touched);
        if (since + settings.ns(kConnectS) > books.time)
            return std::nullopt;
        Doubts doubts;
        doubt_thread(books, entry, touched, settings, doubts);
        doubt_timer(timer_gone, doubts);
        return Case{&entry, Way::kConnect, since, std::move(doubts)};
    }

    // One that takes its time with all may be taking it now. One that never did it has no time to take.
    static bool resumes_at_once(const Snapshot& books, const Entry& entry, const Settings& settings)
    {
        const epoll_row* epoll = books.epoll(entry.key.epoll);
        return epoll && epoll->resumes_fast >= settings[kFastShare] * epoll->resumes;
    }

    // The thread that last had it must be one of the loop's, have gone back to waiting, and have woken nobody.
    static void doubt_thread(const Snapshot& books, const Entry& entry, uint64_t touched, const Settings& settings,
                             Doubts& doubts)
    {
        uint32_t tid = last_toucher(entry);
        const thread_row* thread = books.thread(tid);
        if (!thread || !serves_loop(books, tid, entry.key.epoll))
            doubts.push_back("the thread that touched it last does not wait on this epoll: it may come back");
        else if (thread->wait_at < touched)
            doubts.push_back("the thread that last had it has not waited again: it may still be at work");
        else
            doubt_handoff(*thread, touched, settings.ns(kHandoffTurnS), doubts);
    }

    static void describe(Finding& finding, const Case& one)
    {
        switch (one.way) {
        case Way::kDeaf:
            finding.summary = "input waits, and no event that the fd is registered for would report it";
            finding.shape = "answered, asked again, mask without EPOLLIN";
            finding.cost.emplace_back("unread_bytes", one.entry->state.unread);
            finding.fix = kFix;
            return;
        case Way::kListener:
            finding.summary = "connections wait, and the listener is registered for room to write, which it never has";
            finding.shape = "a listener with EPOLLOUT and without EPOLLIN";
            finding.cost.emplace_back("connections_waiting", one.entry->state.backlog);
            finding.fix = kListenerFix;
            return;
        case Way::kConnect:
            finding.summary = "the connection stands, and the mask was changed to one that does not tell";
            finding.shape = "connect() = EINPROGRESS, EPOLLOUT taken out before it was reported";
            finding.fix = kConnectFix;
            return;
        }
    }

    void report(const Snapshot& books, const Case& one, bool many, std::vector<Finding>& out)
    {
        const Entry& entry = *one.entry;
        const Level level = !one.doubts.empty() ? Level::kRisk : many ? Level::kConfirmed : Level::kLikely;
        if (one.hangs)
            from_start_.still(entry);
        const uint64_t more = static_cast<uint64_t>(one.way) << 33 | static_cast<uint64_t>(one.hangs) << 32 |
                              entry.state.backlog;
        if (repeats_.same(books, entry, level, one.doubts, more))
            return;
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = level;
        describe(finding, one);
        finding.count = 1;
        finding.cost.emplace_back("stuck_s", seconds_of(books.time - one.since));
        add_fact(finding, "mask now", kernel_mask_text(entry.live_mask));
        add_fact(finding, "untouched for", duration_text(books.time - one.since));
        if (!one.doubts.empty())
            add_fact(finding, "possible explanation", doubts_text(one.doubts));
        if (one.hangs)
            from_start_.mark(finding, entry);
        out.push_back(std::move(finding));
    }

    struct Stand {
        uint64_t at = 0;  // first seen established
        uint64_t seen_at = 0;
    };

    Patience patience_;
    Stalls stalls_;
    ComesBack comes_back_{[](const epoll_row& epoll) { return epoll.resumes - epoll.resumes_fast; }};
    FromStart from_start_;
    Repeats repeats_;
    Unregistered unregistered_;
    std::map<std::pair<uint64_t, uint64_t>, Stand> stands_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<DeafRegistration>(); }

}  // namespace epaudit::deaf_registration
