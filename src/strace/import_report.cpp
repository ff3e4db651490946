// SPDX-License-Identifier: Apache-2.0
// What a log lacks, in sentences, and what of it was lost.
#include <fmt/format.h>

#include "src/strace/import.h"

namespace epaudit {

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
    if (!clock_.known())
        say("the log has no time stamps: rates and durations are not known (strace -ttt -T)");
    else if (clock_.coarse())
        say("time stamps are whole seconds: rates are rough (strace -ttt -T)");
    if (clock_.steps_back())
        say(fmt::format("time goes back {} times: several logs in one?", clock_.steps_back()));
    if (counts.unattributed)
        say(
            fmt::format("{} events belong to registrations that the log does not show (made before it began, or with "
                        "data shared by several): they count for the loop only",
                        counts.unattributed));
    if (counts.cut_lists)
        say(fmt::format("{} returns of epoll_wait print only part of their events (strace -s 4096 -v shows all)",
                        counts.cut_lists));
    if (counts.blind && log.any_io() && !log.others_unseen)
        say(fmt::format("{} events could not be judged: what answers them may not be in the log", counts.blind));
    for (Refusal reason : {Refusal::kNoCall, Refusal::kNoBeginning})
        if (uint64_t count = refused(reason))
            say(fmt::format("{} of {} lines not used: {}", count, lines_, refusal_text(reason)));
    return notes;
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
