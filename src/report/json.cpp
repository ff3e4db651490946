// SPDX-License-Identifier: Apache-2.0
#include "src/report/json.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <ostream>

#include "src/report/words.h"

namespace epaudit {

namespace {

using Json = nlohmann::ordered_json;

// Enough for µs; without it 0.1 + 0.2 prints seventeen digits.
double rounded(double value)
{
    return std::isfinite(value) && std::abs(value) < 1e9 ? std::round(value * 1e6) / 1e6 : value;
}

// Descriptors that are not known.
Json number_or_null(int fd)
{
    return fd < 0 ? Json(nullptr) : Json(fd);
}

Json counts_json(const Counts& counts)
{
    Json json = Json::object();
    for (const auto& [name, count] : counts)
        json[name] = count;
    return json;
}

Json observation_json(const Observation& seen)
{
    Json json{{"hooks", seen.hooks},
              {"hooks_reason", seen.hooks_reason},
              {"profile", seen.profile},
              {"seconds", rounded(seen.seconds)},
              {"complete", seen.complete},
              {"postings", seen.postings},
              {"lost", counts_json(seen.lost)},
              {"epolls", seen.epolls},
              {"registrations", seen.registrations},
              {"calls", counts_json(seen.calls)},
              {"notes", seen.notes}};
    if (seen.tool_cpu_seconds >= 0)
        json["tool_cpu_s"] = rounded(seen.tool_cpu_seconds);
    return json;
}

Json child_json(const Child& child)
{
    Json json{{"ran", child.ran}};
    if (child.ran) {
        json["exit_status"] = child.signal == 0 ? Json(child.exit_status) : Json(nullptr);
        json["signal"] = child.signal != 0 ? Json(child.signal) : Json(nullptr);
    }
    return json;
}

Json evidence_json(const Finding& finding)
{
    Json timeline = Json::array();
    for (const TimelineEntry& entry : finding.timeline)
        timeline.push_back(Json{{"t", rounded(entry.t)}, {"what", entry.what}, {"tid", entry.tid}});
    Json stacks = Json::array();
    for (const Stack& stack : finding.stacks) {
        Json frames = Json::array();
        for (const Frame& frame : stack.frames)
            frames.push_back(Json{{"function", frame.function}, {"file", frame.file}, {"line", frame.line}});
        stacks.push_back(Json{{"what", stack.what}, {"frames", std::move(frames)}});
    }
    return Json{{"timeline", std::move(timeline)}, {"stacks", std::move(stacks)}};
}

Json finding_json(const Finding& finding)
{
    Json cost = Json::object();
    for (const auto& [name, value] : finding.cost)
        cost[name] = rounded(value);
    Json facts = Json::object();
    for (const auto& [name, value] : finding.facts)
        facts[name] = value;
    return Json{{"rule", finding.rule},
                {"name", finding.name},
                {"level", level_name(finding.level)},
                {"fingerprint", finding.fingerprint},
                {"summary", finding.summary},
                {"shape", finding.shape},
                {"process", Json{{"pid", finding.pid}, {"comm", finding.comm}, {"exe", finding.exe}}},
                {"epoll", Json{{"fd", number_or_null(finding.epoll_fd)}}},
                {"fd", Json{{"number", number_or_null(finding.fd.number)},
                            {"kind", finding.fd.kind},
                            {"local", finding.fd.local},
                            {"peer", finding.fd.peer}}},
                {"fds", finding.fds},
                {"count", finding.count},
                {"cost", std::move(cost)},
                {"facts", std::move(facts)},
                {"evidence", evidence_json(finding)},
                {"fix", finding.fix}};
}

}  // namespace

void write_json(const Report& report, std::ostream& out)
{
    Json coverage = Json::array();
    for (const RuleCoverage& rule : report.coverage)
        coverage.push_back(
            Json{{"rule", rule.rule}, {"status", status_name(rule.status)}, {"reason", rule.reason}});
    Json findings = Json::array();
    for (const Finding& finding : report.findings)
        findings.push_back(finding_json(finding));

    Json json{{"schema", "epaudit/1"},
              {"version", report.version},
              {"target", Json{{"command", report.command}, {"pids", report.pids}}}};
    if (report.child)
        json["child"] = child_json(*report.child);
    json["observation"] = observation_json(report.observation);
    json["coverage"] = std::move(coverage);
    json["findings"] = std::move(findings);
    out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace epaudit
