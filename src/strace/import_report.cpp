// SPDX-License-Identifier: Apache-2.0
// What a log lacks, in sentences, and what of it was lost.
#include <fmt/format.h>

#include "src/strace/import.h"

namespace epaudit {
namespace {

std::string count_of(uint64_t number, const char* one, const char* several)
{
    return fmt::format("{} {}", number, number == 1 ? one : several);
}

}  // namespace

Sight StraceImport::sight() const
{
    const LogSight& log = interpreter_.sight();
    Sight sight;
    sight.hooks = "strace";
    sight.kernel_state = false;
    sight.readiness = false;
    sight.wakeups = false;
    sight.why = "a log of system calls does not hold it";
    sight.times = clock_.known() ? clock_.coarse() ? Sight::Times::kSeconds : Sight::Times::kFine : Sight::Times::kNone;
    sight.durations = log.durations || (log.pids && clock_.known());
    sight.all_threads = log.all_threads();
    sight.calls = log.any_io();
    sight.accepts = log.everything || log.accepting;
    if (!log.any_io())
        sight.unseen =
            "the log holds no reads, writes or accepts: what the program did about its events cannot be seen";
    else if (log.others_unseen)
        sight.unseen =
            "the log follows one of several threads (strace -f follows all): what the others did cannot be seen";
    return sight;
}

std::vector<std::string> StraceImport::notes() const
{
    std::vector<std::string> notes;
    const LogCounts& counts = interpreter_.counts();
    const LogSight& log = interpreter_.sight();
    auto say = [&](std::string text) { notes.push_back(std::move(text)); };
    if (!log.any_io())
        say("the log holds epoll calls only (strace -e trace=epoll_wait,...?): trace all calls, or at least "
            "-e trace=%desc,%network");
    if (log.others_unseen)
        say("other threads or children share these descriptors and are not in the log: use strace -f");
    if (log.per_thread)
        say("each thread's calls stand in a log of its own, not in the order of time: what one thread did about "
            "another's "
            "events is not known (strace -f writes one log; strace-log-merge puts those of -ff in order)");
    if (log.apart)
        say("the log holds several processes whose descriptors have the same numbers, and not their beginning: which "
            "threads share descriptors is not known, and what one did about another's events cannot be seen");
    if (!clock_.known())
        say("the log has no time stamps: rates and durations are not known (strace -ttt -T)");
    else if (clock_.coarse())
        say("time stamps are whole seconds: rates are rough (strace -ttt -T)");
    if (clock_.steps_back())
        say(fmt::format("time stamps go back {}: are several logs in one?",
                        count_of(clock_.steps_back(), "time", "times")));
    if (counts.unattributed)
        say(counts.unattributed == 1
                ? "1 event belongs to a registration that the log does not show (made before it began, or with data "
                  "shared by several): it counts for the loop only"
                : fmt::format("{} events belong to registrations that the log does not show (made before it began, or "
                              "with data shared by several): they count for the loop only",
                              counts.unattributed));
    if (counts.cut_lists)
        say(fmt::format("{} only part of the events (strace -s 4096 -v shows all)",
                        count_of(counts.cut_lists, "return of epoll_wait prints", "returns of epoll_wait print")));
    if (counts.blind && log.any_io() && !log.others_unseen)
        say(count_of(counts.blind, "event could not be judged: what answers it may not be in the log",
                     "events could not be judged: the log does not hold the reads and writes that would handle them"));
    for (Refusal reason : {Refusal::kNoCall, Refusal::kNoBeginning})
        if (uint64_t count = refused(reason))
            say(fmt::format("{} of {} not used: {}", count, count_of(lines_, "line", "lines"), refusal_text(reason)));
    return notes;
}

std::string StraceImport::name_of_loss(const std::string& name)
{
    static constexpr std::pair<const char*, const char*> kNames[] = {
        {"returns_of_epoll_wait_missed", "log_returns_missing"},
        {"events_of_unknown_registrations", "log_registrations_missing"},
        {"events_unreadable", "log_lines_unreadable"}};
    for (const auto& [books, log] : kNames)
        if (name == books)
            return log;
    return name;
}

std::vector<std::pair<std::string, uint64_t>> StraceImport::lost() const
{
    std::vector<std::pair<std::string, uint64_t>> lost;
    auto add = [&](const char* name, uint64_t count) {
        if (count)
            lost.emplace_back(name, count);
    };
    add("log_lines_cut", refused(Refusal::kCut));
    add("log_lines_unreadable", refused(Refusal::kArguments));
    add("log_lines_too_long", refused(Refusal::kTooLong));
    add("log_files_and_threads_full", interpreter_.refused());
    return lost;
}

}  // namespace epaudit
