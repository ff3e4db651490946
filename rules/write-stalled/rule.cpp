// SPDX-License-Identifier: Apache-2.0
// Four ways to know. Stall: output was cut, there is room again, and nothing will say so. Late: a tail went out only because
// something else of the fd rang, again and again. Lost: what was sent next is not the rest. Given up: each connection is closed
// as soon as one write finds no room.
#include <fmt/format.h>

#include <algorithm>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/stuck.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit::write_stalled {
namespace {

constexpr Threshold kStallS{"stall_s",
                            {10, 1, Unit::kSeconds},
                            "seconds there must have been room, with nothing sent, while the loop sleeps",
                            {"a program about to go on is accused", "it is told later, and shorter stalls not at all"},
                            kPatience};
constexpr Threshold kSockets{"sockets",
                             {3, 3, Unit::kCount},
                             "such sockets of one process at once, each with a tail for sure, to be confirmed",
                             {"output held back on purpose confirms it", "rare stalls stay likely"}};
constexpr Threshold kLateWrites{"late_writes",
                                {2, 2, Unit::kCount},
                                "tails that went out only because something else rang, to be confirmed",
                                {"one late write by chance confirms it", "rare stalls are told later"}};
constexpr Threshold kLostRests{"lost_rests",
                               {3, 3, Unit::kCount},
                               "times that other bytes were sent in place of a rest, to be confirmed",
                               {"a rest given up on purpose confirms it", "rare losses are told later"}};
constexpr Threshold kGivenUp{"given_up",
                             {3, 1, Unit::kCount},
                             "connections closed because a write found no room, when none was ever waited for",
                             {"clients dropped on purpose are accused", "small servers are missed"}};
constexpr Threshold kFromStartS{
    "from_start_s",
    {30, 1, Unit::kSeconds},
    "the same, for output that was stuck when the observation began",
    {"output held back on purpose before is remarked on", "hangs from before are told later"}};

const RuleInfo kInfo{
    "EP105",
    "write-stalled",
    "output cut short by EAGAIN and no EPOLLOUT to resume it",
    Level::kConfirmed,
    {kStallS, kSockets, kLateWrites, kLostRests, kGivenUp, kFromStartS, kIdleWindowS},
    {Seam::kState},
    "programs that drop a whole message on EAGAIN look the same at likely; io_uring sends on Unix sockets; attached: "
    "output cut short before, if the buffer had drained by then",
    {StackRole::kWrite, StackRole::kArmed}};

constexpr const char* kFix =
    "when send() is cut short or returns EAGAIN, keep the rest and epoll_ctl(EPOLL_CTL_MOD) the fd to a mask with "
    "EPOLLOUT; drop EPOLLOUT when the rest is sent";
constexpr const char* kEdgeFix =
    "answer each edge-triggered EPOLLOUT by sending the rest until EAGAIN; an edge comes once";

// Its buffer was full when the observation began, and nobody has sent anything since: some of the output may be left.
bool full_from_start(const Entry& entry)
{
    const file_row& f = entry.file;
    return (f.flags & FILE_SEEDED) && (f.flags & FILE_CUT_GUESSED) && untouched_from_start(entry);
}

// Is something left to send, room for it, and nobody to say so? Each registration of the file must be mute.
bool stalled(std::span<const Entry> file)
{
    const Entry& entry = file.front();
    const file_row& f = entry.file;
    const file_state& s = entry.state;
    bool stream = f.kind == FILE_TCP ||
                  (f.kind == FILE_UNIX && (s.flags & STATE_STREAM) && !(s.flags & STATE_PEER_SELF));
    bool open = !(f.flags & FILE_SHUT_WRITE) && !(s.flags & STATE_SEND_SHUTDOWN) && !static_cast<uint16_t>(s.aux) &&
                (s.sk_state == SK_ESTABLISHED || (f.kind == FILE_TCP && s.sk_state == SK_CLOSE_WAIT));
    if ((f.flags & FILE_CUT_GUESSED) &&
        !full_from_start(entry))  // node and the JVM fill the buffer exactly as often as not
        return false;
    if (!stream || !open || !f.out_cut_at || !entry.fault.writable_at || !(s.flags & STATE_WRITABLE))
        return false;
    if (f.refused_at && (entry.fault.refused_mask & EV_OUT))  // it was asked for: EP601
        return false;
    return std::all_of(file.begin(), file.end(), [&](const Entry& e) {
        bool used = (e.live_mask & EV_ET) && !e.ready && f.out_told_at >= f.out_cut_at;
        return e.key.epoll && e.chain <= file.size() && (!(e.live_mask & EV_OUT) || used);
    });
}

constexpr const char* kKeepFix =
    "when send() takes less than it was given, keep what it left and send that first, before anything else: ask for "
    "EPOLLOUT until it is gone";
constexpr const char* kWaitFix =
    "EAGAIN is no error: keep the rest, ask for EPOLLOUT by epoll_ctl(EPOLL_CTL_MOD), and go on when there is room; to "
    "drop "
    "readers that are too slow, give them a limit of bytes or time first";

class WriteStalled : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        patience_.look(books);
        const size_t first = out.size();
        repeats_.begin();
        said_.take_back(kInfo, books, out, true);
        std::vector<Stall> stalls;
        std::map<uint32_t, unsigned> sure;  // by process
        for (std::span<const Entry> file : books.neighbours().files_with(kTraitCut)) {
            judge_past(books, file.front(), settings, out);
            judge_stall(books, file, settings, stalls, sure);
        }
        for (const Entry& entry : books.buried)
            judge_past(books, entry, settings, out);
        for (const auto& [id, epoll] : books.epolls)
            judge_given_up(books, id, epoll, settings, out);
        for (const Stall& stall : stalls)
            report(books, stall, sure[stall.entry->file.tgid] >= settings[kSockets], out);
        from_start_.settle(kInfo, books, first, out);
    }

