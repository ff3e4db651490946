// SPDX-License-Identifier: Apache-2.0
// The peer closed and this program cannot find out: nobody asked to be told, or the end came together with data, and a short
// read was taken for "empty".
#include <fmt/format.h>

#include <algorithm>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/growth.h"
#include "rules/stuck.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit::half_close_missed {
namespace {

constexpr uint32_t kWindows = 3;
constexpr uint32_t kTells = EV_IN | EV_RDNORM | EV_RDHUP;

constexpr Threshold kHalfCloseS{"half_close_s",
                                {300, 2, Unit::kSeconds},
                                "seconds since the peer's close, and since anybody touched the fd, when nobody asked",
                                {"long answers to half-closed clients are accused", "leaks are told later"},
                                kPatience};
constexpr Threshold kShortReadS{"short_read_s",
                                {10, 2, Unit::kSeconds},
                                "the same, when the end of the stream came with the last data under EPOLLET",
                                {"a handler still at work is accused", "it is told later"}};
constexpr Threshold kFromStartS{"from_start_s",
                                {30, 2, Unit::kSeconds},
                                "the same, when the edge came before the observation began",
                                {"a handler at work since before is accused", "hangs from before are told later"}};
constexpr Threshold kHeldS{"held_s",
                           {300, 30, Unit::kSeconds},
                           "the same, when a thread that never waits on the epoll touched the fd last: it may hold it",
                           {"long work in another thread is accused", "leaks there stay a risk for longer"}};
constexpr Threshold kSockets{"sockets",
                             {10, 10, Unit::kCount},
                             "such sockets in one process from which it is confirmed, if they keep growing",
                             {"a few slow clients confirm it", "small leaks stay likely"}};
constexpr Threshold kWindowS{"window_s",
                             {60, 1, Unit::kSeconds},
                             "seconds of one window; the number must grow in 3 in a row",
                             {"a passing rise counts as growth", "leaks are confirmed later"}};

const RuleInfo kInfo{"EP301",
                     "half-close-missed",
                     "the peer closed and this registration can never learn it (no RDHUP, no IN)",
                     Level::kConfirmed,
                     {kHalfCloseS, kShortReadS, kFromStartS, kHeldS, kSockets, kWindowS, kIdleWindowS},
                     {Seam::kState},
                     "connections that a program has taken out of every epoll; reads planned by a timer",
                     {StackRole::kArmed}};

constexpr const char* kEdgeFix =
    "under EPOLLET read until EAGAIN or 0 even after a short read, or ask for EPOLLRDHUP; then close() the fd once "
    "what it asked for is answered";

// Both directions shut is EPOLLHUP, which cannot be masked (EP204).
bool peer_closed(const Entry& entry)
{
    const file_row& f = entry.file;
    if (f.eof_at || f.eofs || entry.state.unread)  // it knows (EP302); EP106
        return false;
    if (f.kind == FILE_TCP)  // one read may have taken the end along before we looked, or returned 0 for it: a risk
        return entry.state.sk_state == SK_CLOSE_WAIT &&
               ((entry.state.flags & STATE_EOF_UNREAD) || untouched_from_start(entry));
    return f.kind == FILE_UNIX && (entry.state.flags & STATE_STREAM) && (entry.state.flags & STATE_RCV_SHUTDOWN) &&
           !(entry.state.flags & STATE_SEND_SHUTDOWN);
}

enum class Way { kNone, kNobodyAsked, kShortRead, kEdgeBefore };

// All registrations of the file must be blind: facil.io keeps one for input and one for output.
bool nobody_asked(std::span<const Entry> file) { return none_tells(file, kTells); }

bool short_read(const Snapshot& books, const Entry& entry, const Settings& settings)
{
    const file_row& f = entry.file;
    const epoll_row* epoll = books.epoll(entry.key.epoll);
    bool edge = asks_for_edges(entry) && !(entry.live_mask & EV_RDHUP);
    bool one_edge = f.edge_at && f.peer_closed_at && f.peer_closed_at <= f.edge_at && f.armed_at < f.edge_at;
    bool taken = f.consumed_at >= f.edge_at && f.last_read > 0 && static_cast<uint32_t>(f.last_read) < f.last_asked &&
                 !entry.state.unread;
    return edge && one_edge && taken && !entry.ready && epoll && !epoll->eventless_io && !f.eventless_io &&
           !f.ignored_edges && books.loop_idle(entry.key.epoll, settings.ns(kIdleWindowS));
}

// The edge that reported the end came before we looked.
bool edge_before(const Snapshot& books, const Entry& entry, const Settings& settings)
{
    const epoll_row* epoll = books.epoll(entry.key.epoll);
    bool edge = (entry.live_mask & EV_ET) && (entry.live_mask & kTells) && !(entry.live_mask & EV_RDHUP);
    return edge && !entry.ready && untouched_from_start(entry) && epoll && !epoll->eventless_io &&
           books.loop_idle(entry.key.epoll, settings.ns(kIdleWindowS));
}

// Told of something, and nobody has looked since: it is in a queue (slapd and its thread pool).
bool told_and_queued(std::span<const Entry> file)
{
    return std::any_of(file.begin(), file.end(), [](const Entry& e) {
        const registration_row& r = e.registration;
        return (r.delivered_events & (kTells | EV_HUP | EV_ERR)) && r.delivered_at > e.file.attempt_at;
    });
}

class HalfCloseMissed : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }
    bool outlives_books() const override { return true; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        const size_t first = out.size();
        patience_.look(books);
        std::map<uint32_t, std::vector<Case>> cases;
        std::map<uint32_t, Members> members;
        for (const auto& [pid, process] : books.processes)
            members[pid];
        for (std::span<const Entry> file : books.neighbours().files_with(kTraitPeerClosed)) {
            const Entry& entry = file.front();
            if (!peer_closed(entry) || books.stopped(entry.file.tgid))
                continue;
            Way way = way_of(books, file, settings);
            uint64_t since = waiting_since(entry);
            if (way == Way::kNone || since + settings.ns(patience_for(way, entry)) > books.time)
                continue;
            Objection against = objection(books, file, books.time - since, settings);
            if (!against.text || against.fades)
                members[entry.file.tgid].insert({entry.file_id, entry.file.ino});
            cases[entry.file.tgid].push_back({&entry, way, books.time - since, against});
        }
        growth_.note(members, books.time, settings.ns(kWindowS));
        for (auto& [pid, group] : cases)
            report(books, pid, group, settings, out);
        told_.settle();
        from_start_.settle(kInfo, books, first, out);
    }

