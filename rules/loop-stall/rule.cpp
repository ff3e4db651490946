// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/syscall.h>

#include <deque>
#include <map>
#include <optional>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/inner_epoll.h"
#include "rules/lasting_stall.h"
#include "rules/log_runs.h"
#include "rules/polled_only.h"
#include "rules/stall_words.h"
#include "rules/stuck.h"
#include "src/books/duration.h"

namespace epaudit::loop_stall {
namespace {

constexpr Threshold kWindowS{"window_s",
                             {60, 60, Unit::kSeconds},
                             "seconds over which stalls of 100 ms and more are counted",
                             {"stalls must come closer together", "stalls far apart add up"}};
constexpr Threshold kConfirmStalls{"confirm_stalls",
                                   {10, 10, Unit::kCount},
                                   "such stalls in the window, to be confirmed",
                                   {"a few stalls under load confirm it", "rare stalls stay likely"}};
constexpr Threshold kConfirmS{
    "confirm_s",
    {1, 1, Unit::kSeconds},
    "seconds of one stall from which it is confirmed",
    {"short stalls are told, and confirmed", "long ones stay likely, and one that lasts is told later"},
    kPatience};
constexpr Threshold kLastsS{"lasts_s",
                            {10, 3, Unit::kSeconds},
                            "the same for a stall that has not ended: likely before",
                            {"long work that ends is confirmed", "hangs are confirmed later"}};
constexpr Threshold kFromStartS{"from_start_s",
                                {30, 1, Unit::kSeconds},
                                "seconds nobody polls from the beginning while clients are ready",
                                {"a program that still starts is accused", "hangs from before are told later"}};

const RuleInfo kInfo{"EP404",
                     "loop-stall",
                     "nobody polls while sockets are ready; names the blocking call",
                     Level::kConfirmed,
                     {kWindowS, kStalls, kConfirmStalls, kConfirmS, kLastsS, kFromStartS},
                     {Seam::kReadiness, Seam::kWakeups},
                     "connections over UNIX sockets, and the source of a stall on the CPU",
                     {StackRole::kBlocked, StackRole::kWait}};

struct Sample {
    uint64_t time = 0;
    uint32_t stalls = 0;
    uint32_t asleep = 0;
    uint64_t stalled_ns = 0;
    uint32_t starves = 0;
};

class LoopStall : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    Coverage coverage(const Sight& sight) const override
    {
        if (!sight.kernel_state)
            return of_log(sight);
        if (!sight.readiness)
            return {Status::kUnavailable, "when a socket became ready cannot be seen: " + sight.why};
        if (!sight.wakeups)
            return {Status::kDegraded,
                    "blocking calls cannot be named, only handlers on the CPU are seen: " + sight.why};
        return {};
    }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        judge_log_runs(
            kInfo, books, settings, [](const LogRun& run) { return fix_for_blocking_call(run.call); }, out);
        const size_t first = out.size();
        for (const auto& [id, epoll] : books.epolls)
            judge_now(books, id, epoll, settings, out);
        from_start_.settle(kInfo, books, first, out);
        for (const auto& [id, epoll] : books.epolls) {
            if (!epoll.stalls && !epoll.starves)
                continue;
            std::deque<Sample>& samples = samples_[id];
            // Another instance at the same address?
            if (!samples.empty() && (samples.back().stalls > epoll.stalls || samples.back().starves > epoll.starves))
                samples.clear();
            if (samples.empty())
                samples.push_back({books.began, 0, 0, 0, 0});
            if (samples.back().stalls != epoll.stalls || samples.back().starves != epoll.starves)
                samples.push_back({books.time, epoll.stalls, epoll.stalls_asleep, epoll.stalled_ns, epoll.starves});
            while (samples.size() > 1 && samples[1].time + settings.ns(kWindowS) <= books.time)
                samples.pop_front();
            if (!judge(books, id, epoll, samples.front(), settings, out))
                remark(books, id, epoll, samples.front(), settings, out);
        }
        std::erase_if(samples_, [&](const auto& s) { return !books.epoll(s.first); });
    }

private:
    static Coverage of_log(const Sight& sight)
    {
        auto unavailable = [](std::string reason) { return Coverage{Status::kUnavailable, std::move(reason)}; };
        if (sight.durations && sight.unseen.empty() && (sight.times != Sight::Times::kFine || !sight.all_threads))
            return {Status::kDegraded,
                    std::string("only long calls (-T) before several events at once are seen: ") +
                        (sight.times == Sight::Times::kNone      ? "there are no time stamps"
                         : sight.times == Sight::Times::kSeconds ? "time stamps are whole seconds"
                                                                 : "other threads may be polling and not be in the "
                                                                   "log (strace -f -o FILE)")};
        if (sight.times == Sight::Times::kNone)
            return unavailable("there are no time stamps: how long anything took is not known (strace -ttt -T)");
        if (sight.times == Sight::Times::kSeconds)
            return unavailable("time stamps are whole seconds (strace -ttt -T)");
        if (!sight.unseen.empty())
            return unavailable(sight.unseen);
        if (!sight.all_threads)
            return unavailable("other threads may be polling and not be in the log (strace -f -o FILE)");
        if (!sight.durations)
            return unavailable("how long calls took is not shown (strace -T)");
        return {Status::kDegraded,
                "only sleeps of the one thread that polls are seen, in calls whose end is shown: a log cannot "
                "tell computing from being preempted or from strace's own overhead; likely at most"};
    }

