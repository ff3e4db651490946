// SPDX-License-Identifier: Apache-2.0
// Three ways: an epoll_ctl that EPOLLEXCLUSIVE forbids; connections stuck behind the one waiter that was woken and
// is busy; one listener exclusive in some epolls and plain in others.
#include <fmt/format.h>

#include <algorithm>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/stuck.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit::exclusive_misuse {
namespace {

constexpr Threshold kUnresolvedS{
    "unresolved_s",
    {1, 1, Unit::kSeconds},
    "seconds after a forbidden epoll_ctl without a successful one on the fd",
    {"a program about to correct it is accused", "it is told later, and not at all if the fd is closed first"}};
constexpr Threshold kDropped{"dropped",
                             {3, 3, Unit::kCount},
                             "files of one epoll that were closed after a forbidden EPOLL_CTL_MOD, to be confirmed",
                             {"closing by chance confirms it", "it stays unconfirmed for longer"}};
constexpr Threshold kStuckS{"stuck_s",
                            {1, 1, Unit::kSeconds},
                            "seconds connections wait behind a busy worker while another one sleeps",
                            {"short queues behind a busy worker count", "only long queues count"}};
constexpr Threshold kEpisodes{"episodes",
                              {3, 3, Unit::kCount},
                              "times that this happened, to be confirmed",
                              {"a single episode confirms it", "it stays likely for longer"}};
constexpr Threshold kMixedS{"mixed_s",
                            {10, 2, Unit::kSeconds},
                            "seconds a file is exclusive in some epolls and plain in others",
                            {"a change of workers is remarked on", "it is told later"},
                            kPatience};
constexpr Threshold kMixedWasted{"mixed_wasted",
                                 {100, 100, Unit::kCount},
                                 "wasted wake-ups meanwhile, to be worth a remark",
                                 {"mixtures that cost nothing are remarked on", "slow servers go unmentioned"}};

const RuleInfo kInfo{
    "EP403",
    "exclusive-misuse",
    "EPOLLEXCLUSIVE with MOD/ONESHOT/RDHUP, mixed with plain, stuck behind a busy winner",
    Level::kConfirmed,
    {kUnresolvedS, kDropped, kStuckS, kEpisodes, kMixedS, kMixedWasted},
    {Seam::kState, Seam::kWakeups},
    "EPOLLEXCLUSIVE in a single epoll, where it does nothing, and uneven load among workers are not told",
    {StackRole::kArmed}};

bool exclusive(const Entry& entry) { return entry.live_mask & EV_EXCLUSIVE; }

class ExclusiveMisuse : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        patience_.look(books);
        for (std::span<const Entry> file : books.neighbours().files_with(kTraitExclusive)) {
            judge_forbidden(books, file, settings, out);
            judge_stuck(books, file, settings, out);
            judge_mixed(books, file, settings, out);
        }
        for (const auto& [id, epoll] : books.epolls)
            judge_dropped(books, id, epoll, settings, out);
        forget(books);
    }

    // The forbidden calls are seen without wake-ups, and without state.
    Coverage coverage(const Sight& sight) const override
    {
        if (!sight.kernel_state)
            return {Status::kDegraded, "only forbidden epoll_ctl calls are told: " + sight.why};
        if (!sight.wakeups)
            return {Status::kDegraded, "wasted wake-ups of mixed registrations are not seen: " + sight.why};
        return {};
    }

