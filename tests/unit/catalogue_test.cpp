// SPDX-License-Identifier: Apache-2.0
// Every rule is complete: its folder, its page, its demo twins, its tests.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "rules/catalogue.h"
#include "src/audit/auditor.h"
#include "src/finding/explain.h"

namespace epaudit {
namespace {

const std::filesystem::path kSource = EPAUDIT_SOURCE_DIR;

std::string underscored(std::string stem)
{
    std::replace(stem.begin(), stem.end(), '-', '_');
    return stem;
}

// As far as a name says it: --set takes a number without a unit.
Unit unit_of(const Threshold& threshold)
{
    const std::string_view name = threshold.name;
    if (name == "per_s" || name.ends_with("_per_s"))
        return Unit::kPerSecond;
    return name == "seconds" || name.ends_with("_s") ? Unit::kSeconds : threshold.defaults.unit;
}

TEST(Catalogue, IdsAndNamesAreUniqueAndInOrder)
{
    std::set<std::string> names;
    std::string last;
    for (const auto& rule : make_rules()) {
        EXPECT_LT(last, rule->info().id);
        last = rule->info().id;
        EXPECT_TRUE(names.insert(rule->info().name).second) << rule->info().name;
    }
    EXPECT_GE(names.size(), 10u);
}

TEST(Catalogue, EveryRuleHasItsFiles)
{
    for (const auto& rule : make_rules()) {
        std::string stem = rule->info().name;
        for (const std::string& file :
             {"rules/" + stem + "/rule.cpp", "rules/" + stem + "/explain.md", "demo_bugs/" + stem + "/bug.cpp",
              "demo_bugs/" + stem + "/fixed.cpp", "tests/unit/" + underscored(stem) + "_test.cpp"})
            EXPECT_TRUE(std::filesystem::exists(kSource / file)) << file;
    }
}

TEST(Catalogue, EveryFolderIsInTheCatalogue)
{
    std::set<std::string> names;
    for (const auto& rule : make_rules())
        names.insert(rule->info().name);
    for (const auto& entry : std::filesystem::directory_iterator(kSource / "rules")) {
        if (entry.is_directory()) {
            EXPECT_TRUE(names.count(entry.path().filename())) << entry.path();
        }
    }
}

TEST(Catalogue, ExplainPagesHaveTheirSectionsAndNameEveryThreshold)
{
    for (const auto& rule : make_rules()) {
        const RuleInfo& info = rule->info();
        const char* page = explain_text(info.name);
        ASSERT_NE(page, nullptr) << info.name;
        std::string text = page;
        EXPECT_EQ(text.rfind(std::string("# ") + info.id + " " + info.name + "\n", 0), 0u) << info.name;
        for (const char* section : {"## What", "## Why it matters", "## How epaudit knows", "## Counter-evidence",
                                    "## How to fix", "## Blind spots"})
            EXPECT_NE(text.find(section), std::string::npos) << info.name << ": " << section;
        for (const Threshold& t : info.thresholds)
            EXPECT_NE(text.find(std::string("`") + t.name + "`"), std::string::npos) << info.name << ": " << t.name;
        EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 80) << info.name;
    }
}

TEST(Catalogue, EveryRuleSaysSomething)
{
    for (const auto& rule : make_rules()) {
        const RuleInfo& info = rule->info();
        EXPECT_NE(std::string(info.says), "");
        EXPECT_NE(std::string(info.blind), "") << info.id;
        EXPECT_FALSE(info.thresholds.empty()) << info.id;
        for (const Threshold& t : info.thresholds) {
            EXPECT_NE(std::string(t.meaning), "") << info.id;
            EXPECT_NE(std::string(t.worse.lower), "") << info.id << "." << t.name;
            EXPECT_NE(std::string(t.worse.higher), "") << info.id << "." << t.name;
            EXPECT_EQ(t.defaults.unit, unit_of(t)) << info.id << "." << t.name;
            EXPECT_GE(t.defaults.production, 0) << info.id << "." << t.name;
        }
    }
}

// Judged by results of system calls alone, or nearly so.
const std::map<std::string, Status> kWithoutState = {
    {"EP101", Status::kDegraded},  {"EP103", Status::kAvailable}, {"EP303", Status::kAvailable},
    {"EP601", Status::kDegraded},  {"EP201", Status::kDegraded},  {"EP202", Status::kDegraded},
    {"EP203", Status::kDegraded},  {"EP204", Status::kDegraded},  {"EP205", Status::kAvailable},
    {"EP206", Status::kDegraded},  {"EP401", Status::kDegraded},  {"EP403", Status::kDegraded},
    {"EP404", Status::kDegraded},  {"EP501", Status::kDegraded},  {"EP503", Status::kAvailable},
    {"EP504", Status::kAvailable}, {"EP602", Status::kAvailable}, {"EP603", Status::kAvailable},
    {"EP605", Status::kAvailable}};

TEST(Catalogue, WithoutKernelStateRulesSayWhatTheyLose)
{
    Auditor auditor(Profile::kTest, make_rules());
    Sight strace;
    strace.kernel_state = strace.readiness = strace.wakeups = false;
    strace.why = "the log does not say";
    for (const RuleCoverage& c : auditor.coverage(strace)) {
        auto known = kWithoutState.find(c.rule);
        EXPECT_EQ(c.status, known == kWithoutState.end() ? Status::kUnavailable : known->second) << c.rule;
        EXPECT_EQ(c.reason.empty(), c.status == Status::kAvailable) << c.rule;
    }
}

TEST(Catalogue, NoBooksNoFindings)
{
    Auditor auditor(Profile::kTest, make_rules());
    for (uint64_t t = 1; t < 100; t++) {
        Snapshot empty;
        empty.time = t * NSEC_PER_SEC;
        auditor.look(empty);
    }
    EXPECT_TRUE(auditor.findings().empty());
}

}  // namespace
}  // namespace epaudit
