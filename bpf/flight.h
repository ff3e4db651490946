/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The flight recorder: the last 16 postings of a row, one u64 each, so that writing one is one store.
 * It is the timeline of every finding.
 *
 *   bits 59..63  kind (enum posting_kind)
 *   bits 37..58  tid (22 bits: PID_MAX_LIMIT is 4 Mi)
 *   bits 20..36  time since the row's previous posting in µs: 5 bits exponent, 12 bits mantissa
 *                (exact to 4.09 ms, then to 1/2048; saturates at 101 days)
 *   bits  0..19  value: bytes, -errno, or reported epoll bits; two's complement, saturating at ±524287
 *
 * Rejected: absolute times (32 bits more for nothing: the row keeps the time of its newest posting),
 * a byte stream of varints (two stores and a cursor), 8 entries (a drain loop alone fills them).
 */
#pragma once

#include "types.h"

#define FLIGHT_SLOTS 16
#define FLIGHT_VALUE_MAX 524287

/* ns / 1000. A division costs more than all the rest of an entry; 274877907 / 2^38 is 1/1000 exactly as far as 32 bits
 * go, and postings of one row are rarely 4.29 s apart. */
static __always_inline u64 flight_microseconds(u64 ns) { return ns >> 32 ? ns / NSEC_PER_USEC : ns * 274877907 >> 38; }

static __always_inline u64 flight_time_code(u64 microseconds)
{
    u64 exponent = 0;
    if (microseconds >> 43)
        microseconds = (1ULL << 43) - 1;
    /* A binary search for the exponent, unrolled: no loop, so that every verifier is content. */
    if (microseconds >> 27) {
        microseconds >>= 16;
        exponent += 16;
    }
    if (microseconds >> 19) {
        microseconds >>= 8;
        exponent += 8;
    }
    if (microseconds >> 15) {
        microseconds >>= 4;
        exponent += 4;
    }
    if (microseconds >> 13) {
        microseconds >>= 2;
        exponent += 2;
    }
    if (microseconds >> 12) {
        microseconds >>= 1;
        exponent += 1;
    }
    return exponent << 12 | microseconds;
}

static __always_inline u64 flight_time(u64 code) { return (code & 4095) << (code >> 12 & 31); }

static __always_inline u64 flight_entry(u8 kind, u32 tid, u64 since_ns, s64 value)
{
    if (value > FLIGHT_VALUE_MAX)
        value = FLIGHT_VALUE_MAX;
    if (value < -FLIGHT_VALUE_MAX)
        value = -FLIGHT_VALUE_MAX;
    return (u64)(kind & 31) << 59 | (u64)(tid & 0x3fffff) << 37 |
           flight_time_code(flight_microseconds(since_ns)) << 20 | ((u64)value & 0xfffff);
}

static __always_inline u8 flight_kind(u64 entry) { return (u8)(entry >> 59); }
static __always_inline u32 flight_tid(u64 entry) { return (u32)(entry >> 37) & 0x3fffff; }
static __always_inline u64 flight_since_us(u64 entry) { return flight_time(entry >> 20 & 0x1ffff); }
static __always_inline s32 flight_value(u64 entry) { return (s32)((u32)(entry & 0xfffff) << 12) >> 12; }
