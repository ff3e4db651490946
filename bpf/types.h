/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Fixed-width names for the text that is compiled both to BPF and into the C++ program. */
#pragma once

#ifdef __bpf__
#include <linux/bpf.h>
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
#ifndef NULL
#define NULL ((void*)0)
#endif
typedef _Bool bool;
#define true 1
#define false 0
#else
#include <cstddef>
#include <cstdint>
typedef std::uint8_t u8;
typedef std::uint16_t u16;
typedef std::uint32_t u32;
typedef std::uint64_t u64;
typedef std::int8_t s8;
typedef std::int16_t s16;
typedef std::int32_t s32;
typedef std::int64_t s64;
#endif

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define NSEC_PER_USEC 1000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC 1000000000ULL
