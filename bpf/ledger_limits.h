/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The numbers the ledger itself decides by; all others are thresholds of rules. */
#pragma once

#include "types.h"

/* A pass over an edge-triggered file ends, at the latest, this long after it began (R4, N2). */
#define LEDGER_PASS_NS (10 * NSEC_PER_MSEC)
/* An edge not answered within this time was ignored on purpose (R4, N1). */
#define LEDGER_IGNORED_NS (100 * NSEC_PER_MSEC)
/* Left-over input older than this, consumed within LEDGER_PASS_NS after a fresh edge, was rescued (R4). */
#define LEDGER_RESCUE_NS (200 * NSEC_PER_MSEC)
/* So many futile returns in a row make a run (R1, R2). Nothing legitimate was ever seen above 3. */
#define LEDGER_RUN 100
/* A ONESHOT re-arm within this time is a fast one; a close later than this, untouched, an abandoned one (R8). */
#define LEDGER_REARM_NS (1 * NSEC_PER_SEC)
