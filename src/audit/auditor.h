// SPDX-License-Identifier: Apache-2.0
// Runs the rules over the books and keeps what they say: one finding per rule and subject, at its highest
// level, with the newest evidence of that level.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

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
    void set_gate(Level gate) { gate_ = gate; }

    void look(const Snapshot& books);
    // The books begin anew, with other counters in the same rows: `rules` (all, with no memory) take the place of those
    // whose memory would not fit (Rule::outlives_books). Settings and findings stay.
    void begin_anew(std::vector<std::unique_ptr<Rule>> rules);

    // Bounds of what is kept for weeks: subjects of one kind (placeless_fingerprint()), of all, and kinds. Beyond them only
    // what is worse than its kind was is kept, and the kinds that are least and longest ago are forgotten.
    struct Bounds {
        size_t of_kind = 5000;
        size_t subjects = 40000;
        size_t kinds = 2000;
    };
    void set_bounds(const Bounds& bounds) { bounds_ = bounds; }
    size_t kept() const { return kept_.size(); }
    size_t kinds() const { return merged_.size(); }
    // What was left out for want of room, as a sentence of the report; empty: nothing was.
    std::string left_out() const;

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
    struct Merged {
        size_t subjects = 0;
        Level highest = Level::kInfo;
        uint64_t said_at = 0;
    };
    using Subject = std::tuple<std::string, uint64_t, uint64_t, uint32_t, uint64_t>;  // rule, epoll, file, pid, inode

    Slot* find(std::string_view id_or_name);
    Result<> mark(const std::vector<std::string>& names, bool on);
    Error unknown_rule(std::string_view name) const;
    void keep(Finding&& finding, const Snapshot& books);
    void take_back(const Finding& withdrawn);
    bool has_room(const Merged& kind, Level level) const;
    void forget_kinds(const Merged* except);
    void forget_one_of(const std::string& kind);
    void add_stacks(const Snapshot& books);
    void add_helpers(CallSites& sites);

    std::vector<Slot> slots_;
    struct Helpers {
        uint64_t places = 0;  // CallSites::places_in() of which they were told
        std::vector<Helper> functions;
    };

    std::map<Subject, Finding> kept_;
    std::map<uint32_t, Helpers> helpers_;   // of processes that have findings
    std::map<std::string, Merged> merged_;  // by placeless_fingerprint()
    Level gate_ = Level::kLikely;
    Bounds bounds_;
    bool subjects_left_out_ = false;
    uint64_t kinds_forgotten_ = 0;
};

}  // namespace epaudit
