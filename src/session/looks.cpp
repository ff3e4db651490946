// SPDX-License-Identifier: Apache-2.0
#include "src/session/looks.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "bpf/twins.h"
#include "src/books/counts.h"
#include "src/books/describe.h"
#include "src/books/duration.h"
#include "src/report/words.h"
#include "src/support/say.h"

namespace epaudit {

namespace {

// Examples enough; programs that change their names all day are not kept.
constexpr size_t kMostLeftOut = 1000;

}  // namespace

Result<> Looks::after(const Snapshot& books)
{
    uint64_t registrations = 0;
    for (const auto& [id, epoll] : books.epolls)
        registrations += static_cast<int32_t>(epoll.registrations) > 0 ? epoll.registrations : 0;
    registrations_seen_ = std::max(registrations_seen_, registrations);
    // An instance may come and go between two looks: its creation was counted.
    epolls_seen_ = std::max({epolls_seen_, static_cast<uint64_t>(books.epolls.size()),
                             books.stats[static_cast<size_t>(STAT_CALLS) + POSTING_CREATE]});
    meet(books);
    judged_ = judge_.judged();
    historian_.look(books);
    announce(books);
    return tell();
}

// Whether such a program is judged is all that is left of it.
void Looks::part_with(const ProcessInfo& program)
{
    std::string by = judge_.left_out(program);
    if (by.empty())
        judged_one_ = true;
    else if (left_out_.size() < kMostLeftOut)
        left_out_.insert(std::move(by));
}

// Whose epolls they are. A process that ended before its name was read was somebody, too.
void Looks::meet(const Snapshot& books)
{
    std::map<uint32_t, ProcessInfo> before = std::exchange(programs_, {});
    for (const auto& [id, epoll] : books.epolls) {
        auto at = books.processes.find(epoll.tgid);
        if (at == books.processes.end())
            somebody_unknown_ = true;
        else
            programs_[epoll.tgid] = at->second;
    }
    for (const auto& [pid, program] : before)
        if (!programs_.count(pid))
            part_with(program);
}

// One line when a finding first reaches the gate, so that nobody waits for the end to know.
void Looks::announce(const Snapshot& books)
{
    if (quiet_ || !judge_.gate())
        return;
    for (const Finding& finding : judged_.findings) {
        if (finding.level < *judge_.gate() || !announced_.tell(finding) || !announced_.replaced().empty())
            continue;
        if (progress_)
            progress_->clear();
        // Findings about a whole loop have no fd of their own.
        bool has_fd = finding.fd.number >= 0;
        std::string when = books.times_known ? fmt::format("{:.1f} s: ", seconds_of(books.time - books.began))
                                             : std::string();
        const uint32_t pid = known_pid(finding.pid);
        const std::string comm = clean(finding.comm);
        std::string who = comm.empty() ? fmt::format("pid {}", pid)
                          : pid        ? fmt::format("{} (pid {})", comm, pid)
                                       : comm;
        say("epaudit: {}{} {} {} in {}, {} {}\n", when, level_name(finding.level), finding.rule, finding.name, who,
            has_fd ? "fd" : "epoll fd", has_fd ? finding.fd.number : finding.epoll_fd);
    }
}

// A line per second is enough of samples; findings are told at once.
Result<> Looks::tell()
{
    if (!outputs_.streams())
        return Done{};
    const RateSample& now = historian_.newest();
    sample_ = {now.t,
               sample_.seconds + now.seconds,
               sample_.returns + now.returns,
               sample_.futile + now.futile,
               sample_.events + now.events,
               sample_.timeouts + now.timeouts};
    const bool due = sample_.seconds >= 0.95;
    auto ok = outputs_.progress(due ? &sample_ : nullptr, judged_.findings, judge_.directory());
    if (due)
        sample_ = {};
    return ok;
}

void Looks::fill(Report& report, const Snapshot& last, const Sight& sight)
{
    Observation& observation = report.observation;
    observation.postings = last.stats[STAT_POSTINGS];
    observation.calls = calls(last);
    observation.work = work_of(last);
    observation.lost = losses(last);
    if (uint64_t skipped = last.stats[STAT_READINESS_SKIPPED])
        observation.notes.push_back(
            fmt::format("{} readiness probes were skipped or did not reach every waiter; they only date "
                        "events that the next look finds anyway",
                        skipped));
    if (uint64_t stood_in = last.stats[STAT_STOOD_IN])
        observation.notes.push_back(
            fmt::format("the kernel skipped {} probe runs while the same probe was preempted; "
                        "others stood in (and were skipped {} times themselves)",
                        stood_in, last.stats[STAT_TWINS_SKIPPED]));
    if (uint64_t lost = last.stats[STAT_STACKS_LOST])
        observation.notes.push_back(fmt::format("{} call stacks were not taken: no room in the ring", lost));
    if (uint64_t full = last.stats[STAT_SITES_FULL])
        observation.notes.push_back(
            fmt::format("{} calls of epoll_ctl came from more places than are remembered: where "
                        "they were made is not known",
                        full));
    observation.registrations = registrations_seen_;
    observation.epolls = epolls_seen_;
    judge_.fill(report, sight);
    for (const auto& [pid, program] : std::exchange(programs_, {}))
        part_with(program);
    report.unjudged.assign(left_out_.begin(), left_out_.end());
    report.none_judged = !judged_one_ && !somebody_unknown_ && !left_out_.empty();
    report.history = historian_.history();
}

}  // namespace epaudit
