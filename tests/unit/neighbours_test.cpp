// SPDX-License-Identifier: Apache-2.0
// Entries beside each other: what capture hands over in two ways is one list for the rules, file by file.
#include "src/books/neighbours.h"

#include <gtest/gtest.h>

#include <vector>

namespace epaudit {
namespace {

sweep_record entry(uint64_t file, uint64_t epoll)
{
    sweep_record made{};
    made.file_id = made.key.file = file;
    made.key.epoll = epoll;
    return made;
}

using Pairs = std::vector<std::pair<uint64_t, uint64_t>>;  // file, epoll

Pairs told(std::span<const sweep_record> entries)
{
    Pairs pairs;
    for (const sweep_record& one : entries)
        pairs.emplace_back(one.file_id, one.key.epoll);
    return pairs;
}

// A listener of 20 workers is in 20 epolls: the kernel's iterator has room for the first of them, and the others come
// after the files that follow it.
TEST(Neighbours, RegistrationsThatComeLateStandBesideTheOthersOfTheirFile)
{
    std::vector<sweep_record> entries = {entry(7, 1), entry(7, 2), entry(8, 1), entry(9, 1),
                                         entry(7, 3), entry(9, 2), entry(7, 4)};
    bring_together(entries, 3);
    EXPECT_EQ(told(entries), (Pairs{{7, 1}, {7, 2}, {7, 3}, {7, 4}, {8, 1}, {9, 1}, {9, 2}}));
    const Neighbours neighbours(entries);
    ASSERT_EQ(neighbours.files().size(), 3u);
    EXPECT_EQ(neighbours.files()[0].size(), 4u);
}

TEST(Neighbours, NoneIsLostThatComesLateAndAlone)
{
    std::vector<sweep_record> entries = {entry(7, 1), entry(8, 1), entry(8, 2)};
    bring_together(entries, 2);
    EXPECT_EQ(told(entries), (Pairs{{7, 1}, {8, 1}, {8, 2}}));
}

TEST(Neighbours, FindsTheEntriesOfAFileWhereverTheyStand)
{
    const std::vector<sweep_record> entries = {entry(9, 1), entry(7, 1), entry(8, 1), entry(7, 2)};
    const Neighbours neighbours(entries);
    const auto places = neighbours.of_file(7);
    ASSERT_EQ(places.size(), 2u);
    EXPECT_EQ(places[0].at, 1u);
    EXPECT_EQ(places[1].at, 3u);
    EXPECT_TRUE(neighbours.of_file(6).empty());
}

// Rules ask for these instead of going through all.
TEST(Neighbours, EntriesAndFilesAreFoundByWhatTheyHave)
{
    std::vector<sweep_record> entries = {entry(7, 1), entry(7, 2), entry(8, 1), entry(9, 1)};
    for (sweep_record& one : entries)
        one.live_mask = EV_IN;
    entries[1].registration.flips = 1;
    entries[2].file.kind = FILE_LISTENER;
    entries[3].fault.mixed = 1;
    entries[3].live_mask = EV_ET;
    const Neighbours neighbours(entries);
    using Found = std::vector<const sweep_record*>;
    EXPECT_EQ(neighbours.with(kTraitFlips), (Found{&entries[1]}));
    EXPECT_EQ(neighbours.with(kTraitListens | kTraitMixed), (Found{&entries[2], &entries[3]}));
    EXPECT_EQ(neighbours.with(kTraitDisarmed), (Found{&entries[3]})) << "nothing is asked for";
    EXPECT_TRUE(neighbours.with(kTraitRuns | kTraitGhost | kTraitCut).empty());
    ASSERT_EQ(neighbours.files_with(kTraitFlips).size(), 1u);
    EXPECT_EQ(told(neighbours.files_with(kTraitFlips).front()), (Pairs{{7, 1}, {7, 2}})) << "the whole file";
}

}  // namespace
}  // namespace epaudit
