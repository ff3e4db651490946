// SPDX-License-Identifier: Apache-2.0
// A finding as an article of the HTML report, and what others of its sections say of one.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>

#include "src/finding/finding.h"

namespace epaudit {

std::string html_safe(std::string_view text);  // cleaned, and escaped
std::string html_badge(Level level);
// The line where one is known, else the descriptor. Not escaped.
std::string html_place(const Finding& finding, const std::string& directory);

// Its anchor is "f" and the number. Paths below `directory` become relative to it.
void write_html_finding(const Finding& finding, int number, const std::string& directory, std::ostream& out);

}  // namespace epaudit
