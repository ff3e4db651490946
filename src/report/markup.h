// SPDX-License-Identifier: Apache-2.0
// What the formats for machines share: escapes, paths, one-line texts. Foreign text (names of processes,
// socket paths) goes through clean() of words.h first.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/report/report.h"

namespace epaudit {

// Text and attribute values of XML and HTML. Characters that XML 1.0 cannot hold become U+FFFD.
std::string xml_escaped(std::string_view text);

// A path as a URI reference: relative where it lies below the working directory, else file://...
std::string uri_of(const std::string& path, const std::string& directory);

std::string iso_time(int64_t seconds);  // "2026-11-21T06:15:00Z"

// "server[4711]  epoll fd 4  tcp fd 7  127.0.0.1:80 -> 127.0.0.1:5555" as parts, those that are known.
std::vector<std::string> where_parts(const Finding& finding);
// The same in one line, cleaned: "server[4711], epoll fd 4, ...".
std::string where_text(const Finding& finding);
// In which unit, container and pod a process runs, as far as it does: names and values.
std::vector<std::pair<std::string, std::string>> workload_rows(const Workload& workload);
// Pattern, counts, costs and facts with their labels, in the order of the text report.
std::vector<std::pair<std::string, std::string>> numbers_of(const Finding& finding);
// "Publisher::on_connect  src/server.cpp:81"; both halves may be empty.
std::pair<std::string, std::string> frame_text(const Frame& frame, const std::string& directory);

}  // namespace epaudit
