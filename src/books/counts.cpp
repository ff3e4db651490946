// SPDX-License-Identifier: Apache-2.0
#include "src/books/counts.h"

#include <iterator>

namespace epaudit {
namespace {

struct StatName {
    ledger_stat stat;
    const char* name;
};

// STAT_UNATTRIBUTED is no loss: data shared by several registrations is legal. Events of registrations that the books do
// not have are one.
constexpr StatName kLosses[] = {
    {STAT_FILES_FULL, "files_full"},
    {STAT_REGISTRATIONS_FULL, "registrations_full"},
    {STAT_EPOLLS_FULL, "epolls_full"},
    {STAT_THREADS_FULL, "threads_full"},
    {STAT_INDEX_FULL, "index_full"},
    {STAT_PROCESSES_FULL, "processes_full"},
    {STAT_EVENTS_UNREAD, "events_unreadable"},
    {STAT_EVENTS_UNKNOWN, "events_of_unknown_registrations"},
    {STAT_EVENTS_BEYOND, "returns_with_more_events_than_looked_at"},
    {STAT_PROCESSES_32BIT, "processes_of_32_bits"},
    {STAT_COMPAT_CALLS, "calls_of_32_bit_code"},
    {STAT_NO_MEMORY, "rows_without_memory"},
    {STAT_EXEC_BEYOND, "execs_with_more_descriptors_than_looked_at"},
    {STAT_CHAIN_BEYOND, "files_in_more_epolls_than_looked_at"},
    {STAT_FDS_BEYOND, "close_ranges_with_more_descriptors_than_looked_at"},
    {STAT_DUPS_UNDONE, "dup2_calls_that_failed_after_they_began"},
    {STAT_RING_UNSEEN, "calls_by_io_uring_unseen"},
    {STAT_MESSAGES_BEYOND, "last_words_lost"},
    {STAT_RETURNS_MISSED, "returns_of_epoll_wait_missed"},
    {STAT_RUNS_SKIPPED, "probe_runs_skipped_by_the_kernel"},
};

constexpr const char* kCallNames[] = {
    "none",       "epoll_ctl", "epoll_ctl",    "epoll_ctl",     "wait",
    "epoll_wait", "event",     "read",         "write",         "accept",
    "connect",    "shutdown",  "close",        "dup",           "timerfd_settime",
    "getsockopt", "ioctl",     "ready",        "woken",         "peer_closed",
    "futex",      "errqueue",  "epoll_create", "seeded",        "fcntl",
    "fork",       "exec",      "exit",         "blocking_call", "io_uring_enter",
    "blocked",    "overlap",
};
static_assert(std::size(kCallNames) == POSTING_KINDS);

}  // namespace

std::vector<std::pair<std::string, uint64_t>> losses(const Snapshot& books)
{
    std::vector<std::pair<std::string, uint64_t>> out;
    for (const StatName& loss : kLosses)
        if (books.stats[loss.stat])
            out.emplace_back(loss.name, books.stats[loss.stat]);
    return out;
}

std::vector<std::pair<std::string, uint64_t>> calls(const Snapshot& books)
{
    std::vector<std::pair<std::string, uint64_t>> out;
    for (size_t kind = 0; kind < size_t{POSTING_KINDS}; kind++)
        if (const uint64_t count = books.stats[size_t{STAT_CALLS} + kind])
            out.emplace_back(kCallNames[kind], count);
    return out;
}

}  // namespace epaudit