    // A handler that sleeps a little for each of many events sleeps long before others are told.
    static bool sleeps_on(const LastingStall& stall, const Settings& settings)
    {
        return stall.doing == LastingStall::Doing::kSleeps && stall.slept_ns >= settings.ns(kLastsS);
    }

    static std::optional<Level> level_of(const LastingStall& stall, const epoll_row& e, bool only_polled,
                                         const Settings& settings)
    {
        const bool lasts = stall.own_ns() >= settings.ns(kLastsS);
        // Computing once for long is no habit (see below), until it does not seem to end.
        if (stall.doing == LastingStall::Doing::kComputes)
            return lasts && stall.clients >= 2 && (e.flags & EPOLL_STREAM) ? std::optional(Level::kLikely)
                                                                           : std::nullopt;
        if (stall.nap_ns < settings.ns(kConfirmS) && !sleeps_on(stall, settings))
            return std::nullopt;
        if (stall.doing == LastingStall::Doing::kWaits || only_polled || !(e.flags & EPOLL_STREAM))
            return Level::kRisk;
        const bool at_once = stall.doing == LastingStall::Doing::kSleeps && stall.nap_ns >= settings.ns(kConfirmS);
        return lasts && at_once ? Level::kConfirmed : Level::kLikely;
    }

    // A stall that goes on. When it ends it is counted with the others.
    void judge_now(const Snapshot& books, uint64_t id, const epoll_row& e, const Settings& settings,
                   std::vector<Finding>& out)
    {
        if (!books.state_known)
            return;
        const auto stall = find_lasting(books, id, e, settings.ns(kConfirmS));
        const bool only_polled = stall && stall->doing == LastingStall::Doing::kPolls && polled_only(books, id, e);
        const auto level = stall ? level_of(*stall, e, only_polled, settings) : std::nullopt;
        if (level)
            tell_lasting(books, id, e, *stall, *level, out);
        const auto early = ready_from_start(books, id, e, settings.ns(kFromStartS));
        if (!early.empty())
            tell_early(books, *early.front(), early.size(), out);
    }

    static void tell_lasting(const Snapshot& books, uint64_t id, const epoll_row& e, const LastingStall& stall,
                             Level level, std::vector<Finding>& out)
    {
        const bool computes = stall.doing == LastingStall::Doing::kComputes;
        Finding finding = begin_epoll_finding(kInfo, books, id, stall.tgid);
        finding.level = level;
        finding.summary = fmt::format("the event loop has been {} {} for {} while {} {} ready",
                                      computes ? "busy" : "blocked", stall_doing(stall), duration_text(stall.ns),
                                      clients_text(stall.clients), stall.clients == 1 ? "is" : "are");
        finding.shape = computes ? "handler on the CPU" : "blocked " + stall_doing(stall);
        finding.trigger = finding.shape;
        finding.count = e.stalls + 1;
        finding.cost.emplace_back("longest_stall_s", seconds_of(stall.ns));
        finding.cost.emplace_back("clients_waiting", stall.clients);
        add_fact(finding, "has not ended", "nobody polls yet");
        if (!computes)
            add_fact(finding, "blocked", fmt::format("{} for {}", stall_doing(stall), duration_text(stall.nap_ns)));
        if (!computes && stall.slept_ns > stall.nap_ns)
            add_fact(finding, "asleep in all", duration_text(stall.slept_ns));
        add_fact(finding, "on the CPU", duration_text(stall.cpu_ns));
        finding.timeline.push_back(
            moment(books, stall.from, stall.tid, "epoll_wait returned, and was not called again"));
        finding.fix = stall_fix(stall);
        out.push_back(std::move(finding));
    }

    void tell_early(const Snapshot& books, const Entry& entry, size_t clients, std::vector<Finding>& out)
    {
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = Level::kRisk;
        finding.summary = fmt::format("nobody has polled the epoll since the observation began, and {} {} ready",
                                      clients_text(static_cast<uint32_t>(clients)), clients == 1 ? "is" : "are");
        finding.shape = finding.trigger = "not polled from the start";
        finding.count = clients;
        finding.cost.emplace_back("clients_waiting", static_cast<double>(clients));
        finding.fix = "see what its thread does: gdb -p, or /proc/PID/task/TID/stack";
        from_start_.mark(finding, entry);
        out.push_back(std::move(finding));
    }

