// SPDX-License-Identifier: Apache-2.0
// The engine of the four spin rules. The ledger counts, at delivery, how many returns in a row reported a
// registration without anybody having done anything about it; this decides when that is a spin, what it
// costs, and which one rule it belongs to.
#pragma once

#include <optional>
#include <vector>

#include "rules/passing.h"
#include "src/audit/rule.h"

namespace epaudit {

enum class SpinShape {
    kNone,    // another rule's (a listener out of descriptors: EP205, a closed number: EP303)
    kOut,     // EP201
    kUnread,  // EP202
    kEof,     // EP203
    kHupErr,  // EP204
};

struct Spin {
    uint64_t returns = 0;  // consecutive futile returns
    double seconds = 0;    // from the first to the last of them
    double per_s = 0;
    double cpu_share = -1;  // of one core; -1: not known
    uint64_t at = 0;        // of the first of them
    uint32_t events = 0;    // bits reported in the run
    uint32_t between = 0;   // enum between_bit: what came before many of the returns
    run_calls calls{};
    bool running = true;
    SpinShape shape = SpinShape::kNone;
    uint64_t ones = 1;  // registrations, one after another (passing.h)
};

// What the run that goes on costs its thread, if it is long enough for a spin and that is known.
void add_cpu_share(Finding& finding, const Entry& entry);

// The present run of this registration, or else the longest one that ended, if it is a spin.
std::optional<Spin> find_spin(const Snapshot& books, const Entry& entry, const Settings& settings);

// Of connections that pass, together: none if that is no spin, or too small a part of the time.
std::optional<Spin> find_passing_spin(const Snapshot& books, const Passed& sum, const Settings& settings);

// At the last look of a short watch: all runs of this registration, if they would be a spin had it been watched for longer.
std::optional<Spin> find_brief_spin(const Snapshot& books, const Entry& entry, const Settings& settings);

// Whose its runs are, spin or not.
SpinShape shape_so_far(const Snapshot& books, const Entry& entry);

// What each of the four rules says about its own shape.
struct SpinAdvice {
    SpinShape shape;
    std::string (*summary)(const Entry& entry, const Spin& spin);
    std::string (*fix)(const Entry& entry, const Spin& spin);
};

inline constexpr Threshold kSpinReturns{"returns",
                                        {100, 100, Unit::kCount},
                                        "consecutive wake-ups without work that make a run",
                                        {"a few empty returns in a row count", "short runs are missed"}};

inline constexpr Threshold kPerS{"per_s",
                                 {100, 100, Unit::kPerSecond},
                                 "wake-ups without work per second that the run must reach",
                                 {"loops that mostly sleep are accused", "slow spins are missed"}};
inline constexpr Threshold kSpinS{"seconds",
                                  {1, 1, Unit::kSeconds},
                                  "seconds the run must last",
                                  {"a burst that ends by itself counts", "short spins are missed"},
                                  kPatience};

std::vector<Threshold> spin_thresholds();

// enum between_bit: what came before a tenth of the returns, and more. The rest happens in any long run.
uint32_t usual_calls(const run_calls& calls);
// "nothing between returns", "read = EAGAIN, write = EPIPE between returns"
std::string between_text(const run_calls& calls);
std::string between_text(uint32_t between);  // where only the bits are known
// "write = EPIPE, 412000 times"; empty where failing calls are not what answers the returns.
std::string answer_text(const run_calls& calls);

class Sharers;

class SpinRule : public Rule {
public:
    SpinRule(RuleInfo info, SpinAdvice advice) : info_(std::move(info)), advice_(advice) {}
    const RuleInfo& info() const override { return info_; }
    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override;
    Coverage coverage(const Sight& sight) const override;

private:
    void judge(const Snapshot& books, const Entry& entry, Sharers& sharers, const Settings& settings,
               std::vector<Finding>& out);
    Finding tell(const Snapshot& books, const Entry& entry, const Spin& spin, const Settings& settings) const;

    RuleInfo info_;
    SpinAdvice advice_;
    Passing passing_;
};

}  // namespace epaudit
