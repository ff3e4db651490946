// SPDX-License-Identifier: Apache-2.0
// Keeps what watching costs within a budget: a share of the CPU time that the watched processes use, or of one core, if
// they use less than one. Where being attached all the time costs more, the probes are attached in windows only, and
// detached in between, when they cost nobody anything.
//
// It begins with an opening of five seconds in which the probes are attached whatever that costs: a fault of a busy server
// is seen in that, and who looks for half a minute has looked. Of a minute, that is what a twelfth of it costs.
//
// The ladder: attached always, then a half of the time, a quarter, and so on. A step down is taken as soon as a
// measurement says so, as many at once as are needed; a step up only after a minute, and when the next step would take
// no more than 70 % of the budget: what is measured varies, and a ladder that is climbed up and down costs more than it
// saves. Where no step keeps the budget, the cheapest is taken: to attach to a process with 100,000 files, which are all
// looked at, costs more than to stay attached.
//
// A window is short, and comes every 6.4 s as long as the budget allows. What is suspicious and not told yet keeps it
// open (a spin shows at once, and must last a second to be one); where nothing came of that, the next such thing has to
// wait. Every ten minutes one window is long, for what takes seconds to be seen; a share of the time is set aside for it.
//
// Rejected: fewer probes instead of none. Most of what a program loses, it loses because there is any probe on the way in
// and out of its system calls: nginx keeps 93 % of its throughput under probes that do nothing (docs/cost.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "src/support/result.h"

namespace epaudit {

// "1", "0.5 %", "none"; as a share.
Result<std::optional<double>> parse_budget(const std::string& text);

// While the probes are attached, in cores.
struct Spending {
    double probes = 0;   // in everybody's system calls
    double own = 0;      // epaudit itself
    double watched = 0;  // the watched processes
};

class Budget {
public:
    static constexpr uint64_t kOpeningNs = 5'000'000'000;

    Budget(double share, uint64_t now, uint64_t opening_ns = kOpeningNs)
        : share_(share), since_(now), opening_ends_(now + opening_ns), stepped_at_(now), last_long_(now)
    {
    }

    enum class Step { kStay, kDetach, kAttach };
    // Between looks, as often as one likes. `suspicious`: a probe or the last look saw something that is not told yet.
    // The step has been taken when this returns.
    Step tick(uint64_t now, bool suspicious);
    // Of a stretch that was attached all the time.
    void measured(const Spending& spending, uint64_t now);
    // What all has cost epaudit itself so far, changes between attached and detached included, ns. Call it before tick().
    void own_cpu(uint64_t ns) { own_cpu_ = ns; }

    double share() const { return share_; }
    bool attached() const { return attached_; }
    bool extended() const { return extended_; }  // this window, because something was suspicious
    bool always() const { return level_ == 0; }
    // So much of the time so far the probes were attached.
    double attached_share(uint64_t now) const;
    uint64_t longest_gap() const { return longest_gap_; }  // ns
    unsigned steps() const { return steps_; }              // up and down the ladder

    static constexpr uint64_t kWindowNs = 100'000'000;
    static constexpr uint64_t kPeriodNs = 6'400'000'000;
    static constexpr unsigned kLowest = 8;  // 1/256 of the time

private:
    double of_time(unsigned level) const { return 1.0 / static_cast<double>(1u << level); }
    uint64_t window_at(unsigned level) const;
    double cost_at(unsigned level) const;
    unsigned cheapest() const;
    double allowed() const;
    void learn_to_attach(uint64_t lasted);
    void learn_changes();
    void choose(uint64_t now);
    Step detach(uint64_t now);
    Step attach(uint64_t now);

    double share_;
    unsigned level_ = 0;
    bool attached_ = true;
    uint64_t since_;              // attached or detached
    uint64_t opening_ends_;       // not detached before
    uint64_t until_ = 0;          // detached
    uint64_t window_ = 0;         // how long this one is to last
    bool extended_ = false;       // this one
    uint64_t extended_at_ = 0;    // the last that was,
    uint64_t extended_wait_ = 0;  // and how long after that none may be
    uint64_t stepped_at_;
    uint64_t last_long_;
    std::optional<Spending> spending_;
    double own_before_ = 0;  // in cores, as it was measured last
    double changes_ns_ = 0;  // of our own, each time: to detach, to wait, and to attach again
    double changes_before_ = 0;
    double to_attach_ns_ = 0;  // a part of it, the last time
    uint64_t own_cpu_ = 0;
    uint64_t own_at_attach_ = 0, own_at_detach_ = 0;  // then
    uint64_t attached_ns_ = 0, detached_ns_ = 0;
    uint64_t longest_gap_ = 0;
    unsigned steps_ = 0;
};

}  // namespace epaudit