    static std::optional<Level> level_of(const Snapshot& books, const epoll_row& e, uint32_t stalls, bool only_polled,
                                         const Settings& settings)
    {
        bool often = stalls >= settings[kStalls];
        // A thread pool that makes the loop wait for a free worker looks like this too, and means it.
        if (stalled_asleep(e) && e.stall_call == SYS_futex)
            return often ? std::optional(Level::kRisk) : std::nullopt;
        if (!books.state_known)  // a log: that clients waited is concluded, not seen
            return often ? std::optional(Level::kLikely) : std::nullopt;
        // Listeners alone: a worker that serves one connection at a time, outside of its epoll, means it (uwsgi).
        if (!(e.flags & EPOLL_STREAM))
            return often ? std::optional(Level::kRisk) : std::nullopt;
        if (e.stall_call == AWAY_IN_ANOTHER_LOOP)  // what it waits for there is not known
            return often ? std::optional(only_polled ? Level::kRisk : Level::kLikely) : std::nullopt;
        // Loading code, filling caches: once is no habit. A blocking call of a second is one time too many.
        bool lasting = e.stall_ns >= settings.ns(kConfirmS) && (stalled_asleep(e) || often);
        if (lasting || stalls >= settings[kConfirmStalls])
            return Level::kConfirmed;
        return often ? std::optional(Level::kLikely) : std::nullopt;
    }

    // The machine's fault, not the program's: no finding, but what the clients waited for.
    static void remark(const Snapshot& books, uint64_t id, const epoll_row& e, const Sample& then,
                       const Settings& settings, std::vector<Finding>& out)
    {
        uint32_t starves = e.starves - then.starves;
        if (starves < settings[kStalls])
            return;
        const thread_row* thread = books.thread(e.starve_tid);
        Finding finding = begin_epoll_finding(kInfo, books, id, thread ? thread->tgid : e.tgid);
        finding.level = Level::kInfo;
        finding.summary = fmt::format("{} waited while the epoll's thread waited for a CPU: {} on the run queue",
                                      clients_text(e.starve_kept), duration_text(e.starve_ns));
        finding.shape = finding.trigger = "not given a CPU";
        finding.count = e.starves;
        finding.cost.emplace_back("longest_run_queue_delay_s", seconds_of(e.starve_ns));
        add_fact(finding, "waits for a CPU", fmt::format("{} of 100 ms and more", starves));
        finding.timeline.push_back(moment(books, e.starve_until, e.starve_tid,
                                          fmt::format("waits again; {} had been waiting, as it had been for a CPU ({})",
                                                      clients_text(e.starve_kept), duration_text(e.starve_ns))));
        finding.fix =
            "the program is not at fault: give it more CPU time (the quota of its cgroup, its nice value, the "
            "load of the machine)";
        out.push_back(std::move(finding));
    }

    static bool judge(const Snapshot& books, uint64_t id, const epoll_row& e, const Sample& then,
                      const Settings& settings, std::vector<Finding>& out)
    {
        uint32_t stalls = e.stalls - then.stalls;
        const bool only_polled = stalls && e.stall_call == AWAY_IN_ANOTHER_LOOP && polled_only(books, id, e);
        std::optional<Level> level = stalls ? level_of(books, e, stalls, only_polled, settings) : std::nullopt;
        if (!level || (e.stall_call == AWAY_IN_ANOTHER_LOOP && registered_in(books, id, 0)))  // told of it there: EP101
            return false;
        const thread_row* thread = books.thread(e.stall_tid);
        Finding finding = begin_epoll_finding(kInfo, books, id, thread ? thread->tgid : e.tgid);
        finding.level = *level;
        finding.summary = fmt::format("the event loop was {}{} {} {}", stall_kept_away(e),
                                      books.state_known ? " while" : "; then", clients_text(e.stall_kept),
                                      waited(books, e));
        finding.shape = stalled_asleep(e) ? "blocked " + stall_cause(e) : "handler on the CPU";
        finding.trigger = finding.shape;
        finding.count = e.stalls;
        finding.cost.emplace_back("longest_stall_s", seconds_of(e.stall_ns));
        finding.cost.emplace_back("stalled_s", seconds_of(e.stalled_ns - then.stalled_ns));
        finding.cost.emplace_back("clients_waiting", e.stall_kept);
        if (stalled_asleep(e))
            add_fact(finding, "blocked", fmt::format("{} for {}", stall_cause(e), duration_text(e.stall_nap_ns)));
        if (books.state_known && e.stall_call != AWAY_IN_ANOTHER_LOOP)
            add_fact(finding, "on the CPU", duration_text(e.stall_cpu_ns));
        add_fact(
            finding, "stalls",
            fmt::format("{} of 100 ms and more, {} of them in a blocking call", stalls, e.stalls_asleep - then.asleep));
        if (only_polled)
            add_fact(finding, "possible explanation", "nobody waits on it: it may be polled now and then on purpose");
        finding.timeline = stall_story(books, e);
        finding.fix = stall_fix(e);
        out.push_back(std::move(finding));
        return true;
    }

    static const char* waited(const Snapshot& books, const epoll_row& e)
    {
        if (!books.state_known)
            return "had input at once";
        return e.stall_kept == 1 ? "was ready" : "were ready";
    }

    FromStart from_start_;
    std::map<uint64_t, std::deque<Sample>> samples_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<LoopStall>(); }

}  // namespace epaudit::loop_stall
