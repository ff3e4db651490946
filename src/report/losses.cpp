// SPDX-License-Identifier: Apache-2.0
#include "src/report/losses.h"

#include <fmt/format.h>

#include "src/report/words.h"

namespace epaudit {
namespace {

constexpr const char* kMoreRoom = "raise --max-fds";
constexpr const char* kWholeLog = "give the whole log, as strace -o FILE wrote it";

struct Loss {
    const char* name;
    const char* noun;
    const char* what;
    const char* remedy = "observe again; if it stays, say so to those who maintain epaudit";
};

constexpr Loss kLosses[] = {
    {"files_full", "time", "a file had no room in the tables", kMoreRoom},
    {"registrations_full", "time", "a registration had no room in the tables", kMoreRoom},
    {"epolls_full", "time", "an epoll had no room in the tables", kMoreRoom},
    {"threads_full", "time", "a thread had no room in the tables", kMoreRoom},
    {"index_full", "time", "an event's registration could not be indexed", kMoreRoom},
    {"processes_full", "time", "a process had no room in the tables and was not watched", "watch fewer of them"},
    {"events_unreadable", "return", "of epoll_wait whose events could not be read from the program's memory"},
    {"returns_with_more_events_than_looked_at", "return", "of epoll_wait held more events than are looked at"},
    {"returns_of_epoll_wait_missed", "return", "of epoll_wait slipped by unseen"},
    {"probe_runs_skipped_by_the_kernel", "probe run", "skipped by the kernel"},
    {"processes_of_32_bits", "32-bit program", "not watched: its system calls cannot be read",
     "build it for 64 bits; epaudit inspect can look at it as it is"},
    {"rows_without_memory", "time", "the kernel had no memory at once for something new to keep track of",
     "observe again; a smaller --max-fds or more free memory helps"},
    {"execs_with_more_descriptors_than_looked_at", "time",
     "a program started with more than 65,536 descriptors, not all of which were looked at"},
    {"calls_of_32_bit_code", "32-bit system call", "not looked at", "build the program for 64 bits"},
    {"files_in_more_epolls_than_looked_at", "time", "a file was in more epolls than are looked at"},
    {"close_ranges_with_more_descriptors_than_looked_at", "call",
     "of close_range with more than 65,536 descriptors, not all of which were looked at"},
    {"events_of_unknown_registrations", "event", "of a registration that was never seen"},
    {"calls_by_io_uring_unseen", "call",
     "of epoll_ctl or close by io_uring, whose tracepoints do not tell of which file", "a newer kernel tells more"},
    {"dup2_calls_that_failed_after_they_began", "call",
     "of dup2 taken for a success: it failed because another thread closed its first descriptor meanwhile"},
    {"log_cut", "time", "the log could not be read to its end", kWholeLog},
    {"log_lines_cut", "line", "of the log truncated", kWholeLog},
    {"log_lines_unreadable", "line", "of the log with arguments that could not be read", kWholeLog},
    {"log_returns_missing", "call", "of epoll_wait whose return is not in the log", kWholeLog},
    {"log_registrations_missing", "event", "of a registration that the log does not show", kWholeLog},
    {"log_lines_too_long", "line", "of the log too long to be read", kWholeLog},
    {"log_files_and_threads_full", "time", "a file or thread of the log had no room in the tables", kMoreRoom},
    {"recording_cut", "time", "the recording is truncated: what came after is not known", "record again"},
    {"recording_records_lost", "record", "of the recording lost while it was made, because its ring was full",
     "record with a larger --ring"},
    {"recording_records_unusable", "record", "of the recording made no sense and was left out", "record again"},
    {"last_words_lost", "registration", "ended unseen: its last state was not read in time"},
};

const Loss* find_loss(const std::string& name)
{
    for (const Loss& loss : kLosses)
        if (name == loss.name)
            return &loss;
    return nullptr;
}

}  // namespace

std::string loss_text(const std::string& name, uint64_t count)
{
    if (const Loss* loss = find_loss(name))
        return fmt::format("{} {}", plural(count, loss->noun), loss->what);
    return fmt::format("{}: {}", spaced(name), grouped(count));
}

std::string loss_remedy(const std::string& name)
{
    const Loss* loss = find_loss(name);
    return loss ? loss->remedy : Loss{}.remedy;
}

}  // namespace epaudit
