// SPDX-License-Identifier: Apache-2.0
// The text of a mangled Rust name as it is read, with what has been said of it so far: the letters of RFC 2603, under the
// rules of its grammar (demangle_rust.cpp). Each function says whether the text was as it wants it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace epaudit {

class RustText {
public:
    explicit RustText(std::string_view text) : text_(text) {}

protected:
    char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool take(char c)
    {
        if (next() != c)
            return false;
        at_++;
        return true;
    }

    bool say(std::string_view text)
    {
        if (quiet_)
            return true;
        out_ += text;
        return out_.size() <= kLongestName;
    }

    bool base62(uint64_t& value);  // "_" is 0, "0_" is 1, ...
    // 0: there is no such tag.
    bool number_behind(char tag, uint64_t& value);
    bool identifier(std::string_view& name, uint64_t& disambiguator);
    // Reads once more what stood at an earlier place.
    template <typename Read>
    bool back_reference(Read read)
    {
        const size_t here = at_ - 1;
        uint64_t target = 0;
        if (!base62(target) || target >= here)
            return false;
        if (quiet_)
            return true;
        const size_t behind = std::exchange(at_, static_cast<size_t>(target));
        const bool good = read();
        at_ = behind;
        return good;
    }

    static constexpr size_t kLongestName = 4096;

    std::string_view text_;
    size_t at_ = 0;
    std::string out_;
    int quiet_ = 0;  // what is read is not said
};

}  // namespace epaudit