private:
    struct Memory {
        uint64_t stuck_since = 0;  // of the episode last counted
        unsigned episodes = 0;
        uint64_t mixed_at = 0;
        uint64_t mixed_seen_at = 0;
        uint32_t wasted_then = 0;
        uint64_t seen_at = 0;  // that it was mixed, or stuck
    };
    // A program that opens and closes its listeners all day leaves so many behind: their oldest are forgotten.
    static constexpr size_t kMostFiles = 1000;

    void forget(const Snapshot& books)
    {
        for (auto& [file, memory] : files_)
            if (memory.mixed_at && memory.mixed_seen_at != books.time && is_there(books, file))
                memory.mixed_at = 0;
        std::erase_if(files_, [&](const auto& f) {
            return !f.second.episodes && !is_there(books, f.first);
        });  // healthy listeners are not in the books
        while (files_.size() > kMostFiles)
            files_.erase(std::min_element(files_.begin(), files_.end(), [](const auto& a, const auto& b) {
                return a.second.seen_at < b.second.seen_at;
            }));
    }

    static bool is_there(const Snapshot& books, const std::pair<uint64_t, uint64_t>& file)
    {
        const auto places = books.neighbours().of_file(file.first);
        return !places.empty() && books.entries[places.front().at].file.ino == file.second;
    }

    static void judge_forbidden(const Snapshot& books, std::span<const Entry> file, const Settings& settings,
                                std::vector<Finding>& out)
    {
        const fault_row& x = file.front().fault;
        if (!x.exclusive_at || x.exclusive_at + settings.ns(kUnresolvedS) > books.time)
            return;
        auto at = std::find_if(file.begin(), file.end(),
                               [&](const Entry& e) { return e.key.epoll == x.exclusive_epoll; });
        bool registered = at != file.end();
        const Entry& entry = registered ? *at : file.front();
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = Level::kConfirmed;
        finding.summary = registered
                              ? "epoll_ctl(MOD) on an EPOLLEXCLUSIVE registration failed: it still has its old mask"
                              : "epoll_ctl(ADD) with EPOLLEXCLUSIVE failed: the epoll will never report it";
        finding.shape = registered ? "epoll_ctl(MOD) = EINVAL" : "epoll_ctl(ADD) = EINVAL";
        finding.count = x.exclusive_errors;
        finding.cost.emplace_back("failed_calls", x.exclusive_errors);
        finding.cost.emplace_back("unresolved_s", seconds_of(books.time - x.exclusive_at));
        add_fact(finding, "asked for", mask_text(x.exclusive_mask));
        finding.fix = registered
                          ? "to change or switch off an EPOLLEXCLUSIVE registration use EPOLL_CTL_DEL, then "
                            "EPOLL_CTL_ADD with the new mask; EPOLL_CTL_MOD is always refused"
                          : "EPOLLEXCLUSIVE goes with EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLET and EPOLLWAKEUP "
                            "only: leave out EPOLLRDHUP and EPOLLONESHOT, and do not use it for an epoll fd";
        out.push_back(std::move(finding));
    }

    // Each refusal was answered by close(): the clients are gone, the epoll remembers how many.
    static void judge_dropped(const Snapshot& books, uint64_t id, const epoll_row& epoll, const Settings& settings,
                              std::vector<Finding>& out)
    {
        if (epoll.exclusive_drops < settings[kDropped])
            return;
        Finding finding = begin_epoll_finding(kInfo, books, id, epoll.tgid);
        finding.trigger = trigger_text(EV_EXCLUSIVE);
        finding.level = Level::kConfirmed;
        finding.summary =
            "epoll_ctl(MOD) on EPOLLEXCLUSIVE registrations failed, and each time the connection was closed";
        finding.shape = "epoll_ctl(MOD) = EINVAL, then close()";
        finding.count = epoll.exclusive_drops;
        finding.cost.emplace_back("connections_dropped", epoll.exclusive_drops);
        add_fact(finding, "asked for", mask_text(epoll.exclusive_mask));
        finding.fix =
            "register connections without EPOLLEXCLUSIVE, which is for listeners that several epolls share; to change "
            "an EPOLLEXCLUSIVE registration use EPOLL_CTL_DEL, then EPOLL_CTL_ADD";
        out.push_back(std::move(finding));
    }

    // A worker that was told and has not come back, while another sleeps on an item that is not ready.
    struct Standoff {
        uint32_t busy = 0;
        uint32_t idle = 0;
    };

    Standoff standoff(const Snapshot& books, std::span<const Entry> file, uint64_t since) const
    {
        Standoff result;
        for (const Entry& e : file) {
            for (const auto& [tid, t] : books.threads) {
                if (t.epoll != e.key.epoll || books.stopped(t.tgid))
                    continue;
                if (t.waiting && t.wait_at <= since && !e.ready)
                    result.idle = tid;
                else if (!t.waiting && t.return_at && t.return_at <= since + NSEC_PER_SEC / 2 &&
                         patience_.since(t.tgid, t.return_at) == t.return_at)
                    result.busy = tid;
            }
        }
        return result;
    }

    void judge_stuck(const Snapshot& books, std::span<const Entry> file, const Settings& settings,
                     std::vector<Finding>& out)
    {
        const Entry& entry = file.front();
        const file_row& f = entry.file;
        bool all = std::all_of(file.begin(), file.end(),
                               [&](const Entry& e) { return e.key.epoll && exclusive(e) && e.chain <= file.size(); });
        if (f.kind != FILE_LISTENER || !entry.state.backlog || !f.stuck_at || file.size() < 2 || !all ||
            f.stuck_at + settings.ns(kStuckS) > books.time)
            return;
        Standoff who = standoff(books, file, f.stuck_at);
        if (!who.busy || !who.idle)
            return;
        Memory& memory = files_[{entry.file_id, f.ino}];
        memory.episodes += memory.stuck_since != f.stuck_at;
        memory.stuck_since = f.stuck_at;
        memory.seen_at = books.time;
        Finding finding = begin_finding(kInfo, books, entry);
        finding.subject_epoll = 0;
        finding.level = memory.episodes >= settings[kEpisodes] ? Level::kConfirmed : Level::kLikely;
        finding.summary =
            "connections wait behind the one worker that was woken and is busy, while another worker sleeps";
        finding.shape = "EPOLLEXCLUSIVE woke one waiter for several connections";
        finding.count = memory.episodes;
        finding.cost.emplace_back("connections_waiting", entry.state.backlog);
        finding.cost.emplace_back("stuck_s", seconds_of(books.time - f.stuck_at));
        add_fact(finding, "workers", fmt::format("tid {} is busy, tid {} sleeps", who.busy, who.idle));
        finding.fix =
            "accept until EAGAIN (or a few at a time) before handling, hand long work to another thread, or give each "
            "worker a listener of its own with SO_REUSEPORT";
        out.push_back(std::move(finding));
    }

    void judge_mixed(const Snapshot& books, std::span<const Entry> file, const Settings& settings,
                     std::vector<Finding>& out)
    {
        const Entry& entry = file.front();
        auto count = std::count_if(file.begin(), file.end(),
                                   [](const Entry& e) { return e.key.epoll && exclusive(e); });
        auto plain = std::count_if(file.begin(), file.end(), [](const Entry& e) {
            return e.key.epoll && !exclusive(e) && (e.live_mask & ~EV_PRIVATE & ~(EV_ERR | EV_HUP));
        });
        if (!count || !plain)
            return;
        Memory& memory = files_[{entry.file_id, entry.file.ino}];
        memory.seen_at = memory.mixed_seen_at = books.time;
        if (!memory.mixed_at) {
            memory.mixed_at = books.time;
            memory.wasted_then = entry.file.wasted_wakes;
        }
        uint32_t wasted = entry.file.wasted_wakes - memory.wasted_then;
        if (memory.mixed_at + settings.ns(kMixedS) > books.time || wasted < settings[kMixedWasted])
            return;
        Finding finding = begin_finding(kInfo, books, entry);
        finding.subject_epoll = 0;
        finding.level = Level::kRisk;
        finding.summary = "the file is EPOLLEXCLUSIVE in some epolls and plain in others, which are woken each time";
        finding.shape = "exclusive and plain registrations of one file";
        finding.count = wasted;
        finding.cost.emplace_back("wasted_wakes", wasted);
        add_fact(finding, "registrations", fmt::format("{} exclusive, {} plain", count, plain));
        finding.fix = "register the file with EPOLLEXCLUSIVE in every epoll";
        out.push_back(std::move(finding));
    }

    Patience patience_;
    std::map<std::pair<uint64_t, uint64_t>, Memory> files_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<ExclusiveMisuse>(); }

}  // namespace epaudit::exclusive_misuse
