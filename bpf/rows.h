/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The books: what a row of each table holds. One text for BPF maps, replay and rules; a test proves
 * the layouts equal against the BTF of the built object.
 *
 * Times are CLOCK_MONOTONIC ns, 0 = never. Rows are shared by CPUs: fields changed with ledger_count()
 * are atomic adds, everything else is last-writer-wins, and rules must tolerate both.
 */
#pragma once

#include "rows_calls.h"
#include "rows_file.h"
#include "rows_registration.h"
#include "rows_epoll.h"
#include "rows_thread.h"
#include "stats.h"
