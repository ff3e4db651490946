// SPDX-License-Identifier: Apache-2.0
// A page of Markdown, of the kind that explain pages are written in, set for a terminal: headings, paragraphs, lists of one
// depth, code by indentation; `code` and *stress* within a line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace epaudit {

// Lines are at most `width` columns wide, but for code, which is left as it is. Without `styled` there are no control
// sequences: headings stand by their capitals and margins.
std::string page_text(std::string_view markdown, size_t width, bool styled);

}  // namespace epaudit
