// SPDX-License-Identifier: Apache-2.0
// The engine of the four spin rules. The ledger counts, at delivery, how many returns in a row reported a
// registration without anybody having done anything about it; this decides when that is a spin, what it
// costs, and which one rule it belongs to.
#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <vector>

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
};

// The present run of this registration, or else the longest one that ended, if it is a spin.
std::optional<Spin> find_spin(const Snapshot& books, const Entry& entry, const Settings& settings);

// What each of the four rules says about its own shape.
struct SpinAdvice {
    SpinShape shape;
    std::string (*summary)(const Entry& entry, const Spin& spin);
    std::string (*fix)(const Entry& entry, const Spin& spin);
};

std::vector<Threshold> spin_thresholds();

// enum between_bit: what came before a tenth of the returns, and more. The rest happens in any long run.
uint32_t usual_calls(const run_calls& calls);
// "nothing between returns", "read = EAGAIN, write = EPIPE between returns"
std::string between_text(const run_calls& calls);
std::string between_text(uint32_t between);  // where only the bits are known
// "write = EPIPE, 412000 times"; empty where failing calls are not what answers the returns.
std::string answer_text(const run_calls& calls);

// Where data does not tell which registration an event was about, a run counts for all that may be meant: those that
// have the same data in the same epoll. There may be thousands of them: they are found in one pass, when somebody asks.
class Sharers {
public:
    explicit Sharers(const Snapshot& books) : books_(books) {}
    // By number; none: its data is its own.
    const std::vector<const Entry*>& of(const Entry& entry);

private:
    void count();

    using Group = std::tuple<uint64_t, uint64_t, bool>;  // epoll, data, buried

    const Snapshot& books_;
    bool counted_ = false;
    std::map<Group, std::vector<const Entry*>> groups_;
};

class SpinRule : public Rule {
public:
    SpinRule(RuleInfo info, SpinAdvice advice) : info_(std::move(info)), advice_(advice) {}
    const RuleInfo& info() const override { return info_; }
    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override;
    Coverage coverage(const Sight& sight) const override;

private:
    void judge(const Snapshot& books, const Entry& entry, Sharers& sharers, const Settings& settings,
               std::vector<Finding>& out) const;

    RuleInfo info_;
    SpinAdvice advice_;
};

}  // namespace epaudit
