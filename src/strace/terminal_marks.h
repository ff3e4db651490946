// SPDX-License-Identifier: Apache-2.0
// What a terminal makes of a log's characters, and never shows: undone.
#pragma once

#include <string>
#include <string_view>

namespace epaudit {

// Without what makes a terminal show colours.
std::string without_colours(std::string_view text);
// Colours and tabs that are spelt: "^[[36m", "\\x1b[36m", "#033[36m", "#011".
bool spells_controls(std::string_view text);
std::string without_controls(std::string_view text);
// As a terminal shows it: a backspace takes what stands before it.
std::string without_strokes(std::string_view text);

}  // namespace epaudit
