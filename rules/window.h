// SPDX-License-Identifier: Apache-2.0
// For rules about rates: what the counters were a while ago.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "src/books/duration.h"

namespace epaudit {

template <typename Key, typename Sample>
class Windows {
public:
    struct Span {
        Sample then;
        double seconds;  // from then to now
    };

    // Notes the sample of now. The newest one at least `window` ns older, when there is one.
    std::optional<Span> note(const Key& key, const Sample& now, uint64_t time, uint64_t window)
    {
        std::deque<std::pair<uint64_t, Sample>>& samples = samples_[key];
        samples.emplace_back(time, now);
        while (samples.size() > 2 && samples[1].first + window <= time)
            samples.pop_front();
        seen_.insert(key);
        if (samples.front().first + window > time)
            return std::nullopt;
        return Span{samples.front().second, seconds_of(time - samples.front().first)};
    }

    // At the end of each audit: forgets what was not noted in it.
    void forget_others()
    {
        std::erase_if(samples_, [&](const auto& entry) { return !seen_.count(entry.first); });
        seen_.clear();
    }

private:
    std::map<Key, std::deque<std::pair<uint64_t, Sample>>> samples_;
    std::set<Key> seen_;
};

}  // namespace epaudit