private:
    struct Stall {
        const Entry* entry;
        uint64_t since;
        bool early;
        Doubts doubts;
    };

    static void judge_past(const Snapshot& books, const Entry& entry, const Settings& settings,
                           std::vector<Finding>& out)
    {
        judge_late(books, entry, settings, out);
        judge_lost(books, entry, settings, out);
    }

    static void judge_lost(const Snapshot& books, const Entry& entry, const Settings& settings,
                           std::vector<Finding>& out)
    {
        const fault_row& x = entry.fault;
        if (!x.lost_rests || !entry.key.epoll || !is_stream_socket(entry))
            return;
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = x.lost_rests >= settings[kLostRests] ? Level::kConfirmed : Level::kLikely;
        finding.summary = "a write was cut short, and its rest was never sent: the next one sent other bytes";
        finding.shape = "other bytes in place of the rest";
        finding.count = x.lost_rests;
        finding.cost.emplace_back("lost_bytes", x.lost_bytes);
        finding.fix = kKeepFix;
        out.push_back(std::move(finding));
    }

    static void judge_given_up(const Snapshot& books, uint64_t id, const epoll_row& epoll, const Settings& settings,
                               std::vector<Finding>& out)
    {
        if (epoll.gone_on || epoll.given_up < settings[kGivenUp])
            return;
        Finding finding = begin_epoll_finding(kInfo, books, id, epoll.tgid);
        finding.level = Level::kLikely;
        finding.summary = "connections are closed as soon as a write finds no room, with output unsent";
        finding.shape = "EAGAIN taken for an error";
        finding.count = epoll.given_up;
        finding.fix = kWaitFix;
        out.push_back(std::move(finding));
    }

    static void judge_late(const Snapshot& books, const Entry& entry, const Settings& settings,
                           std::vector<Finding>& out)
    {
        const epoll_row* epoll = books.epoll(entry.key.epoll);
        if (entry.fault.late_writes < settings[kLateWrites] || !entry.key.epoll)
            return;
        bool plans = !epoll || epoll->eventless_writes;
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = plans ? Level::kRisk : Level::kConfirmed;
        finding.summary = "output that was cut short is resumed only after an unrelated event on the fd";
        finding.shape = "the rest sent after an unrelated event";
        finding.count = entry.fault.late_writes;
        finding.cost.emplace_back("late_writes", entry.fault.late_writes);
        finding.fix = kFix;
        if (plans)
            add_fact(finding, "possible explanation", "the program also writes without being told");
        out.push_back(std::move(finding));
    }

    void judge_stall(const Snapshot& books, std::span<const Entry> file, const Settings& settings,
                     std::vector<Stall>& stalls, std::map<uint32_t, unsigned>& sure)
    {
        const Entry& entry = file.front();
        const file_row& f = entry.file;
        if (!stalled(file) || books.stopped(f.tgid))
            return;
        uint64_t since = patience_.since(f.tgid, std::max({entry.fault.writable_at, f.out_cut_at, f.armed_at}));
        bool timer_gone = patience_.no_timer_pending(books, entry, f.out_cut_at);
        const bool early = full_from_start(entry);
        if (since + settings.ns(early ? kFromStartS : kStallS) > books.time ||
            !books.loop_idle(entry.key.epoll, settings.ns(kIdleWindowS)))
            return;
        const epoll_row* epoll = books.epoll(entry.key.epoll);
        Doubts doubts;
        if (!epoll || epoll->eventless_writes)
            doubts.push_back("the program writes without being told: it may resume by itself");
        if (!timer_gone)
            doubts.push_back("the loop waits with a timeout: a timer may resume it");
        if (early)
            doubts.push_back(kPastUnknown);
        if (doubts.empty()) {
            said_.remember(entry);
            sure[f.tgid] += (f.flags & FILE_TAIL) != 0;
        }
        stalls.push_back({&entry, since, early, std::move(doubts)});
    }

    void report(const Snapshot& books, const Stall& stall, bool many, std::vector<Finding>& out)
    {
        const Entry& entry = *stall.entry;
        const file_row& f = entry.file;
        const Level level = !stall.doubts.empty() ? Level::kRisk : many ? Level::kConfirmed : Level::kLikely;
        if (stall.early)
            from_start_.still(entry);
        if (repeats_.same(books, entry, level, stall.doubts, f.bytes_out))
            return;
        const bool used = entry.live_mask & EV_OUT;
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = level;
        finding.summary =
            stall.early ? "output may have been cut short before the observation began: there is room for more, and "
                          "nothing will say so"
            : used      ? "output was cut short, the edge of EPOLLOUT has passed, and the rest was never sent"
                        : "output was cut short and the rest was never sent: EPOLLOUT is not armed";
        finding.shape = used ? "EPOLLOUT delivered once under EPOLLET and not answered" : "mask without EPOLLOUT";
        finding.count = 1;
        finding.cost.emplace_back("stuck_s", seconds_of(books.time - stall.since));
        finding.fix = used ? kEdgeFix : kFix;
        describe(finding, books, f, stall.since, stall.doubts);
        if (stall.early)
            from_start_.mark(finding, entry, "room for output again, and may have some left");
        out.push_back(std::move(finding));
    }

    static void describe(Finding& finding, const Snapshot& books, const file_row& f, uint64_t since,
                         const Doubts& doubts)
    {
        const char* how = f.flags & FILE_TAIL          ? "a write cut short"
                          : f.flags & FILE_CUT_GUESSED ? "a full buffer when the observation began"
                                                       : "EAGAIN";
        add_fact(finding, "output", fmt::format("{} sent, then {}", bytes_text(f.bytes_out), how));
        add_fact(finding, "room for more", "for " + duration_text(books.time - since));
        if (!doubts.empty())
            add_fact(finding, "possible explanation", doubts_text(doubts));
    }

    Patience patience_;
    FromStart from_start_;
    Repeats repeats_;
    Stalls said_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<WriteStalled>(); }

}  // namespace epaudit::write_stalled
