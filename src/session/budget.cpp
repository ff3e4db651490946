// SPDX-License-Identifier: Apache-2.0
#include "src/session/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace epaudit {
namespace {

// Long enough for what must last seconds (connections that hang, herds, loops that poll without a timeout).
constexpr uint64_t kLongNs = 6'000'000'000;
constexpr double kLongShare = 0.01;
// A spin must last a second to be one.
constexpr uint64_t kExtendedNs = 1'600'000'000;
constexpr uint64_t kExtendAgainNs = 60'000'000'000, kExtendAtLastNs = 960'000'000'000;
constexpr uint64_t kPatienceNs = 60'000'000'000;
constexpr double kRoom = 0.7;
constexpr uint64_t kTickNs = 50'000'000;  // so much later than wanted, on average, is a window ended
constexpr uint64_t kLongestGapNs = 120'000'000'000;

}  // namespace

Result<std::optional<double>> parse_budget(const std::string& text)
{
    if (text == "none")
        return std::optional<double>();
    std::string number = text.substr(0, text.find_last_not_of("% ") + 1);
    double percent = 0;
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), percent);
    if (number.empty() || error != std::errc() || end != number.data() + number.size() || !(percent > 0) ||
        percent > 100)
        return usage_error(fmt::format("'{}' is no budget", text),
                           "a percentage of the CPU time of what is watched, such as 1 or 0.5, or none");
    return std::optional<double>(percent / 100);
}

double Budget::allowed() const { return share_ * std::max(spending_ ? spending_->watched : 0, 1.0); }

// As short as a window may be, and as often as can be: the rarer, the later a spin is found.
uint64_t Budget::window_at(unsigned level) const
{
    return std::max(kWindowNs, static_cast<uint64_t>(static_cast<double>(kPeriodNs) * of_time(level)));
}

// In cores, by what was measured last.
double Budget::cost_at(unsigned level) const
{
    if (!spending_)
        return 0;
    const double attached = spending_->probes + spending_->own;
    if (level == 0)
        return attached;
    const double period = static_cast<double>(window_at(level)) / of_time(level);
    return attached * (of_time(level) + kLongShare) + changes_ns_ / period;
}

unsigned Budget::cheapest() const
{
    unsigned best = level_;
    for (unsigned level = 0; level <= kLowest; level++)
        if (cost_at(level) < (best == level_ ? kRoom : 1) * cost_at(best))
            best = level;
    return best;
}

void Budget::choose(uint64_t now)
{
    unsigned level = level_;
    while (level < kLowest && cost_at(level) > allowed())
        level++;
    if (cost_at(level) > allowed())
        level = cheapest();
    if (level == level_ && level > 0 && now - stepped_at_ >= kPatienceNs && cost_at(level - 1) <= kRoom * allowed())
        level--;
    if (level == level_)
        return;
    level_ = level;
    stepped_at_ = now;
    steps_++;
}

void Budget::measured(const Spending& spending, uint64_t now)
{
    const double own_before = spending_ ? spending_->own : 0;
    spending_ = spending;
    // What we spend comes in heaps: symbols of a program are read once, tables are allocated at the first look, and of 100,000
    // files each look is one. Only what is spent twice in a row will be spent again, and the opening is no measure. What the
    // probes cost needs no such patience. In windows, it is the changes that cost.
    if (level_ > 0) {
        spending_->own = own_before;
    } else {
        const double own = now < opening_ends_ ? 0 : spending.own;
        spending_->own = std::min(own, own_before_);
        own_before_ = own;
    }
    choose(now);
}

// What the window did not take to look.
void Budget::learn_to_attach(uint64_t lasted)
{
    const double looking = spending_ ? spending_->own * static_cast<double>(lasted) : 0;
    to_attach_ns_ = std::max(0.0, static_cast<double>(own_cpu_ - own_at_attach_) - looking);
}

void Budget::learn_changes()
{
    const double changes = to_attach_ns_ + static_cast<double>(own_cpu_ - own_at_detach_);
    // What was dear once (the symbols of a program are read) says nothing of the next time.
    changes_ns_ = std::min(changes, changes_before_ > 0 ? changes_before_ : changes);
    changes_before_ = changes;
}

Budget::Step Budget::detach(uint64_t now)
{
    const uint64_t lasted = now - since_;
    attached_ns_ += lasted;
    own_at_detach_ = own_cpu_;
    extended_ = false;
    // What goes beyond the usual is rare, and not paid for at once: else what comes next would not be seen for a minute.
    const uint64_t counted = std::clamp(lasted, kWindowNs, window_at(level_) + kTickNs);
    const double gap = static_cast<double>(counted) * (1 / of_time(level_) - 1);
    until_ = now + std::min(static_cast<uint64_t>(gap), kLongestGapNs);
    attached_ = false;
    since_ = now;
    return Step::kDetach;
}

Budget::Step Budget::attach(uint64_t now)
{
    const uint64_t gap = now - since_;
    detached_ns_ += gap;
    longest_gap_ = std::max(longest_gap_, gap);
    if (own_at_attach_)
        learn_changes();
    own_at_attach_ = own_cpu_;
    window_ = window_at(level_);
    if (static_cast<double>(now - last_long_) >= static_cast<double>(kLongNs) / kLongShare) {
        window_ = std::max(window_, kLongNs);
        last_long_ = now;
    }
    attached_ = true;
    since_ = now;
    return Step::kAttach;
}

Budget::Step Budget::tick(uint64_t now, bool suspicious)
{
    if (!attached_) {
        if (level_ > 0 && now < until_)
            return Step::kStay;
        return attach(now);
    }
    if (level_ == 0 || now < opening_ends_)
        return Step::kStay;
    const uint64_t lasted = now - since_;
    if (lasted < window_)
        return Step::kStay;
    const bool allowed = extended_ || !extended_at_ || now - extended_at_ >= extended_wait_;
    if (suspicious && allowed && lasted < std::max(kExtendedNs, window_)) {
        if (!extended_)
            extended_at_ = now;
        extended_ = true;
        return Step::kStay;
    }
    if (extended_)  // nothing came of it, unless it is suspicious no more
        extended_wait_ = suspicious ? std::clamp(2 * extended_wait_, kExtendAgainNs, kExtendAtLastNs) : 0;
    if (own_at_attach_)
        learn_to_attach(lasted);
    choose(now);
    return level_ == 0 ? Step::kStay : detach(now);
}

double Budget::attached_share(uint64_t now) const
{
    const uint64_t rest = now - since_;
    const double attached = static_cast<double>(attached_ns_ + (attached_ ? rest : 0));
    const double all = static_cast<double>(attached_ns_ + detached_ns_ + rest);
    return all > 0 ? attached / all : 1;
}

}  // namespace epaudit
