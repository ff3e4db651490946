// SPDX-License-Identifier: Apache-2.0
#include "src/strace/clock.h"

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
    if (stamped_ && stamp < stamp_) {
        uint64_t back = stamp_ - stamp;
        if (back < NSEC_PER_SEC)  // threads, printed out of order
            return 0;
        if (wrap && back > wrap / 2)
            step = wrap - back;
        else
            steps_back_ += 1;
    } else if (stamped_) {
        step = stamp - stamp_;
    }
    stamp_ = stamp;
    stamped_ = true;
    return step < kMostPlausible ? step : 0;
}

uint64_t LogClock::at(const LogLine& line)
{
    switch (line.form) {
    case TimeForm::kNone:
        if (!known_)
            now_ += kStepUntimed;
        return now_;
    case TimeForm::kRelative: now_ += line.time < kMostPlausible ? line.time : 0; break;
    case TimeForm::kSeconds:
        coarse_ = true;
        now_ += absolute(line.time, kDay);
        break;
    case TimeForm::kDay: now_ += absolute(line.time, kDay); break;
    case TimeForm::kEpochSeconds:
        coarse_ = true;
        now_ += absolute(line.time, 0);
        break;
    case TimeForm::kEpoch: now_ += absolute(line.time, 0); break;
    }
    known_ = true;
    return now_;
}

}  // namespace epaudit
