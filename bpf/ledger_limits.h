/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The numbers the ledger itself decides by; all others are thresholds of rules. */
#pragma once

#include "types.h"

/* A pass over an edge-triggered file ends, at the latest, this long after it began (EP101). */
#define LEDGER_PASS_NS (10 * NSEC_PER_MSEC)
/* An edge not answered within this time was ignored on purpose (EP101). */
#define LEDGER_IGNORED_NS (100 * NSEC_PER_MSEC)
/* Left-over input older than this, consumed within LEDGER_PASS_NS after a fresh edge, was rescued (EP101). */
#define LEDGER_RESCUE_NS (200 * NSEC_PER_MSEC)
/* An event that no registration explains may be that of an ADD whose end was not seen yet, so long after it, */
#define LEDGER_ADD_NS (1 * NSEC_PER_SEC)
/* or of a registration that was just taken off. The same data again so much later is neither. */
#define LEDGER_UNKNOWN_NS (100 * NSEC_PER_MSEC)
/* So many futile returns in a row make a run (EP201 to EP204). Nothing legitimate was ever seen above 3. */
#define LEDGER_RUN 100
/* BETWEEN_URING in run_calls.after. */
#define LEDGER_URING_SLOT 11
/* A ONESHOT re-arm within this time is a fast one; a close later than this, untouched, an abandoned one (EP104). */
#define LEDGER_REARM_NS (1 * NSEC_PER_SEC)
/* A call that slept this long on an edge-triggered file hung its loop (EP103). */
#define LEDGER_SLEPT_NS (10 * NSEC_PER_MSEC)
/* The tail of a cut output that had room for this long was late when something else brought it out (EP105). */
#define LEDGER_LATE_NS (1 * NSEC_PER_SEC)
/* The ready list is counted only after full batches of this size and less (EP405), each LEDGER_LOOK_EVERY-th time, */
#define LEDGER_SMALL_BATCH 8
#define LEDGER_LOOK_EVERY 16
/* and is crowded when it holds this many batches. */
#define LEDGER_CROWD 4
/* So many empty waits with timeout 0 in a row, then one with a timeout, are a burst (EP206). */
#define LEDGER_BURST 8
/* So many empty waits with timeout 0 by one thread, and it is worth knowing where it waits. */
#define LEDGER_ZEROS 256
/* A file of which nothing tells what was taken: from so many reports on it is shown, and what it is can be asked. */
#define LEDGER_UNSEEN_REPORTS 1000
/* EPOLLOUT armed level-triggered for this long, nothing written: worth a remark (EP201). */
#define LEDGER_ARMED_NS (60 * NSEC_PER_SEC)
/* So many duplicate deliveries of one file happen to anybody. */
#define LEDGER_FEW 8
/* Nobody polled an epoll for so long: a gap worth knowing (EP404). */
#define LEDGER_STALL_NS (100 * NSEC_PER_MSEC)
/* Ready and not fetched for so long: worth a look (EP404). */
#define LEDGER_KEPT_NS (500 * NSEC_PER_MSEC)
/* A sleep in one system call that explains a gap by itself (EP404). */
#define LEDGER_NAP_NS (50 * NSEC_PER_MSEC)
/* A gap without such a sleep is one slow handler, not a large batch, from so much time per event. */
#define LEDGER_SLOW_NS (10 * NSEC_PER_MSEC)
/* How old the base of a thread's usage may be when it returns with events; see rows.h. */
#define LEDGER_BASE_NS (20 * NSEC_PER_MSEC)
/* A stop of this length delays what a program does. */
#define LEDGER_STOP_NS (10 * NSEC_PER_MSEC)
/* For so long after two threads polled one epoll in turn, either may do so again (EP404). */
#define LEDGER_POLLED_NS (60 * NSEC_PER_SEC)
/* A wait that times out within this many ms may be a poll for something else (EP605). */
#define LEDGER_TICK_MS 50
/* So many of them in a row of equal ones, and EP605 may speak. */
#define LEDGER_TICKS 16
/* The first sleep of a handler that lasts so long leaves its user stack, whether it stalls anybody or not (EP404). */
#define LEDGER_LONG_NAP_NS (1 * NSEC_PER_SEC)
/* Readiness calls by the own process from which a pipe is worth showing to EP604. */
#define LEDGER_SELF_READIES 64
