// SPDX-License-Identifier: Apache-2.0
// What is said of a log that somebody pasted.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "rules/catalogue.h"
#include "src/strace/import.h"

namespace epaudit {

using Decorate = std::function<std::string(const std::string& line, unsigned number)>;

struct PastedAnswer {
    std::map<std::string, Level> found;
    std::string told;
    uint64_t lost = 0;
    std::vector<LogRun> runs;
    std::string other_tool;
    bool mixed = false;

    Level level(const std::string& rule) const { return found.count(rule) ? found.at(rule) : Level::kInfo; }
    bool has(const std::string& rule) const { return found.count(rule) != 0; }
    bool quiet() const
    {
        return std::none_of(found.begin(), found.end(), [](const auto& f) { return f.second >= Level::kLikely; });
    }
};

inline std::vector<std::string> split(const std::string& text)
{
    std::vector<std::string> lines;
    for (size_t at = 0; at < text.size();) {
        size_t end = std::min(text.find('\n', at), text.size());
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

// As a terminal or a mail of this width breaks its lines.
inline std::string wrapped(const std::string& text, size_t width)
{
    std::string broken;
    for (const std::string& line : split(text))
        for (size_t at = 0; at < line.size(); at += width)
            broken += line.substr(at, width) + "\n";
    return broken;
}

inline std::string times(unsigned count, const std::string& text)
{
    std::string all;
    while (count--)
        all += text;
    return all;
}

inline PastedAnswer judge(const std::string& text, const Decorate& decorate = {},
                          const std::vector<std::string>& set = {})
{
    Auditor auditor(Profile::kProduction, make_rules());
    for (const std::string& one : set)
        EXPECT_TRUE(auditor.set(one)) << one;
    StraceImport log(auditor, 65536);
    unsigned number = 0;
    for (const std::string& line : split(text)) {
        number++;
        log.line(decorate ? decorate(line, number) : line);
    }
    log.finish();
    PastedAnswer judged;
    for (const Finding& finding : auditor.findings()) {
        judged.told += finding.rule + " " + level_name(finding.level) + ": " + finding.summary + "\n";
        Level& level = judged.found.try_emplace(finding.rule, finding.level).first->second;
        level = std::max(level, finding.level);
    }
    for (const auto& [name, count] : log.lost())
        judged.lost += count;
    judged.runs = log.runs();
    judged.other_tool = log.other_tool();
    judged.mixed = log.counts().mixed > 0;
    return judged;
}

inline const std::string kEndSpin =
    "epoll_wait(9, [{EPOLLIN|EPOLLRDHUP, {u32=31, u64=31}}], 512, -1) = 1\nrecvfrom(31, \"\", 2048, 0, NULL, NULL) = "
    "0\n";
inline const std::string kWork =
    "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\nrecvfrom(31, \"GET /\", 2048, 0, NULL, NULL) = 5\n"
    "sendto(31, \"200\", 3, MSG_NOSIGNAL, NULL, 0) = 3\n";

}  // namespace epaudit
