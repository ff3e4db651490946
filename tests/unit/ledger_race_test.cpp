// SPDX-License-Identifier: Apache-2.0
// Two CPUs at one registration: the ledger's functions are run here in the order in which two threads of a program may
// come to them, one of them stopped in the middle of a booking.
#include <gtest/gtest.h>

#include "src/books/ledger_books.h"

namespace epaudit {
namespace {

constexpr u64 kEpoll = 0x1000;
constexpr u64 kListener = 0x2000;
constexpr u64 kClient = 0x3000;
constexpr u64 kListenerData = 0;  // data.ptr = nullptr, as many servers tell their listener from connections
constexpr u64 kClientData = 0x7f00aa00;

posting ctl(u8 kind, u64 file, s32 fd, u64 data, u8 file_kind, u64 time)
{
    posting p{};
    p.kind = kind;
    p.time = time;
    p.epoll = kEpoll;
    p.epfd = 3;
    p.file = file;
    p.ino = file;
    p.fd = fd;
    p.data = data;
    p.file_kind = file_kind;
    p.mask = EV_IN | EV_ONESHOT;
    p.tgid = 100;
    p.tid = 100;
    return p;
}

class LedgerRace : public testing::Test {
protected:
    void SetUp() override
    {
        posting add = ctl(POSTING_ADD, kListener, 4, kListenerData, FILE_LISTENER, 10);
        ledger_add(&books_, &add);
    }

    u64 indexed(u64 data)
    {
        const index_key at{kEpoll, data};
        const index_row* entry = books_index(&books_, &at);
        return entry ? entry->count : 0;
    }

    u32 registrations() { return books_epoll(&books_, kEpoll)->registrations; }

    books books_;
    registration_key key_{kEpoll, kClient, 5, 0};
};

TEST_F(LedgerRace, RearmWhileTheAddIsBeingBookedLeavesTheListenerOnTheIndex)
{
    bool made = false;
    registration_row* row = books_add_registration(&books_, &key_, &made);  // the ADD's thread has come this far
    ASSERT_TRUE(made);

    posting mod = ctl(POSTING_MOD, kClient, 5, kClientData, FILE_TCP,
                      20);  // the event was faster, and so is its re-arm
    ledger_mod(&books_, &mod);

    EXPECT_EQ(indexed(kListenerData), 1u);
    EXPECT_FALSE(row->open);
    EXPECT_EQ(registrations(), 1u) << "counted by whoever fills the row in";
}

TEST_F(LedgerRace, ARowBeingFilledInIsNotTakenAway)
{
    bool made = false;
    registration_row* row = books_add_registration(&books_, &key_, &made);
    posting add = ctl(POSTING_ADD, kClient, 5, kClientData, FILE_TCP, 20);
    EXPECT_EQ(ledger_open_registration(&books_, &add, books_epoll(&books_, kEpoll), &key_), row)
        << "the second of two that open it leaves it as it is";
    ledger_drop_registration(&books_, &key_, row, nullptr, true);
    EXPECT_EQ(books_registration(&books_, &key_), row);
    EXPECT_EQ(indexed(kListenerData), 1u);
    EXPECT_EQ(registrations(), 1u);
}

TEST_F(LedgerRace, ARegistrationThatTwoCpusEndIsTakenOffOnce)
{
    posting add = ctl(POSTING_ADD, kClient, 5, kClientData, FILE_TCP, 20);
    ledger_add(&books_, &add);
    posting other = ctl(POSTING_ADD, kClient + 1, 6, kClientData, FILE_TCP, 20);  // shares its data
    ledger_add(&books_, &other);
    ASSERT_EQ(indexed(kClientData), 2u);
    registration_row found_by_both = *books_registration(&books_, &key_);

    posting del = ctl(POSTING_DEL, kClient, 5, 0, FILE_TCP, 30);
    ledger_del(&books_, &del);
    ledger_drop_registration(&books_, &key_, &found_by_both, nullptr, true);

    EXPECT_EQ(indexed(kClientData), 1u);
    EXPECT_EQ(registrations(), 2u) << "the listener and the other client";
    EXPECT_EQ(books_epoll(&books_, kEpoll)->clients, 2u) << "those whose loop would stall: connections and listeners";
}

TEST_F(LedgerRace, AddThatIsBookedAfterTheRearmOfItsFirstEvent)
{
    posting mod = ctl(POSTING_MOD, kClient, 5, kClientData, FILE_TCP, 20);
    ledger_mod(&books_, &mod);
    posting add = ctl(POSTING_ADD, kClient, 5, kClientData, FILE_TCP, 21);
    ledger_add(&books_, &add);
    EXPECT_EQ(indexed(kClientData), 1u);
    EXPECT_EQ(indexed(kListenerData), 1u);
    EXPECT_EQ(registrations(), 2u);
}

// The kernel hands out the event before the ADD is booked; that it is unknown is noted only after.
TEST_F(LedgerRace, EventNotedAsUnknownAfterItsAddWasBookedIsNoLoss)
{
    posting add = ctl(POSTING_ADD, kClient, 5, kClientData, FILE_TCP, 20);
    ledger_add(&books_, &add);
    const u64 late = 20 + 2 * LEDGER_ADD_NS;  // long after anything was taken off: there would be no excuse
    for (const u64 time : std::initializer_list<u64>{late, late + 2 * LEDGER_UNKNOWN_NS}) {
        posting event = ctl(POSTING_DELIVERED, 0, -1, kClientData, 0, time);
        ledger_batch batch{};
        ledger_unplaced(&books_, &event, books_epoll(&books_, kEpoll), &batch);
        EXPECT_TRUE(batch.useful);
    }
    ledger_unknown_sweep(&books_, books_epoll(&books_, kEpoll), late + 9 * LEDGER_UNKNOWN_NS + 2 * LEDGER_ADD_NS);
    EXPECT_EQ(books_.stats[STAT_EVENTS_UNKNOWN], 0u);
}

TEST_F(LedgerRace, EventThatNothingExplainsIsALoss)
{
    const u64 late = 20 + 2 * LEDGER_ADD_NS;
    posting event = ctl(POSTING_DELIVERED, 0, -1, kClientData, 0, late);
    ledger_batch batch{};
    ledger_unplaced(&books_, &event, books_epoll(&books_, kEpoll), &batch);
    ledger_unknown_sweep(&books_, books_epoll(&books_, kEpoll), late + 2 * LEDGER_ADD_NS);
    EXPECT_EQ(books_.stats[STAT_EVENTS_UNKNOWN], 1u);
}

}  // namespace
}  // namespace epaudit
