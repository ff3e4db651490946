// SPDX-License-Identifier: Apache-2.0
// Every format, over the same situations: each says what the verdict says, shows what it shows, and counts as it counts.
#include "src/report/verdict.h"

#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "src/report/json_parts.h"
#include "tests/unit/sample_report.h"
#include "tests/unit/written.h"

namespace epaudit {
namespace {

struct Situation {
    const char* name;
    Report report;
    State state;
    int exit;
    size_t shown;
    const char* says;  // part of the verdict
};

Report with(Report report, void (*change)(Report&))
{
    change(report);
    return report;
}

Report at_level(
    Level level, void (*change)(Report&) = [](Report&) {})
{
    Report report = stalled_report();
    report.coverage.resize(2);
    report.findings[0].level = level;
    change(report);
    return report;
}

std::vector<Situation> situations()
{
    std::vector<Situation> all;
    all.push_back({"clean", clean_report(), State::kClean, 0, 0, "no epoll misuse found in 4.0 s"});
    all.push_back({"confirmed", spinning_report(), State::kFindings, 1, 1, "1 finding: 1 confirmed"});
    all.push_back({"below the gate", at_level(Level::kLikely, [](Report& r) { r.gate = Level::kConfirmed; }),
                   State::kFindings, 0, 1, "1 finding: 1 likely; below --fail-on confirmed"});
    all.push_back({"no gate", at_level(Level::kConfirmed, [](Report& r) { r.gate.reset(); }), State::kFindings, 0, 1,
                   "1 finding: 1 confirmed; --fail-on never"});
    all.push_back({"a hidden risk", at_level(Level::kRisk), State::kClean, 0, 0, "no epoll misuse found"});
    all.push_back({"a risk that is shown", at_level(Level::kRisk, [](Report& r) { r.options.risks = true; }),
                   State::kClean, 0, 1, "; 1 risk above"});
    all.push_back({"a risk that fails", at_level(Level::kRisk, [](Report& r) { r.gate = Level::kRisk; }),
                   State::kFindings, 1, 1, "1 finding: 1 risk"});
    all.push_back({"losses",
                   with(clean_report(),
                        [](Report& r) {
                            r.observation.lost = {{"files_full", 12}};
                        }),
                   State::kInconclusive, 4, 0, "12 times a file had no room in the tables: raise --max-fds"});
    all.push_back({"a program that could not be watched, and no epoll of others",
                   with(clean_report(),
                        [](Report& r) {
                            r.observation.epolls = 0;
                            r.observation.lost = {{"processes_of_32_bits", 1}};
                        }),
                   State::kInconclusive, 4, 0,
                   "1 32-bit program not watched: its system calls cannot be read: build it for 64 bits"});
    all.push_back(
        {"losses and a finding", incomplete_report(), State::kFindings, 1, 1, "; there may be more: 12 times"});
    all.push_back({"losses below the gate", with(incomplete_report(), [](Report& r) { r.gate = Level::kConfirmed; }),
                   State::kInconclusive, 4, 1, "inconclusive: 1 finding: 1 likely; below --fail-on confirmed, but 12"});
    all.push_back({"hung from the start",
                   at_level(Level::kRisk,
                            [](Report& r) {
                                r.findings[0].inconclusive = InconclusiveReason{
                                    Inconclusive::kHungFromStart, "fd 9 hung at the start", "attach before it hangs"};
                            }),
                   State::kInconclusive, 4, 0, "but fd 9 hung at the start: attach before it hangs"});
    all.push_back({"too short and events nobody could place",
                   with(clean_report(),
                        [](Report& r) {
                            r.observation.inconclusive = {{Inconclusive::kTooShort, "99 returns", ""},
                                                          {Inconclusive::kUnplaced, "7 events", ""}};
                        }),
                   State::kInconclusive, 4, 0, "but 99 returns; and 1 more reason"});
    all.push_back({"no epoll", with(clean_report(), [](Report& r) { r.observation.epolls = 0; }), State::kNotObserved,
                   3, 0, "no epoll instance was seen in 4.0 s"});
    all.push_back({"blind rules alone",
                   with(clean_report(),
                        [](Report& r) {
                            for (RuleCoverage& rule : r.coverage) {
                                rule.status = Status::kUnavailable;
                                rule.reason = "there are no time stamps";
                            }
                        }),
                   State::kNotObserved, 3, 0, "none of 2 rules can look"});
    all.push_back({"no rule",
                   with(clean_report(),
                        [](Report& r) {
                            r.coverage.clear();
                            r.rules.clear();
                            r.rules_off = {{"EP101", "et-read-not-drained", "--ignore"},
                                           {"EP201", "busy-epollout", "epaudit.toml:3"}};
                        }),
                   State::kUsage, 2, 0, "no rule is on"});
    all.push_back({"no process judged",
                   with(clean_report(),
                        [](Report& r) {
                            r.config = "epaudit.toml";
                            r.none_judged = true;
                            r.unjudged = {"server (epaudit.toml:7)"};
                        }),
                   State::kUsage, 2, 0, "the configuration leaves out server (epaudit.toml:7)"});
    all.push_back({"known findings", suppressed_report(), State::kClean, 0, 0, "; 2 known findings not counted"});
    all.push_back({"the command failed",
                   with(clean_report(),
                        [](Report& r) {
                            r.child = Child{true, 7, 0};
                        }),
                   State::kClean, 7, 0, "no epoll misuse found"});
    return all;
}

std::string unwrapped(const std::string& text) { return std::regex_replace(text, std::regex("\\s+"), " "); }

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// What XML and HTML make of a text without control characters.
std::string escaped(std::string text)
{
    for (const auto& [from, to] : {std::pair<const char*, const char*>{"&", "&amp;"}, {"`", "`"}, {"\"", "&quot;"}})
        text = std::regex_replace(text, std::regex(from), to);
    return text;
}

TEST(Verdict, IsWhatTheSituationIs)
{
    for (const Situation& one : situations()) {
        const Verdict verdict = verdict_of(one.report);
        EXPECT_STREQ(state_name(verdict.state), state_name(one.state)) << one.name;
        EXPECT_EQ(verdict.exit, one.exit) << one.name;
        EXPECT_EQ(verdict.shown.size(), one.shown) << one.name;
        EXPECT_TRUE(has(verdict.text, one.says)) << one.name << ": " << verdict.text;
        EXPECT_EQ(verdict.failed, one.exit == 1) << one.name;
        if (verdict.state == State::kUsage || verdict.state == State::kNotObserved) {
            EXPECT_FALSE(verdict.remedy.empty()) << one.name;
        }
    }
}

TEST(Verdict, TextSaysIt)
{
    for (const Situation& one : situations()) {
        const std::string text = unwrapped(in_format("text", one.report));
        const Verdict verdict = verdict_of(one.report);
        EXPECT_TRUE(has(text, "verdict " + verdict.words() + " ")) << one.name << ": " << text;
        EXPECT_EQ(times(text, "CONFIRMED ") + times(text, "LIKELY ") + times(text, "RISK "), one.shown) << one.name;
        EXPECT_EQ(has(text, "no epoll misuse found"), one.state == State::kClean) << one.name;
    }
}

TEST(Verdict, HtmlSaysIt)
{
    for (const Situation& one : situations()) {
        const std::string page = in_format("html", one.report);
        const Verdict verdict = verdict_of(one.report);
        const char* look = one.state == State::kClean ? "good" : one.state == State::kFindings ? "bad" : "unsure";
        EXPECT_TRUE(has(page, std::string("<p class=\"verdict ") + look + "\">" + escaped(verdict.words()) + "</p>"))
            << one.name;
        EXPECT_EQ(times(page, "<article "), one.shown) << one.name;
    }
}

TEST(Verdict, JunitSaysIt)
{
    for (const Situation& one : situations()) {
        const std::string xml = in_format("junit", one.report);
        const Verdict verdict = verdict_of(one.report);
        EXPECT_TRUE(has(xml, std::string("name=\"verdict\" value=\"") + state_name(one.state) + "\"")) << one.name;
        EXPECT_TRUE(has(xml, "name=\"verdict.exit\" value=\"" + std::to_string(one.exit) + "\"")) << one.name;
        EXPECT_EQ(times(xml, "<failure ") > 0, verdict.failed) << one.name;
        EXPECT_EQ(times(xml, "<error "), one.state != State::kClean && one.state != State::kFindings ? 1
                                         : !verdict.reasons.empty()                                  ? 1
                                                                                                     : 0)
            << one.name;
        size_t blocks = times(xml, "CONFIRMED  EP") + times(xml, "LIKELY  EP") + times(xml, "RISK  EP");
        EXPECT_EQ(blocks, one.shown) << one.name;
    }
}

TEST(Verdict, SarifSaysIt)
{
    for (const Situation& one : situations()) {
        const Json run = Json::parse(in_format("sarif", one.report)).at("runs").at(0);
        const Json& invocation = run.at("invocations").at(0);
        const Verdict verdict = verdict_of(one.report);
        EXPECT_EQ(run.at("properties").at("verdict"), verdict_json(verdict)) << one.name;
        EXPECT_EQ(invocation.at("exitCode"), one.exit) << one.name;
        EXPECT_EQ(invocation.at("executionSuccessful"), verdict.sound() && verdict.reasons.empty()) << one.name;
        size_t results = 0;
        for (const Json& result : run.at("results"))
            results += !result.contains("suppressions");
        EXPECT_EQ(results, one.shown) << one.name;
        size_t errors = 0;
        for (const Json& note : invocation.value("toolExecutionNotifications", Json::array()))
            errors += note.at("level") == "error";
        EXPECT_EQ(errors > 0, !verdict.sound() || !verdict.reasons.empty()) << one.name;
    }
}

TEST(Verdict, GithubSaysIt)
{
    for (const Situation& one : situations()) {
        const std::string text = in_format("github", one.report);
        const Verdict verdict = verdict_of(one.report);
        const bool unsure = !verdict.sound() || !verdict.reasons.empty();
        const std::string last = std::string(unsure ? "::error" : "::notice") + " title=epaudit (" +
                                 state_name(one.state) + ")::" + verdict.words() + "\n";
        EXPECT_TRUE(text.ends_with(last)) << one.name << ": " << text;
        EXPECT_EQ(times(text, "title=EP"), one.shown) << one.name;
    }
}

TEST(Verdict, JsonNdjsonAndPerfettoSayIt)
{
    for (const Situation& one : situations()) {
        const Json expected = verdict_json(verdict_of(one.report));
        EXPECT_EQ(expected.at("state"), state_name(one.state));
        EXPECT_EQ(expected.at("exit"), one.exit);
        EXPECT_EQ(expected.at("shown"), one.shown);
        EXPECT_EQ(Json::parse(in_format("json", one.report)).at("verdict"), expected) << one.name;
        EXPECT_EQ(Json::parse(in_format("perfetto", one.report)).at("otherData").at("verdict"), expected) << one.name;
        std::istringstream lines(in_format("ndjson", one.report));
        Json end;
        for (std::string line; std::getline(lines, line);)
            end = Json::parse(line);
        EXPECT_EQ(end.at("verdict"), expected) << one.name;
        EXPECT_EQ(end.at("failed"), one.exit == 1) << one.name;
    }
}

// The configuration, the rules that are off, what is not judged and what is known: named by all of them.
TEST(Verdict, EveryFormatNamesWhatDecided)
{
    Report report = suppressed_report();
    report.config = "/etc/epaudit.toml";
    report.rules_off = {{"EP401", "thundering-herd", "epaudit.toml:3"}};
    report.unjudged = {"healthcheck (epaudit.toml:9)"};
    for (const char* name : {"text", "html", "junit", "sarif", "github", "json", "ndjson", "perfetto"}) {
        const std::string text = in_format(name, report);
        EXPECT_TRUE(has(text, "/etc/epaudit.toml")) << name;
        EXPECT_TRUE(has(text, "EP401")) << name;
        EXPECT_TRUE(has(text, "epaudit.toml:3")) << name;
        EXPECT_TRUE(has(text, "healthcheck (epaudit.toml:9)")) << name;
        if (std::string(name) != "perfetto") {
            EXPECT_TRUE(has(text, "EP201")) << name;
        }
    }
    EXPECT_TRUE(has(verdict_of(report).text, "by 2 of 3 rules")) << verdict_of(report).text;
}

TEST(Verdict, AnErrorOfTheCommandIsNotLostWhereNothingWasSeen)
{
    Report report = clean_report();
    report.observation.epolls = 0;
    report.child = Child{true, 7, 0};
    EXPECT_TRUE(has(verdict_of(report).text, "exited with status 7")) << verdict_of(report).text;
    EXPECT_FALSE(has(verdict_of(report).remedy, "--follow-forks"));
    report.command.clear();
    EXPECT_TRUE(has(verdict_of(report).remedy, "--follow-forks"));
}

}  // namespace
}  // namespace epaudit
