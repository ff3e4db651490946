// SPDX-License-Identifier: Apache-2.0
// How a log was pasted: what stands before its lines. Learnt from a sample of them: a prefix is what many lines share
// before a known call.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "src/strace/encoding.h"

namespace epaudit {

class LogShape {
public:
    void learn(const std::vector<std::string>& head);
    // What stood around the line.
    struct Around {
        unsigned repeat = 1;      // so many times in a row (uniq -c)
        std::string_view source;  // the name of the log that it is from; empty: the line does not say
    };
    // What a document made of it undone: a piece of `text`, or in `buffer`. Several lines, if it kept them in one string.
    std::string_view decode(std::string_view text, std::string& buffer) const { return encoding_.decode(text, buffer); }
    // A decoded line as strace wrote it, as a piece of `text` or in `buffer`.
    std::string_view clean(std::string_view text, std::string& buffer, Around& around) const;

    // Where lines were broken; 0: they were not.
    size_t width() const { return width_; }
    // Lines were broken between words, as mails do.
    bool at_words() const { return at_words_; }
    // Without the quotation marks that all lines begin with ("> ").
    std::string_view unquoted(std::string_view text) const
    {
        return quote_.empty() || !text.starts_with(quote_) ? text : text.substr(quote_.size());
    }
    // Lines have something before what strace wrote.
    bool prefixed() const { return !prefixes_.empty(); }

private:
    void learn_width(const std::vector<std::string>& head);
    void learn_quote(const std::vector<std::string>& head);
    void learn_words(const std::vector<std::string>& head);
    void learn_names(const std::vector<std::string>& lines);
    void learn_tail(const std::vector<std::string>& lines);
    void learn_prefixes(const std::vector<std::string>& lines);
    std::vector<std::string> decoded(const std::vector<std::string>& head) const;
    std::string_view without_prefix(std::string_view text, Around& around) const;

    // The kinds of what stands before and behind the name of the log, if there is one.
    struct Prefix {
        std::string before, after;
        bool named = false;
        bool operator<(const Prefix& other) const
        {
            return std::tie(before, after, named) < std::tie(other.before, other.after, other.named);
        }
    };
    Prefix kind(std::string_view prefix) const;

    LogEncoding encoding_;
    bool numbered_ = false;  // lines begin with their number
    bool counted_ = false;   // or with how often they came
    size_t width_ = 0;
    bool at_words_ = false;
    std::string quote_;  // signs that all lines begin with
    std::string tail_;   // signs that most calls end with
    std::vector<Prefix> prefixes_;
    bool named_ = false;     // some of them have names
    bool nameless_ = false;  // what looks like a name changes from line to line
};

std::string_view without_spaces_behind(std::string_view text);
// The number a line begins with. False: none.
bool first_number(std::string_view text, uint64_t& number, size_t& spaces, size_t& end);
// "last message repeated 53 times", "message repeated 53 times: [ ... ]" of a system log; 0: it does not say so.
unsigned repeats(std::string_view text);
// Where a known call, or the end of one, begins; npos: nowhere.
size_t find_call(std::string_view text);
// Does what stands behind the bracket of a call come from a program's source, or from somebody's prose?
bool is_source(std::string_view arguments);

}  // namespace epaudit
