// SPDX-License-Identifier: Apache-2.0
// What each format makes of a finding. That files are well-formed is checked by tests/formats/check.py.
#include "src/report/formats.h"

#include <gtest/gtest.h>

#include <set>

#include "src/report/json_parts.h"
#include "src/report/markup.h"
#include "src/report/verdict.h"
#include "tests/unit/sample_report.h"
#include "tests/unit/written.h"

namespace epaudit {
namespace {

Json sarif_run(const Report& report) { return Json::parse(in_format("sarif", report)).at("runs").at(0); }

TEST(Formats, NamesAreUniqueAndUnknownOnesAreNotFound)
{
    std::set<std::string> names;
    for (const std::string& name : format_names())
        EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(find_format("yaml"), nullptr);
    EXPECT_EQ(find_format(""), nullptr);
}

TEST(Sarif, ResultPointsAtTheGuiltyLine)
{
    const Json run = sarif_run(spinning_report());
    ASSERT_EQ(run.at("results").size(), 1U);  // the risk is not shown
    const Json& result = run.at("results").at(0);
    EXPECT_EQ(result.at("ruleId"), "EP201");
    EXPECT_EQ(result.at("ruleIndex"), 1);
    EXPECT_EQ(result.at("level"), "error");
    EXPECT_EQ(result.at("partialFingerprints").at("epaudit/v1"), "1e750a90427aa602");
    const Json& place = result.at("locations").at(0).at("physicalLocation");
    EXPECT_EQ(place.at("artifactLocation"), Json::parse(R"({"uri":"src/server.cpp","uriBaseId":"%SRCROOT%"})"));
    EXPECT_EQ(place.at("region").at("startLine"), 44);
    EXPECT_EQ(place.at("region").at("snippet").at("text"), "\tev.events = EPOLLIN | EPOLLOUT;\n");
    EXPECT_EQ(place.at("contextRegion").at("startLine"), 42);
    EXPECT_EQ(run.at("originalUriBaseIds").at("%SRCROOT%").at("uri"), "file:///src/app/");
}

TEST(Sarif, PointsAtTheCallerOfAHelper)
{
    Report report = spinning_report();
    report.findings[0].source.reset();
    report.findings[0].stacks[0].helpers = {{"watch", "/src/app/src/server.cpp"}};
    const Json place = sarif_run(report).at("results").at(0).at("locations").at(0);
    EXPECT_EQ(place.at("physicalLocation").at("region").at("startLine"), 81);
    EXPECT_EQ(place.at("logicalLocations").at(0).at("fullyQualifiedName"), "Publisher::on_connect(int)");
}

TEST(Sarif, StacksAndCodeFlow)
{
    const Json run = sarif_run(spinning_report());
    const Json& result = run.at("results").at(0);
    ASSERT_EQ(result.at("stacks").size(), 2U);
    EXPECT_EQ(result.at("stacks").at(0).at("message").at("text"), "Armed here.");
    const Json& frames = result.at("stacks").at(0).at("frames");
    ASSERT_EQ(frames.size(), 5U);
    EXPECT_EQ(frames.at(1).at("location").at("logicalLocations").at(0).at("fullyQualifiedName"), "watch");
    EXPECT_EQ(frames.at(3).at("location").at("physicalLocation").at("address").at("relativeAddress"), 0x990);
    const Json& threads = result.at("codeFlows").at(0).at("threadFlows");
    ASSERT_EQ(threads.size(), 2U);
    EXPECT_EQ(threads.at(0).at("id"), "kernel");
    EXPECT_EQ(threads.at(0).at("locations").at(0).at("executionOrder"), 16);
    EXPECT_EQ(threads.at(1).at("locations").size(), 15U);
    EXPECT_EQ(threads.at(1).at("locations").at(0).at("kinds").at(0), "epoll_ctl");
}

TEST(Sarif, WithoutStacksTheExecutableIsTheLocation)
{
    const Json run = sarif_run(stalled_report());
    const Json& place = run.at("results").at(0).at("locations").at(0).at("physicalLocation");
    EXPECT_EQ(place.at("artifactLocation").at("uri"), "file:///usr/sbin/worker");
    EXPECT_EQ(place.at("region").at("startLine"), 1);
    EXPECT_EQ(run.at("results").at(0).at("level"), "warning");
}

TEST(Sarif, WhatCouldNotBeSeenIsNotified)
{
    const Json fine = sarif_run(clean_report()).at("invocations").at(0);
    EXPECT_EQ(fine.at("executionSuccessful"), true);
    EXPECT_EQ(fine.at("startTimeUtc"), "2025-11-21T06:15:00Z");
    EXPECT_EQ(fine.at("endTimeUtc"), "2025-11-21T06:15:04Z");
    EXPECT_FALSE(fine.contains("toolExecutionNotifications"));
    const Json bad = sarif_run(incomplete_report()).at("invocations").at(0);
    EXPECT_EQ(bad.at("executionSuccessful"), false);
    const Json& notes = bad.at("toolExecutionNotifications");
    ASSERT_EQ(notes.size(), 4U);
    EXPECT_EQ(notes.at(0).at("level"), "error");
    EXPECT_NE(notes.at(0).at("message").at("text").get<std::string>().find("raise --max-fds"), std::string::npos);
    EXPECT_EQ(notes.at(2).at("associatedRule").at("id"), "EP401");
}

TEST(Sarif, KnownFindingsAreSuppressedNotGone)
{
    const Json run = sarif_run(suppressed_report());
    ASSERT_EQ(run.at("results").size(), 2U);
    EXPECT_EQ(run.at("results").at(0).at("suppressions").at(0).at("justification"), "fixed in 2.4 (epaudit.toml:12)");
    EXPECT_EQ(run.at("results").at(1).at("suppressions").at(0).at("kind"), "external");
}

TEST(Sarif, RisksWhenAskedFor)
{
    Report report = spinning_report();
    report.options.risks = true;
    const Json run = sarif_run(report);
    ASSERT_EQ(run.at("results").size(), 2U);
    EXPECT_EQ(run.at("results").at(1).at("level"), "note");
}

TEST(Junit, OneCasePerRuleAndTheGateDecides)
{
    Report report = spinning_report();
    std::string text = in_format("junit", report);
    EXPECT_NE(
        text.find(R"(tests="3" failures="1" errors="0" skipped="0" time="4.000" timestamp="2025-11-21T06:15:00Z")"),
        std::string::npos)
        << text;
    EXPECT_NE(text.find(R"(name="EP101 et-read-not-drained" time="0"/>)"), std::string::npos) << text;
    EXPECT_NE(text.find(R"(<failure type="confirmed" message="EPOLLOUT stays armed with nothing)"), std::string::npos);
    report.gate.reset();
    text = in_format("junit", report);
    EXPECT_NE(text.find(R"(failures="0")"), std::string::npos);
    EXPECT_NE(text.find("<system-out>CONFIRMED  EP201"), std::string::npos) << text;
}

TEST(Junit, BlindRulesAreSkippedAndMissingDataIsAnError)
{
    const std::string text = in_format("junit", incomplete_report());
    EXPECT_NE(text.find(R"(tests="4" failures="1" errors="1" skipped="1")"), std::string::npos) << text;
    EXPECT_NE(text.find(R"(<skipped message="wake-ups are not seen"></skipped>)"), std::string::npos) << text;
    EXPECT_NE(text.find(R"(<error type="inconclusive" message="1 finding: 1 likely; there may be more: 12 times)"),
              std::string::npos);
    EXPECT_NE(text.find("<system-out>degraded: readiness is known only at delivery"), std::string::npos);
}

TEST(Github, AnnotatesTheLine)
{
    EXPECT_EQ(in_format("github", spinning_report()),
              "::error file=src/server.cpp,line=44,title=EP201 busy-epollout (confirmed)::EPOLLOUT stays armed with "
              "nothing left to write: the loop spins%0Aserver[4711], epoll fd 4, tcp fd 7, 127.0.0.1:80 -> "
              "127.0.0.1:5555%0Amask: EPOLLIN|EPOLLOUT%0Aseen: 1,234,567 times%0Awake-ups: 51,234 per s%0ACPU: 97 %25 "
              "of a core%0Afix: arm EPOLLOUT only while output is queued\n"
              "::notice title=epaudit (findings)::1 finding: 1 confirmed\n");
    EXPECT_TRUE(
        in_format("github", stalled_report()).starts_with("::warning title=EP101 et-read-not-drained (likely)::"));
    EXPECT_TRUE(
        in_format("github", clean_report()).starts_with("::notice title=epaudit (clean)::no epoll misuse found"));
}

TEST(Github, TellsWhatGithubWouldHide)
{
    Report report = stalled_report();
    report.findings.resize(14, report.findings[0]);
    const std::string text = in_format("github", report);
    EXPECT_EQ(times(text, "::warning "), 10U);
    EXPECT_NE(text.find("::notice title=epaudit::4 more findings not shown here"), std::string::npos) << text;
}

TEST(Markup, Escapes)
{
    EXPECT_EQ(xml_escaped("a<b>&\"'\x01\xef\xbf\xbe\n"), "a&lt;b&gt;&amp;&quot;&#39;\xef\xbf\xbd\xef\xbf\xbd\n");
    EXPECT_EQ(uri_of("/a b/\xc3\xa4%?#.cpp", "/x"), "file:///a%20b/%C3%A4%25%3F%23.cpp");
    EXPECT_EQ(uri_of("/x/src/a.cpp", "/x"), "src/a.cpp");
    EXPECT_EQ(iso_time(0), "1970-01-01T00:00:00Z");
}

TEST(Gate, DecidedOnce)
{
    Report report = stalled_report();  // likely
    EXPECT_TRUE(verdict_of(report).failed);
    report.gate = Level::kConfirmed;
    EXPECT_FALSE(verdict_of(report).failed);
    report.gate.reset();
    EXPECT_FALSE(verdict_of(report).failed);
    EXPECT_FALSE(verdict_of(suppressed_report()).failed);
}

}  // namespace
}  // namespace epaudit
