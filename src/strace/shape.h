// SPDX-License-Identifier: Apache-2.0
// How a log was pasted: what stands before its lines, what was escaped. Learnt from its first lines: a prefix is what
// many lines share before a known call.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace epaudit {

class LogShape {
public:
    static constexpr size_t kHead = 64;  // lines it is learnt from

    void learn(const std::vector<std::string>& head);
    // The line as strace wrote it, as a piece of `text` or in `buffer`. `repeat`: so many times in a row (uniq -c).
    std::string_view clean(std::string_view text, std::string& buffer, unsigned& repeat) const;

    // Where lines were broken; 0: they were not.
    size_t width() const { return width_; }

    // "ltrace": what wrote this, if it was not strace; empty otherwise. `hint`: how to make a log that can be read.
    static std::string other_tool(const std::vector<std::string>& head, std::string& hint);

private:
    void learn_width(const std::vector<std::string>& head);
    std::string_view unescape(std::string_view text, std::string& buffer) const;
    std::string_view without_prefix(std::string_view text) const;

    bool markdown_ = false;
    bool entities_ = false;
    bool numbered_ = false;  // lines begin with their number
    bool counted_ = false;   // or with how often they came
    std::string json_;       // the key whose value is the line; empty: no JSON
    size_t width_ = 0;
    std::vector<std::string> prefixes_;
};

// Where a known call, or the end of one, begins; npos: nowhere.
size_t find_call(std::string_view text);

}  // namespace epaudit
