// SPDX-License-Identifier: Apache-2.0
// A rule is an auditor: it looks at the books, now and a moment ago, and says where they do not balance.
//
// To add one: `./dev new-rule NAME`. It writes rules/<name>/{rule.cpp,explain.md}, the demo twin and the
// unit test, and one line in rules/catalogue.cpp, the only list of rules.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/audit/finding.h"
#include "src/books/call_sites.h"
#include "src/books/snapshot.h"

namespace epaudit {

enum class Profile {
    kProduction,  // attach: patient thresholds
    kTest,        // run: seen from birth, small load
};

// A named number that decides. Set with --set <rule>.<name>=<value>; shown by `explain`.
struct Threshold {
    const char* name;
    double production;
    double test;
    const char* meaning;  // with its unit: "seconds the run must last"
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

enum class Status { kAvailable, kDegraded, kUnavailable };

struct Coverage {
    Status status = Status::kAvailable;
    std::string reason;
};

// The same with the rule's names, for reports.
struct RuleCoverage {
    std::string rule;  // EP201
    std::string name;  // busy-epollout
    Status status = Status::kAvailable;
    std::string reason;
};

// What the capture in use can see; decides coverage.
struct Sight {
    bool kernel_state = true;  // unread bytes, backlog, socket state
    bool readiness = true;     // who becomes ready, when
    bool wakeups = true;       // who is woken from epoll_wait
    enum class Times { kFine, kSeconds, kNone };
    Times times = Times::kFine;  // kSeconds: whole ones; kNone: only the order of things is known
    bool durations = true;       // when a call ended
    bool all_threads = true;     // every thread of the program is watched
    bool calls = true;           // what it does about its events: reads, writes, accepts
    bool accepts = true;         // accept among them
    std::string unseen;          // why what the program did about its events cannot be judged; empty: it can
    std::string hooks;           // "tracepoint"
    std::string why;             // reason for what is missing
    std::string choice;          // why not the better hook set, empty when it is in use
};

// The thresholds in force for one rule.
class Settings {
public:
    Settings(const RuleInfo& info, Profile profile);
    // False: no such threshold. `origin` is where the value comes from: "--set", "epaudit.toml:12".
    bool set(const std::string& name, double value, const std::string& origin = "--set");
    std::string origin(const std::string& name) const;  // "default" unless it was set
    double operator[](const char* name) const;          // check-fails on a name the rule does not declare
    uint64_t ns(const char* name) const;                // a threshold given in seconds, as ns
    Profile profile() const { return profile_; }

private:
    Profile profile_;
    std::vector<std::pair<std::string, double>> values_;
    std::map<std::string, std::string> origins_;
};

class Rule {
public:
    virtual ~Rule() = default;
    virtual const RuleInfo& info() const = 0;
    // Called after every sweep; may keep memory between calls. Report the same subject again and again:
    // the auditor keeps the highest level and the newest evidence.
    virtual void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) = 0;
    virtual Coverage coverage(const Sight& sight) const;  // default: from info().needs
    // The longest of its thresholds that are patience; 0: it needs none.
    double patience(const Settings& settings) const;
};

// The one list of rules, in the order of their ids (rules/catalogue.cpp). Each call makes fresh ones, with
// no memory. Their explain pages: rules/explain.h.
std::vector<std::unique_ptr<Rule>> make_rules();

}  // namespace epaudit
