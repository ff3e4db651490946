// SPDX-License-Identifier: Apache-2.0
// What pages, documents and chat clients make of the characters of a log. strace itself prints ASCII: whatever else
// stands there came later.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/strace/escapes.h"
#include "src/strace/terminal_marks.h"

namespace epaudit {

class LogEncoding {
public:
    void learn(const std::vector<std::string>& head);
    // As strace wrote it: a piece of `text`, or in `buffer`. Several lines, if a document kept them in one string.
    std::string_view decode(std::string_view text, std::string& buffer) const;

private:
    void learn_key(const std::vector<std::string>& head);
    void learn_strings(const std::vector<std::string>& head);

    bool markdown_ = false;
    bool entities_ = false;
    bool newlines_ = false;    // ends of lines are spelt "\\n"
    bool ends_shown_ = false;  // cat -A
    bool controls_ = false;    // colours and tabs are spelt
    bool printable_ = false;   // quoted-printable: "=3D"
    bool strings_ = false;     // lines are strings of a list, a table, a record
    Quoting quoting_ = Quoting::kEscaped;
    bool tags_ = false;  // lines are words of a page
    std::string json_;   // the key whose value is the line; empty: no JSON
};

}  // namespace epaudit
