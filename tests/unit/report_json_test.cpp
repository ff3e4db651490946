// SPDX-License-Identifier: Apache-2.0
#include "src/report/json.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "src/report/rules_list.h"

namespace epaudit {
namespace {

using Json = nlohmann::ordered_json;

std::string json_of(const Report& report)
{
    std::ostringstream out;
    write_json(report, out);
    return out.str();
}

Report small_report()
{
    Report report;
    report.version = "0.1.0";
    report.command = {"./server"};
    report.pids = {1};
    report.observation.hooks = "tracepoint";
    report.observation.profile = "test";
    report.observation.seconds = 4.0;
    report.observation.postings = 123456;
    report.coverage = {{"EP101", "et-read-not-drained", Status::kDegraded, "why"}};
    return report;
}

Finding full_finding()
{
    Finding finding;
    finding.rule = "EP201";
    finding.name = "busy-epollout";
    finding.level = Level::kConfirmed;
    finding.fingerprint = "f00d";
    finding.summary = "it spins";
    finding.shape = "nothing between returns";
    finding.pid = 1;
    finding.comm = "server";
    finding.exe = "/bin/server";
    finding.epoll_fd = 4;
    finding.fd = {7, "tcp", "127.0.0.1:80", "127.0.0.1:5555"};
    finding.fds = 3;
    finding.count = 1234;
    finding.cost = {{"wakeups_per_s", 51234.0}, {"cpu_share", 0.97}};
    finding.facts = {{"mask", "EPOLLIN|EPOLLOUT"}};
    finding.timeline = {{0.1 + 0.2, "delivered EPOLLOUT", 12, Lane::kDelivered}};
    finding.stacks = {{"armed at", {{"main", "server.cpp", 12}}}};
    finding.fix = "arm it later";
    return finding;
}

std::vector<std::string> keys(const Json& json)
{
    std::vector<std::string> names;
    for (const auto& [name, value] : json.items())
        names.push_back(name);
    return names;
}

TEST(JsonReport, NoFindingsByteForByte)
{
    EXPECT_EQ(json_of(small_report()), R"({
  "schema": "epaudit/1",
  "version": "0.1.0",
  "target": {
    "command": [
      "./server"
    ],
    "pids": [
      1
    ]
  },
  "observation": {
    "hooks": "tracepoint",
    "hooks_reason": "",
    "profile": "test",
    "seconds": 4.0,
    "complete": true,
    "postings": 123456,
    "lost": {},
    "epolls": 0,
    "registrations": 0,
    "calls": {},
    "work": {
      "requests": 0
    },
    "notes": []
  },
  "verdict": {
    "state": "not-observed",
    "failed": false,
    "exit": 3,
    "text": "nothing to audit: no epoll instance was seen in 4.0 s",
    "remedy": "is it the right program, and did it get far enough?",
    "shown": 0,
    "known": 0,
    "reasons": []
  },
  "configuration": {
    "file": null,
    "fail_on": "likely",
    "rules_off": [],
    "not_judged": []
  },
  "coverage": [
    {
      "rule": "EP101",
      "status": "degraded",
      "reason": "why"
    }
  ],
  "findings": []
}
)");
}

TEST(JsonReport, FindingHasEveryFieldOfTheSchema)
{
    Report report = small_report();
    report.findings = {full_finding()};
    const Json json = Json::parse(json_of(report));
    const Json& finding = json.at("findings").at(0);
    EXPECT_EQ(finding, Json::parse(R"({"rule":"EP201","name":"busy-epollout","level":"confirmed",
        "fingerprint":"f00d","summary":"it spins","shape":"nothing between returns",
        "process":{"pid":1,"comm":"server","exe":"/bin/server"},"epoll":{"fd":4},
        "fd":{"number":7,"kind":"tcp","local":"127.0.0.1:80","peer":"127.0.0.1:5555"},"fds":3,
        "count":1234,"cost":{"wakeups_per_s":51234.0,"cpu_share":0.97},"facts":{"mask":"EPOLLIN|EPOLLOUT"},
        "evidence":{"timeline":[{"t":0.3,"what":"delivered EPOLLOUT","tid":12,"lane":"delivered"}],
          "stacks":[{"what":"armed at","frames":[{"function":"main","file":"server.cpp","line":12}]}]},
        "fix":"arm it later"})"));
    EXPECT_EQ(keys(json), (std::vector<std::string>{"schema", "version", "target", "observation", "verdict",
                                                    "configuration", "coverage", "findings"}));
    EXPECT_EQ(keys(finding.at("cost")), (std::vector<std::string>{"wakeups_per_s", "cpu_share"}));
}

TEST(JsonReport, WhereTheProcessRuns)
{
    Report report = small_report();
    report.selection = "--unit web";
    report.findings = {full_finding()};
    report.findings[0].workload = {"web.service", {"3f4a0c1d9be8", "api", "", "docker"}, "shop/api-0"};
    const Json json = Json::parse(json_of(report));
    EXPECT_EQ(json["target"]["selection"], "--unit web");
    const Json& process = json["findings"][0]["process"];
    EXPECT_EQ(process["unit"], "web.service");
    EXPECT_EQ(process["container"],
              (Json{{"id", "3f4a0c1d9be8"}, {"name", "api"}, {"image", ""}, {"runtime", "docker"}}));
    EXPECT_EQ(process["pod"], "shop/api-0");
}

TEST(JsonReport, HoldsRisksAndInfosThatTheTextHides)
{
    Report report = small_report();
    report.findings = {full_finding(), full_finding(), full_finding()};
    report.findings[1].level = Level::kRisk;
    report.findings[2].level = Level::kInfo;
    const Json json = Json::parse(json_of(report));
    ASSERT_EQ(json.at("findings").size(), 3U);
    EXPECT_EQ(json.at("findings").at(1).at("level"), "risk");
    EXPECT_EQ(json.at("findings").at(2).at("level"), "info");
}

TEST(JsonReport, UnknownDescriptorsAreNull)
{
    Report report = small_report();
    report.findings = {Finding{}};
    const Json finding = Json::parse(json_of(report)).at("findings").at(0);
    EXPECT_TRUE(finding.at("epoll").at("fd").is_null());
    EXPECT_TRUE(finding.at("fd").at("number").is_null());
    EXPECT_TRUE(finding.at("cost").is_object());
    EXPECT_TRUE(finding.at("evidence").at("timeline").is_array());
}

TEST(JsonReport, IncompleteLossesAndCalls)
{
    Report report = small_report();
    report.observation.lost = {{"files_full", 12}, {"epolls_full", 0}};
    report.observation.calls = {{"read", 5}, {"write", 6}};
    report.observation.work = {.requests = 200, .waits = 100, .io = 500, .ctls = 20};
    report.observation.notes = {"cut short"};
    report.observation.tool_cpu_seconds = 0.5;
    const Json seen = Json::parse(json_of(report)).at("observation");
    EXPECT_EQ(seen.at("complete"), false);
    EXPECT_EQ(seen.at("lost"), (Json{{"files_full", 12}, {"epolls_full", 0}}));
    EXPECT_EQ(keys(seen.at("calls")), (std::vector<std::string>{"read", "write"}));
    EXPECT_EQ(seen.at("work").at("calls_per_request"), (Json{{"epoll_wait", 0.5}, {"io", 2.5}, {"epoll_ctl", 0.1}}));
    EXPECT_EQ(seen.at("notes").at(0), "cut short");
    EXPECT_EQ(seen.at("tool_cpu_s"), 0.5);
    EXPECT_FALSE(seen.contains("cost"));
    report.observation.cost = WatchingCost{0.03, 0.01, 0.8, 2.5};
    EXPECT_EQ(Json::parse(json_of(report)).at("observation").at("cost"), (Json{{"probes_cores", 0.03},
                                                                               {"epaudit_cores", 0.01},
                                                                               {"watched_cores", 0.8},
                                                                               {"share_of_watched", 0.05},
                                                                               {"measured_s", 2.5}}));
}

TEST(JsonReport, Child)
{
    Report report = small_report();
    report.child = Child{.ran = true, .exit_status = 3, .signal = 0};
    EXPECT_EQ(Json::parse(json_of(report)).at("child"), Json::parse(R"({"ran":true,"exit_status":3,"signal":null})"));
    report.child = Child{.ran = true, .exit_status = 0, .signal = 9};
    EXPECT_EQ(Json::parse(json_of(report)).at("child"), Json::parse(R"({"ran":true,"exit_status":null,"signal":9})"));
    report.child = Child{.ran = false, .exit_status = 0, .signal = 0};
    EXPECT_EQ(Json::parse(json_of(report)).at("child"), Json::parse(R"({"ran":false})"));
}

TEST(JsonReport, BrokenTextAndNumbersStayJson)
{
    Report report = small_report();
    report.command = {"\xff\xfe", "a\"b\n"};
    report.findings = {full_finding()};
    report.findings[0].comm = "caf\xe9";
    report.findings[0].cost = {{"cpu_share", std::numeric_limits<double>::quiet_NaN()}};
    const Json json = Json::parse(json_of(report));
    EXPECT_EQ(json.at("target").at("command").at(0), "\xef\xbf\xbd\xef\xbf\xbd");
    EXPECT_EQ(json.at("target").at("command").at(1), "a\"b\n");
    EXPECT_EQ(json.at("findings").at(0).at("process").at("comm"), "caf\xef\xbf\xbd");
    EXPECT_TRUE(json.at("findings").at(0).at("cost").at("cpu_share").is_null());
}

TEST(RulesListJson, SaysEverythingAboutARule)
{
    const RuleInfo info{"EP401",
                        "thundering-herd",
                        "one connection wakes many waiters",
                        Level::kConfirmed,
                        {{"wakes", {100, 10, Unit::kCount}, "wasted wake-ups", {"fewer count", "more are missed"}}},
                        {Seam::kWakeups, Seam::kState},
                        "nested sets"};
    std::ostringstream out;
    write_rules_json({{info, {Status::kUnavailable, "no hooks"}}}, out);
    EXPECT_EQ(Json::parse(out.str()),
              Json::parse(R"({"schema":"epaudit-rules/1","rules":[{"id":"EP401","name":"thundering-herd",
        "says":"one connection wakes many waiters","highest":"confirmed","status":"unavailable","reason":"no hooks",
        "needs":["wakeups","state"],"blind":"nested sets",
        "thresholds":[{"name":"wakes","production":100.0,"test":10.0,"unit":"count","meaning":"wasted wake-ups",
            "lower":"fewer count","higher":"more are missed"}]}]})"));
}

}  // namespace
}  // namespace epaudit
