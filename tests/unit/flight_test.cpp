// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "bpf/flight.h"
#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

TEST(Flight, EntriesComeBackAsTheyWentIn)
{
    EXPECT_TRUE(rc::check("kind, tid and value are exact in their range", [] {
        u8 kind = *rc::gen::inRange<u8>(0, 32);
        u32 tid = *rc::gen::inRange<u32>(0, 1u << 22);
        s64 value = *rc::gen::inRange<s64>(-FLIGHT_VALUE_MAX, FLIGHT_VALUE_MAX + 1);
        u64 entry = flight_entry(kind, tid, 5000, value);
        RC_ASSERT(flight_kind(entry) == kind);
        RC_ASSERT(flight_tid(entry) == tid);
        RC_ASSERT(flight_value(entry) == value);
        RC_ASSERT(flight_since_us(entry) == 5u);
    }));
}

TEST(Flight, TimesAreExactWhenShortAndCloseWhenLong)
{
    EXPECT_TRUE(rc::check("within 1/2048 below, never above", [] {
        u64 bits = *rc::gen::inRange<u64>(0, 43);
        u64 us = *rc::gen::arbitrary<u64>() & ((1ULL << bits) - 1);
        u64 back = flight_time(flight_time_code(us));
        RC_ASSERT(back <= us);
        RC_ASSERT(us - back <= us / 2048);
        if (us < 4096)
            RC_ASSERT(back == us);
    }));
}

TEST(Flight, TimesNeverRunBackwards)
{
    EXPECT_TRUE(rc::check("a longer time has no smaller code", [] {
        u64 a = *rc::gen::arbitrary<u64>() >> 20;
        u64 b = *rc::gen::arbitrary<u64>() >> 20;
        RC_ASSERT((a <= b) == (flight_time_code(a) <= flight_time_code(b)) ||
                  flight_time_code(a) == flight_time_code(b));
    }));
}

TEST(Flight, Saturates)
{
    EXPECT_EQ(flight_value(flight_entry(1, 1, 0, 1 << 30)), FLIGHT_VALUE_MAX);
    EXPECT_EQ(flight_value(flight_entry(1, 1, 0, -(1 << 30))), -FLIGHT_VALUE_MAX);
    u64 hundred_days = 100ULL * 24 * 3600 * 1000000;
    EXPECT_EQ(flight_time(flight_time_code(~0ULL)), flight_time(flight_time_code((1ULL << 43) - 1)));
    EXPECT_GT(flight_time(flight_time_code(~0ULL)), hundred_days);
    EXPECT_LT(flight_time_code(~0ULL), 1u << 17);  // fits its 17 bits
}

TEST(Flight, RingKeepsTheLastSixteen)
{
    Scenario s;
    s.add(7, EPOLLIN, FILE_TCP);
    for (int i = 1; i <= 20; i++)
        s.after_us(10).write(7, i);
    const file_row& f = s.file(7);
    EXPECT_EQ(f.flight_next, 21u);
    EXPECT_EQ(flight_value(f.flight[20 % FLIGHT_SLOTS]), 20);
    EXPECT_EQ(flight_value(f.flight[21 % FLIGHT_SLOTS]), 5);  // the oldest
    EXPECT_EQ(flight_since_us(f.flight[20 % FLIGHT_SLOTS]), 10u);
    EXPECT_EQ(f.last_at, s.now());
    for (int i = 21; i <= 300; i++) {
        s.write(7, i);
        EXPECT_GE(f.flight_next, FLIGHT_SLOTS) << "full for good";
        EXPECT_EQ(flight_value(f.flight[(f.flight_next - 1) % FLIGHT_SLOTS]), i);
    }
}

}  // namespace
}  // namespace epaudit
