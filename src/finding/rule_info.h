// SPDX-License-Identifier: Apache-2.0
// What a rule says of itself: its name, what it needs, and the numbers that decide.
#pragma once

#include <string_view>
#include <vector>

#include "src/books/call_sites.h"
#include "src/finding/finding.h"

namespace epaudit {

enum class Profile {
    kProduction,  // attach: patient thresholds
    kTest,        // run: seen from birth, small load
};

enum class Unit {
    kSeconds,
    kPerSecond,
    kShare,  // 0 to 1, also of a core
    kCount,
    kBytes,
    kSwitch,  // 0 or 1
};
const char* unit_name(Unit unit);  // "s", "per s", "share", ...

// A named number that decides: a constant beside its rule. Set with --set <rule>.<name>=<value>; shown by `explain`.
struct Threshold {
    const char* name;
    struct {
        double production;
        double test;
        Unit unit;
    } defaults;
    const char* meaning;  // "seconds the run must last"
    // What gets worse: as a rule a correct program is accused, or a real fault is missed.
    struct {
        const char* lower;
        const char* higher;
    } worse;
    // Seconds that must pass before the rule can say what it is for: an observation that is shorter cannot clear anybody.
    bool patience = false;
};
constexpr bool kPatience = true;

enum class Seam { kReadiness, kWakeups, kState };  // what a rule needs from the hooks beside system calls

struct RuleInfo {
    const char* id;    // EP201
    const char* name;  // busy-epollout
    const char* says;  // one line for `epaudit rules`
    Level highest;     // the highest level it can reach
    std::vector<Threshold> thresholds;
    std::vector<Seam> needs;
    const char* blind;                // what it cannot see, one line
    std::vector<StackRole> stacks{};  // the calls that show the mistake, the guilty one first
};

// By id (EP201), name (busy-epollout) or a family's prefix (EP2).
bool names_rule(std::string_view id, std::string_view name, std::string_view text);

}  // namespace epaudit
