// SPDX-License-Identifier: Apache-2.0
// Rows of a sweep are written over those of an earlier one: nothing of these may show through.
#include "src/capture/entries_sink.h"

#include <gtest/gtest.h>

namespace epaudit {
namespace {

// As the kernel hands it over: what is behind its end is not there.
void add(EntriesSink& sink, const Entry& entry) { sink.add(&entry, sweep_record_bytes(&entry)); }

Entry of_file(uint64_t id)
{
    Entry entry{};
    entry.file_id = id;
    return entry;
}

Entry with_runs(uint64_t id)
{
    Entry entry = of_file(id);
    entry.file.faulty = 1;
    entry.registration.ran = 1;
    entry.fault.refusals = 7;
    entry.runs.futile = 1000;
    return entry;
}

TEST(EntriesSink, WhatHadRunsAndFaultsIsFollowedByWhatHasNone)
{
    std::vector<Entry> entries;
    {
        EntriesSink sink(entries);
        add(sink, with_runs(1));
        add(sink, with_runs(2));
        sink.end();
    }
    ASSERT_EQ(entries.size(), 2u);
    EXPECT_EQ(entries[1].runs.futile, 1000u);
    EXPECT_EQ(entries[1].fault.refusals, 7u);

    EntriesSink sink(entries);
    add(sink, of_file(3));
    Entry faulty = of_file(4);
    faulty.file.faulty = 1;
    faulty.fault.refusals = 2;
    add(sink, faulty);
    add(sink, with_runs(5));
    sink.end();

    ASSERT_EQ(entries.size(), 3u);
    EXPECT_EQ(entries[0].file_id, 3u);
    EXPECT_EQ(entries[0].fault.refusals, 0u);
    EXPECT_EQ(entries[0].runs.futile, 0u);
    EXPECT_EQ(entries[1].fault.refusals, 2u);
    EXPECT_EQ(entries[1].runs.futile, 0u);
    EXPECT_EQ(entries[2].runs.futile, 1000u);
}

}  // namespace
}  // namespace epaudit
