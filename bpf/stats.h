/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What is counted by reason, for all that is watched: the kernel keeps it per CPU, the reader adds it up. */
#pragma once

/* Everything that could not be kept or seen is counted here, by reason. A report shows all of them. */
enum ledger_stat {
    STAT_POSTINGS = 0, /* all of STAT_CALLS, added up by the reader */
    STAT_FILES_FULL = 1,
    STAT_REGISTRATIONS_FULL = 2,
    STAT_EPOLLS_FULL = 3,
    STAT_THREADS_FULL = 4,
    STAT_INDEX_FULL = 5,
    STAT_PROCESSES_FULL = 6,
    STAT_EVENTS_UNREAD = 7, /* the returned array could not be read */
    STAT_EVENTS_BEYOND = 8, /* more events in one return than are looked at */
    STAT_UNATTRIBUTED = 9,  /* not a loss: data shared by registrations, and which one is meant is not known */
    STAT_COMPAT_CALLS = 10, /* 32-bit system calls: not looked at */
    STAT_CHAIN_BEYOND = 11, /* a file in more epolls than are looked at */
    STAT_MESSAGES_BEYOND = 12,
    STAT_RUNS_SKIPPED =
        13, /* the kernel skipped a program that was already running on the CPU; filled in by the reader */
    STAT_RETURNS_MISSED = 14, /* a thread waits again though its last wait was never seen to end */
    STAT_READINESS_SKIPPED =
        15,          /* probes not run, or waiters not reached, that only date what the sweep finds anyway */
    STAT_CALLS = 16, /* + enum posting_kind: calls seen by kind */
    /* Evidence that is missing; no loss, nothing is counted by it. */
    STAT_STACKS_LOST = 48,  /* no room for a user stack that was wanted */
    STAT_SITES_FULL = 49,   /* a call of epoll_ctl from a place that is not remembered any more */
    STAT_IO = 50,           /* reads, writes and accepts on files that are or were registered */
    STAT_REQUESTS = 51,     /* of these: reads of a stream socket that got bytes */
    STAT_RECORDS_LOST = 52, /* no room in the recording's ring; the books are not concerned */
    /* 53 to 55: twins.h */
    /* Losses again. */
    STAT_PROCESSES_32BIT = 56, /* not watched, because they are 32-bit programs */
    STAT_EXEC_BEYOND = 57,     /* an exec with more descriptors than are looked through for epolls */
    STAT_NO_MEMORY = 58,       /* the kernel had none for a row, in a table that had room */
    STAT_RING_UNSEEN = 59,     /* epoll_ctl and close by io_uring, where its tracepoints do not tell of what */
    STAT_EVENTS_UNKNOWN = 60,  /* events of registrations that are not in the books */
    STAT_FDS_BEYOND = 61,      /* close_range() with more descriptors than are looked through */
    STAT_DUPS_UNDONE =
        62, /* dup2() and dup3() booked as a close when they began, and failed because something changed meanwhile */
    STAT_SLOTS = 64,
};
