// SPDX-License-Identifier: Apache-2.0
// How a log was pasted: what stands before its lines. Learnt from its first lines: a prefix is what many lines share
// before a known call.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/strace/encoding.h"

namespace epaudit {

class LogShape {
public:
    static constexpr size_t kHead = 64;  // lines it is learnt from

    void learn(const std::vector<std::string>& head);
    // The line as strace wrote it, as a piece of `text` or in `buffer`. `repeat`: so many times in a row (uniq -c).
    std::string_view clean(std::string_view text, std::string& buffer, unsigned& repeat) const;

    // Where lines were broken; 0: they were not.
    size_t width() const { return width_; }

private:
    void learn_width(const std::vector<std::string>& head);
    std::string_view without_prefix(std::string_view text) const;

    LogEncoding encoding_;
    bool numbered_ = false;  // lines begin with their number
    bool counted_ = false;   // or with how often they came
    size_t width_ = 0;
    std::vector<std::string> prefixes_;
};

// Where a known call, or the end of one, begins; npos: nowhere.
size_t find_call(std::string_view text);

}  // namespace epaudit