private:
    // What possible explanation. `fades`: a number of such sockets that only grows refutes it.
    struct Objection {
        const char* text = nullptr;
        bool fades = false;
        bool from_start = false;  // nothing else does, and it has hung since the observation began
    };

    struct Case {
        const Entry* entry;
        Way way;
        uint64_t age;
        Objection objection;
    };

    static Way way_of(const Snapshot& books, std::span<const Entry> file, const Settings& settings)
    {
        if (nobody_asked(file))
            return Way::kNobodyAsked;
        if (file.size() != 1)
            return Way::kNone;
        return short_read(books, file.front(), settings)    ? Way::kShortRead
               : edge_before(books, file.front(), settings) ? Way::kEdgeBefore
                                                            : Way::kNone;
    }

    static const Threshold& patience_for(Way way, const Entry& entry)
    {
        if (way == Way::kEdgeBefore && (entry.state.flags & STATE_EOF_UNREAD))
            return kFromStartS;
        return way == Way::kShortRead ? kShortReadS : kHalfCloseS;
    }

    static Objection objection(const Snapshot& books, std::span<const Entry> file, uint64_t age,
                               const Settings& settings)
    {
        const Entry& entry = file.front();
        // The reset that answers the next write will tell.
        if (entry.file.out_cut_at || std::any_of(file.begin(), file.end(), output_pending))
            return {"output is pending: the next write may find out"};
        if (told_and_queued(file))
            return {"it was told of input and has not looked since: the fd may be waiting for a thread of a pool"};
        if (!std::all_of(file.begin(), file.end(), past_known)) {
            bool untouched = std::all_of(file.begin(), file.end(), untouched_from_start);
            return {kPastUnknown, false, untouched && books.loop_idle(entry.key.epoll, settings.ns(kIdleWindowS))};
        }
        if (age < settings.ns(kHeldS) && !serves_loop(books, last_toucher(entry), entry.key.epoll))
            return {"the thread that touched it last never waits on this epoll: it may come back", true};
        return {};
    }

    uint64_t waiting_since(const Entry& entry) const
    {
        const file_row& f = entry.file;
        uint64_t closed = f.peer_closed_at ? f.peer_closed_at : std::max(f.stuck_at, entry.registration.added_at);
        return patience_.since(f.tgid, std::max({closed, f.attempt_at, f.wrote_at, f.armed_at}));
    }

    static Finding describe(const Snapshot& books, const Case& c)
    {
        Finding finding = begin_finding(kInfo, books, *c.entry);
        if (c.way == Way::kEdgeBefore) {
            finding.summary = "the peer closed, the edge that said so has passed, and the end of the stream is unread";
            finding.shape = "end of stream unread under EPOLLET";
            finding.fix = kEdgeFix;
        } else if (c.way == Way::kNobodyAsked) {
            finding.summary = "the peer closed, and no event that the fd is registered for would report it";
            finding.shape = "mask without EPOLLIN and EPOLLRDHUP";
            finding.fix =
                "keep EPOLLRDHUP in the mask while the connection is parked (EPOLL_CTL_MOD); when it is reported, "
                "close() the fd once what it asked for is answered";
        } else {
            finding.summary =
                "the peer's close came together with its last data, and a short read was taken for the end of it";
            finding.shape = "short read under EPOLLET, end of stream unread";
            finding.fix = kEdgeFix;
        }
        finding.cost.emplace_back("stuck_s", seconds_of(c.age));
        add_fact(finding, "untouched for", duration_text(c.age));
        return finding;
    }

    void report(const Snapshot& books, uint32_t pid, const std::vector<Case>& cases, const Settings& settings,
                std::vector<Finding>& out)
    {
        bool leak = static_cast<double>(cases.size()) >= settings[kSockets] && growth_.grew(pid);
        for (const Case& c : cases) {
            bool doubted = c.objection.text && !(leak && c.objection.fades);
            Level level = doubted ? Level::kRisk : leak ? Level::kConfirmed : Level::kLikely;
            if (c.objection.from_start)
                from_start_.still(*c.entry);
            if (!told_.worth_saying({c.entry->file_id, c.entry->file.ino}, level, &c == &cases.front(),
                                    c.objection.from_start))
                continue;
            Finding finding = describe(books, c);
            if (c.objection.from_start)
                from_start_.mark(finding, *c.entry);
            finding.level = level;
            finding.count = cases.size();
            if (doubted)
                add_fact(finding, "possible explanation", c.objection.text);
            out.push_back(std::move(finding));
        }
    }

    Patience patience_;
    Growth growth_{kWindows, 0.9};
    Told told_;
    FromStart from_start_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<HalfCloseMissed>(); }

}  // namespace epaudit::half_close_missed
