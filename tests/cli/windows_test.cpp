// SPDX-License-Identifier: Apache-2.0
// What a live observation tells the ladder of --budget, in simulated time.
#include "src/session/windows.h"

#include <gtest/gtest.h>

namespace epaudit {
namespace {

constexpr uint64_t kStep = 100'000'000, kOpening = 1'000'000'000'000;

std::vector<Entry> spinning(uint64_t file)
{
    Entry entry{};
    entry.file_id = file;
    entry.key.epoll = 1;
    entry.registration.run = 100;
    return {entry};
}

// Probes that cost far more than the budget.
struct Watching {
    Windows windows{0.01, 0, kOpening, 0};
    uint64_t now = kOpening;

    Budget::Step tick(size_t findings = 0)
    {
        now += kStep;
        return windows.tick(now, static_cast<double>(now - kOpening) / 1e9 * 0.001, findings, false);
    }
    // Ticks until the probes are detached, while these are what each look sees; then those until they are attached again.
    unsigned window(const std::vector<Entry>& entries, size_t findings = 0)
    {
        unsigned ticks = 0;
        do {
            windows.looked(entries);
            ticks++;
        } while (tick(findings) != Budget::Step::kDetach && ticks < 10'000);
        windows.closed();
        while (tick(findings) != Budget::Step::kAttach)
            continue;
        windows.opened(findings);
        return ticks;
    }
    void calm(unsigned count)
    {
        for (unsigned i = 0; i < count; i++)
            window({});
    }
};

TEST(Windows, ASpinKeepsOneOpenAndOnlyOnce)
{
    Watching watching;
    watching.now += 10 * kStep;
    watching.windows.measured({0.5, 1, 10 * kStep}, 0.001, watching.now);
    const unsigned usual = watching.window({});
    const unsigned kept_open = watching.window(spinning(7));
    EXPECT_GT(kept_open, usual + 5) << "it must last a second to be one";
    watching.calm(50);
    EXPECT_EQ(watching.window(spinning(7)), usual) << "nothing came of it";
    EXPECT_EQ(watching.window(spinning(8)), kept_open) << "that is another one";
}

TEST(Windows, WhatIsToldKeepsNoneOpen)
{
    Watching watching;
    watching.now += 10 * kStep;
    watching.windows.measured({0.5, 1, 10 * kStep}, 0.001, watching.now);
    const unsigned usual = watching.window({});
    watching.windows.looked(spinning(7));
    EXPECT_EQ(watching.window(spinning(7), 1), usual);
}

TEST(Windows, EveryFourthIsMeasured)
{
    Watching watching;
    unsigned measured = 0;
    for (int i = 0; i < 8; i++)
        measured += watching.windows.opened(0);
    EXPECT_EQ(measured, 2u);
}

}  // namespace
}  // namespace epaudit
