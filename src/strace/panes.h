// SPDX-License-Identifier: Apache-2.0
// What a terminal shows side by side (tmux, screen, a split editor) is pasted side by side: each line holds a piece of two
// programs' output, or more, with a rule between them that always stands in the same column.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace epaudit {

class LogPanes {
public:
    struct Part {
        std::string_view text;
        bool full = false;  // it is as wide as its pane: the line may go on in the next one
    };

    void learn(const std::vector<std::string>& lines);
    bool any() const { return !columns_.empty(); }
    // The pieces of a line, from the left.
    std::vector<Part> apart(std::string_view line) const;
    // All lines of the first pane, then those of the next.
    std::vector<std::string> apart(const std::vector<std::string>& lines) const;

private:
    struct Column {
        size_t at = 0;  // in signs, not bytes, from the beginning of the line
        std::string_view rule;
    };

    std::vector<Column> columns_;
    size_t last_width_ = 0;  // of the pane that no rule ends; 0: not known
};

}  // namespace epaudit
