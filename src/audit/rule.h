// SPDX-License-Identifier: Apache-2.0
// A rule is an auditor: it looks at the books, now and a moment ago, and says where they do not balance.
//
// To add one: `./dev new-rule NAME`. It writes rules/<name>/{rule.cpp,explain.md}, the demo twin and the
// unit test, and one line in rules/catalogue.cpp, the only list of rules.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "src/books/call_sites.h"
#include "src/books/snapshot.h"
#include "src/finding/coverage.h"
#include "src/finding/finding.h"
#include "src/finding/rule_info.h"

namespace epaudit {

// The thresholds in force for one rule.
class Settings {
public:
    Settings(const RuleInfo& info, Profile profile);
    // False: no such threshold. `origin` is where the value comes from: "--set", "epaudit.toml:12".
    bool set(const std::string& name, double value, const std::string& origin = "--set");
    std::string origin(const std::string& name) const;  // "default" unless it was set
    // Asked for each registration at each look. Check-fails on a threshold that is none of the rule's.
    double operator[](const Threshold& threshold) const
    {
        // The constant that the rule lists is mostly the one that it asks for: no need to read the name.
        for (const Value& known : values_)
            if (known.name == threshold.name)
                return known.value;
        return by_text(threshold);
    }
    uint64_t ns(const Threshold& threshold) const;  // a threshold given in seconds, as ns
    Profile profile() const { return profile_; }

private:
    struct Value {
        const char* name;  // of the rule's own constant
        double value;
    };
    double by_text(const Threshold& threshold) const;

    Profile profile_;
    std::vector<Value> values_;
    std::map<std::string, std::string> origins_;
};

class Rule {
public:
    virtual ~Rule() = default;
    virtual const RuleInfo& info() const = 0;
    // Called after every sweep; may keep memory between calls. Report the same subject again and again:
    // the auditor keeps the highest level and the newest evidence.
    virtual void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) = 0;
    // What it remembers is of files and their number, not of counters: it holds when the books begin anew.
    virtual bool outlives_books() const { return false; }
    virtual Coverage coverage(const Sight& sight) const;  // default: from info().needs
    // The longest of its thresholds that are patience; 0: it needs none.
    double patience(const Settings& settings) const;
};

}  // namespace epaudit
