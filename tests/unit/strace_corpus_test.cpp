// SPDX-License-Identifier: Apache-2.0
// Every log of tests/corpus yields exactly what stands beside it.
#include <gtest/gtest.h>

#include <set>

#include "rules/catalogue.h"
#include "src/strace/import.h"
#include "tests/unit/corpus.h"

namespace epaudit {
namespace {

std::vector<CorpusLog> corpus() { return read_corpus(EPAUDIT_SOURCE_DIR "/tests/corpus"); }

class StraceCorpus : public testing::TestWithParam<CorpusLog> {};

const char* status_text(Status status)
{
    return status == Status::kAvailable ? "available" : status == Status::kDegraded ? "degraded" : "unavailable";
}

TEST_P(StraceCorpus, YieldsWhatStandsBesideIt)
{
    const CorpusLog& expected = GetParam();
    ASSERT_NE(expected.name.front(), '!') << "no .expect beside the log";
    Auditor auditor(expected.profile, make_rules());
    StraceImport log(auditor, 65536);
    uint64_t lines = 0;
    corpus_lines(expected, [&](const std::string& line) {
        lines++;
        log.line(line);
    });
    log.finish();
    ASSERT_GT(lines, 2U) << "the log could not be read";

    std::map<std::string, std::string> found;
    std::string told;
    for (const Finding& finding : auditor.findings()) {
        told += finding.rule + " " + level_name(finding.level) + ": " + finding.summary + " [" + finding.shape + "]\n";
        if (finding.level >= Level::kLikely)
            found[finding.rule] = level_name(finding.level);
    }
    for (const std::string& note : log.notes())
        told += "note: " + note + "\n";
    std::string missing;
    std::map<std::string, std::string> wanted;
    for (const auto& [rule, level] : expected.findings)
        (auditor.settings(rule) ? wanted[rule] : missing) = level;
    EXPECT_EQ(found, wanted) << told;
    for (const auto& [rule, level] : expected.told) {
        auto findings = auditor.findings();
        EXPECT_TRUE(std::any_of(findings.begin(), findings.end(),
                                [&](const Finding& f) { return f.rule == rule && f.level == level; }))
            << rule << " is not told as " << level_name(level) << "\n"
            << told;
    }
    for (const RuleCoverage& rule : auditor.coverage(log.sight())) {
        auto at = expected.coverage.find(rule.rule);
        if (at != expected.coverage.end()) {
            EXPECT_EQ(status_text(rule.status), at->second) << rule.rule << ": " << rule.reason;
        }
    }
    EXPECT_TRUE(log.lost().empty()) << log.lost().front().first << " " << log.lost().front().second;
    if (!missing.empty())
        GTEST_SKIP() << "the rule it waits for does not exist yet";
}

std::string test_name(const testing::TestParamInfo<CorpusLog>& info)
{
    std::string name = info.param.name;
    for (char& c : name)
        c = isalnum(static_cast<unsigned char>(c)) ? c : '_';
    return name;
}

INSTANTIATE_TEST_SUITE_P(Logs, StraceCorpus, testing::ValuesIn(corpus()), test_name);

// What strace -e trace=... would have left of a log.
struct Filter {
    const char* name;
    bool (*keeps)(const std::string& line);
};

bool holds(const std::string& line, const char* part) { return line.find(part) != std::string::npos; }

bool is_wait(const std::string& line) { return holds(line, "epoll_wait") || holds(line, "epoll_pwait"); }

constexpr Filter kFilters[] = {
    {"all of it", [](const std::string&) { return true; }},
    {"epoll calls alone", [](const std::string& line) { return is_wait(line) || holds(line, "epoll_"); }},
    {"waits alone", is_wait},
    {"all but accept",
     [](const std::string& line) {
         return !holds(line, "accept(") && !holds(line, "accept4") && !holds(line, "accept ");
     }},
    {"no reads",
     [](const std::string& line) { return !holds(line, "read") && !holds(line, "recv") && !holds(line, "accept"); }},
};

struct Sighted {
    std::set<std::string> can, fired;
    std::string told;  // by rules that are called unavailable
};

Sighted look_at(const CorpusLog& one, const Filter& filter)
{
    Auditor auditor(one.profile, make_rules());
    StraceImport log(auditor, 65536);
    corpus_lines(one, [&](const std::string& line) {
        if (filter.keeps(line))
            log.line(line);
    });
    log.finish();
    Sighted seen;
    for (const RuleCoverage& rule : auditor.coverage(log.sight()))
        if (rule.status != Status::kUnavailable)
            seen.can.insert(rule.rule);
    for (const Finding& finding : auditor.findings()) {
        seen.fired.insert(finding.rule);
        if (!seen.can.count(finding.rule))
            seen.told += finding.rule + " " + level_name(finding.level) + ": " + finding.summary + "\n";
    }
    return seen;
}

// What is said of a rule's sight and what it does are one, at every level: over the whole catalogue, whichever log it
// is and whichever calls strace was told to leave out.
TEST(StraceCorpusTest, WhatIsCalledUnavailableTellsNothingAndWhatIsCalledAvailableFires)
{
    for (const Filter& filter : kFilters) {
        std::set<std::string> claimed, fired;
        for (const CorpusLog& one : corpus()) {
            Sighted seen = look_at(one, filter);
            EXPECT_EQ(seen.told, "") << one.name << ", " << filter.name;
            claimed.merge(seen.can);
            fired.merge(seen.fired);
        }
        // Logs of all calls are many: whatever rule claims to see in one of them must have been right once.
        for (const std::string& rule : claimed) {
            const bool right = fired.count(rule) || &filter != kFilters;
            EXPECT_TRUE(right) << rule << " is never found in any log";
        }
        EXPECT_GE(claimed.size(), &filter == kFilters ? 16U : 1U) << filter.name;
    }
}

// A rule that waits for calls which this strace does not print cannot see.
TEST(StraceCorpusTest, LogsOfEpollCallsAloneShowNoAccepts)
{
    for (const CorpusLog& one : corpus()) {
        const Sighted seen = look_at(one, kFilters[1]);
        for (const char* rule : {"EP205", "EP401", "EP501"})
            EXPECT_FALSE(seen.can.count(rule)) << one.name << ": " << rule;
    }
}

TEST(StraceCorpusTest, HoldsLogs) { EXPECT_GE(corpus().size(), 20U); }

}  // namespace
}  // namespace epaudit
