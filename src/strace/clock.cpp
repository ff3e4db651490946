// SPDX-License-Identifier: Apache-2.0
#include "src/strace/clock.h"

#include <algorithm>

#include "bpf/types.h"

namespace epaudit {
namespace {

constexpr uint64_t kDay = 86400 * NSEC_PER_SEC;
constexpr uint64_t kStepUntimed = 2;  // room for the end of a call behind its beginning
constexpr uint64_t kMostPlausible = 400 * kDay;

}  // namespace

// Difference to the line before. `wrap`: stamps begin again at 0 after so many ns (midnight), 0: never.
uint64_t LogClock::absolute(uint64_t stamp, uint64_t wrap)
{
    uint64_t step = 0;
    if (source_.stamped && stamp < source_.stamp) {
        uint64_t back = source_.stamp - stamp;
        if (back < NSEC_PER_SEC)  // threads, printed out of order
            return 0;
        if (wrap && back > wrap / 2)
            step = wrap - back;
        else
            steps_back_ += source_.fresh ? 0 : 1;
    } else if (source_.stamped) {
        step = stamp - source_.stamp;
    }
    source_.stamp = stamp;
    source_.stamped = true;
    source_.fresh = false;
    return step < kMostPlausible ? step : 0;
}

void LogClock::source(uint32_t number)
{
    if (number == number_)
        return;
    others_[number_] = source_;
    number_ = number;
    if (auto known = others_.find(number); known != others_.end()) {
        source_ = known->second;
        return;
    }
    source_.now = now_;
    source_.fresh = true;
}

void LogClock::goes_on(uint64_t step)
{
    source_.now += step;
    now_ = std::max(now_, source_.now);
}

uint64_t LogClock::at(const LogLine& line)
{
    switch (line.form) {
    case TimeForm::kNone:
        if (!known_)
            source_.now = now_ += kStepUntimed;
        return now_;
    case TimeForm::kRelative: goes_on(line.time < kMostPlausible ? line.time : 0); break;
    case TimeForm::kSeconds:
        coarse_ = true;
        goes_on(absolute(line.time, kDay));
        break;
    case TimeForm::kDay: goes_on(absolute(line.time, kDay)); break;
    case TimeForm::kEpochSeconds:
        coarse_ = true;
        goes_on(absolute(line.time, 0));
        break;
    case TimeForm::kEpoch: goes_on(absolute(line.time, 0)); break;
    }
    known_ = true;
    return now_;
}

}  // namespace epaudit
