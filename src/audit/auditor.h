// SPDX-License-Identifier: Apache-2.0
// Runs the rules that are wanted over the books, and makes findings of what they say.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/audit/kept.h"
#include "src/audit/rule.h"
#include "src/support/result.h"

namespace epaudit {

class Auditor {
public:
    Auditor(Profile profile, std::vector<std::unique_ptr<Rule>> rules);

    // Rules are named by id (EP201), name (busy-epollout) or a family's prefix (EP2). select() leaves only
    // these on, ignore() turns these off; the last word counts.
    Result<> select(const std::vector<std::string>& names);
    Result<> ignore(const std::vector<std::string>& names);
    // "busy-epollout.per_s=100" or "EP201.per_s=100"
    Result<> set(const std::string& assignment);
    // False: no such rule or threshold. `origin` says where the value comes from.
    bool set(std::string_view rule, const std::string& name, double value, const std::string& origin);
    // Findings note when they first reached this level.
    void set_gate(Level gate) { kept_.set_gate(gate); }

    void look(const Snapshot& books);
    // The books begin anew, with other counters in the same rows: `rules` (all, with no memory) take the place of those
    // whose memory would not fit (Rule::outlives_books). Settings and findings stay.
    void begin_anew(std::vector<std::unique_ptr<Rule>> rules);

    using Bounds = KeptFindings::Bounds;
    void set_bounds(const Bounds& bounds) { kept_.set_bounds(bounds); }
    size_t kept() const { return kept_.subjects().size(); }
    size_t kinds() const { return kept_.kinds(); }
    std::string left_out() const { return kept_.left_out(); }

    // Merged by fingerprint, worst level first, then by rule id. What lacks a stack is merged with what has one.
    std::vector<Finding> findings() const;
    // Of the rules that are on.
    std::vector<RuleInfo> rules() const;
    std::vector<RuleCoverage> coverage(const Sight& sight) const;
    const Settings* settings(std::string_view id_or_name) const;
    // Seconds that rules which are on and can look need before they can say anything: those that need more than `seconds`.
    std::map<double, std::vector<std::string>> impatient(double seconds, const Sight& sight) const;
    size_t rules_on() const;
    bool is_on(std::string_view id_or_name) const;

private:
    struct Slot {
        std::unique_ptr<Rule> rule;
        Settings settings;
        bool on = true;
    };
    Slot* find(std::string_view id_or_name);
    Result<> mark(const std::vector<std::string>& names, bool on);
    Error unknown_rule(std::string_view name) const;
    void add_stacks(const Snapshot& books);
    void add_helpers(CallSites& sites);

    std::vector<Slot> slots_;
    struct Helpers {
        uint64_t places = 0;  // CallSites::places_in() of which they were told
        std::vector<Helper> functions;
    };

    KeptFindings kept_;
    std::map<uint32_t, Helpers> helpers_;  // of processes that have findings
};

}  // namespace epaudit
