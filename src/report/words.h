// SPDX-License-Identifier: Apache-2.0
// How the text report sets numbers, names and paragraphs. Text in, text out; widths are columns of a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/finding/coverage.h"
#include "src/finding/finding.h"
#include "src/finding/rule_info.h"

namespace epaudit {

struct WatchingBudget;
struct WatchingCost;

// Control characters and broken UTF-8 made visible: a process chooses its own name, socket path and
// arguments, and must not be able to drive the reader's terminal.
std::string clean(std::string_view raw);

std::string spaced(std::string name);  // a name of the program's own: "log lines cut" for log_lines_cut

std::string untabbed(std::string_view line);  // a source line with its tabs, every 4 columns, as spaces

size_t columns(std::string_view text);
std::string padded(std::string_view text, size_t width);

// Lines of at most `width` columns; longer words are broken. A newline starts a paragraph, its leading
// spaces are kept. The text is cleaned.
std::vector<std::string> wrap(std::string_view text, size_t width);

// Lines of at most `width` columns: `text` stands beside `head`, and goes on below itself. Nothing, where there is no text.
std::string beside(std::string head, std::string_view text, size_t width);

// Puts parts on as few lines as possible, two spaces between them. Cleans them.
std::vector<std::string> fill(const std::vector<std::string>& parts, size_t width, size_t indent);

std::string grouped(uint64_t number);                        // 1,234,567
std::string plural(uint64_t number, std::string_view noun);  // "1 posting", "1,234 postings"
std::string number_text(double number);                      // three digits or all of them: 0.25, 3.4, 51,234
std::pair<std::string, std::string> measure_text(const Measure& measure);  // {"wake-ups", "51,234 per s"}
// "1 %: the probes were attached 6 % of the time, and never away for more than 7.8 s"
std::string budget_text(const WatchingBudget& budget);
std::string cost_text(const WatchingCost& cost);        // what watching costs
std::string short_cost_text(const WatchingCost& cost);  // "2.4 % of what is watched"

const char* status_name(Status status);  // "available"

}  // namespace epaudit
