// SPDX-License-Identifier: Apache-2.0
// Every log of tests/corpus yields exactly what stands beside it.
#include <gtest/gtest.h>

#include <set>

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
    Auditor auditor(expected.profile);
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

// What is said of a rule's sight and what it does are one: over the whole catalogue, whichever log it is.
TEST(StraceCorpusTest, WhatIsCalledAvailableFiresAndWhatIsCalledUnavailableDoesNot)
{
    std::set<std::string> claimed, fired;
    for (const CorpusLog& one : corpus()) {
        Auditor auditor(one.profile);
        StraceImport log(auditor, 65536);
        corpus_lines(one, [&](const std::string& line) { log.line(line); });
        log.finish();
        std::set<std::string> can;
        for (const RuleCoverage& rule : auditor.coverage(log.sight()))
            if (rule.status != Status::kUnavailable)
                can.insert(rule.rule);
        for (const Finding& finding : auditor.findings()) {
            // A risk may be told with what stands against it.
            EXPECT_TRUE(can.count(finding.rule) || finding.level <= Level::kRisk)
                << one.name << ": " << finding.rule << " is called unavailable and says " << finding.summary;
            fired.insert(finding.rule);
        }
        claimed.merge(can);
    }
    for (const std::string& rule : claimed)
        EXPECT_TRUE(fired.count(rule)) << rule << " is never found in any log";
    EXPECT_GE(claimed.size(), 16U);
}

TEST(StraceCorpusTest, HoldsLogs) { EXPECT_GE(corpus().size(), 20U); }

}  // namespace
}  // namespace epaudit
