// SPDX-License-Identifier: Apache-2.0
#include "src/report/json.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <ostream>

#include "src/books/describe.h"
#include "src/evidence/place.h"
#include "src/report/json_parts.h"
#include "src/report/words.h"

namespace epaudit {

// Enough for µs.
double rounded(double value)
{
    return std::isfinite(value) && std::abs(value) < 1e9 ? std::round(value * 1e6) / 1e6 : value;
}

namespace {

// Descriptors that are not known.
Json number_or_null(int fd) { return fd < 0 ? Json(nullptr) : Json(fd); }

Json counts_json(const Counts& counts)
{
    Json json = Json::object();
    for (const auto& [name, count] : counts)
        json[name] = count;
    return json;
}

Json work_json(const Work& work)
{
    Json json{{"requests", work.requests}};
    if (work.requests)
        json["calls_per_request"] = Json{{"epoll_wait", rounded(work.per_request(work.waits))},
                                         {"io", rounded(work.per_request(work.io))},
                                         {"epoll_ctl", rounded(work.per_request(work.ctls))}};
    return json;
}

}  // namespace

Json observation_json(const Observation& seen)
{
    Json json{{"hooks", seen.hooks},
              {"hooks_reason", seen.hooks_reason},
              {"profile", seen.profile},
              {"seconds", rounded(seen.seconds)},
              {"complete", seen.complete()},
              {"postings", seen.postings},
              {"lost", counts_json(seen.lost)},
              {"epolls", seen.epolls},
              {"registrations", seen.registrations},
              {"calls", counts_json(seen.calls)},
              {"work", work_json(seen.work)},
              {"notes", seen.notes}};
    if (seen.tool_cpu_seconds >= 0)
        json["tool_cpu_s"] = rounded(seen.tool_cpu_seconds);
    if (seen.cost)
        json["cost"] = Json{{"probes_cores", rounded(seen.cost->probes)},
                            {"epaudit_cores", rounded(seen.cost->own)},
                            {"watched_cores", rounded(seen.cost->watched)},
                            {"share_of_watched", rounded(seen.cost->share())},
                            {"measured_s", rounded(seen.cost->measured_s)}};
    if (seen.budget)
        json["budget"] = Json{{"share", rounded(seen.budget->share)},
                              {"attached_share", rounded(seen.budget->attached_share)},
                              {"longest_gap_s", rounded(seen.budget->longest_gap_s)}};
    return json;
}

Json coverage_json(const std::vector<RuleCoverage>& coverage)
{
    Json json = Json::array();
    for (const RuleCoverage& rule : coverage)
        json.push_back(Json{{"rule", rule.rule}, {"status", status_name(rule.status)}, {"reason", rule.reason}});
    return json;
}

Json verdict_json(const Verdict& verdict)
{
    Json reasons = Json::array();
    for (const InconclusiveReason& reason : verdict.reasons)
        reasons.push_back(
            Json{{"why", inconclusive_name(reason.why)}, {"text", reason.text}, {"remedy", reason.remedy}});
    return Json{{"state", state_name(verdict.state)},
                {"failed", verdict.failed},
                {"exit", verdict.exit},
                {"text", verdict.text},
                {"remedy", verdict.remedy},
                {"shown", verdict.shown.size()},
                {"known", verdict.known.size()},
                {"reasons", std::move(reasons)}};
}

Json configuration_json(const Report& report)
{
    Json off = Json::array();
    for (const RuleOff& rule : report.rules_off)
        off.push_back(Json{{"rule", rule.rule}, {"name", rule.name}, {"by", rule.by}});
    Json json{{"file", report.config.empty() ? Json(nullptr) : Json(report.config)},
              {"fail_on", report.gate ? level_name(*report.gate) : "never"},
              {"rules_off", std::move(off)},
              {"not_judged", report.unjudged}};
    return Json{{"configuration", std::move(json)}};
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

namespace {

Json frame_json(const Frame& frame, const std::string& directory)
{
    Json json{{"function", frame.function}, {"file", shown_path(frame.file, directory)}, {"line", frame.line}};
    if (!frame.module.empty()) {
        json["module"] = shown_path(frame.module, directory);
        json["offset"] = frame.offset;
    }
    if (frame.inlined)
        json["inlined"] = true;
    if (frame.guessed)
        json["guessed"] = true;
    if (frame.at_start)
        json["at_start"] = true;
    return json;
}

Json evidence_json(const Finding& finding, const std::string& directory)
{
    Json timeline = Json::array();
    for (const TimelineEntry& entry : finding.timeline)
        timeline.push_back(
            Json{{"t", rounded(entry.t)}, {"what", entry.what}, {"tid", entry.tid}, {"lane", lane_name(entry.lane)}});
    Json stacks = Json::array();
    for (const Stack& stack : finding.stacks) {
        Json frames = Json::array();
        for (const Frame& frame : stack.frames)
            frames.push_back(frame_json(frame, directory));
        Json one{{"what", stack.what}, {"frames", std::move(frames)}};
        if (!stack.hint.empty())
            one["hint"] = stack.hint;
        stacks.push_back(std::move(one));
    }
    Json json{{"timeline", std::move(timeline)}, {"stacks", std::move(stacks)}};
    if (finding.source)
        json["source"] = Json{{"file", shown_path(finding.source->file, directory)},
                              {"line", finding.source->line},
                              {"first", finding.source->first},
                              {"lines", finding.source->lines}};
    return json;
}

}  // namespace

Json container_json(const Container& container)
{
    return {{"id", clean(container.id)},
            {"name", clean(container.name)},
            {"image", clean(container.image)},
            {"runtime", container.runtime}};
}

Json workload_json(const Workload& workload)
{
    Json json = Json::object();
    if (!workload.unit.empty())
        json["unit"] = clean(workload.unit);
    if (workload.in_container())
        json["container"] = container_json(workload.container);
    if (!workload.pod.empty())
        json["pod"] = clean(workload.pod);
    return json;
}

Json target_json(const Report& report)
{
    Json json{{"command", report.command}, {"pids", report.pids}};
    if (!report.selection.empty())
        json["selection"] = report.selection;
    return json;
}

namespace {

Json process_json(const Finding& finding)
{
    Json json{{"pid", known_pid(finding.pid)}, {"comm", finding.comm}, {"exe", finding.exe}};
    json.update(workload_json(finding.workload));
    return json;
}

}  // namespace

Json finding_json(const Finding& finding, const std::string& directory)
{
    Json cost = Json::object();
    for (const auto& [name, value] : finding.cost)
        cost[name] = rounded(value);
    Json facts = Json::object();
    for (const auto& [name, value] : finding.facts)
        facts[name] = value;
    Json json{{"rule", finding.rule},
              {"name", finding.name},
              {"level", level_name(finding.level)},
              {"fingerprint", finding.fingerprint},
              {"summary", finding.summary},
              {"shape", finding.shape},
              {"process", process_json(finding)},
              {"epoll", Json{{"fd", number_or_null(finding.epoll_fd)}}},
              {"fd", Json{{"number", number_or_null(finding.fd.number)},
                          {"kind", finding.fd.kind},
                          {"local", finding.fd.local},
                          {"peer", finding.fd.peer}}},
              {"fds", finding.fds},
              {"count", finding.count},
              {"cost", std::move(cost)},
              {"facts", std::move(facts)},
              {"evidence", evidence_json(finding, directory)},
              {"fix", finding.fix}};
    if (const auto& known = finding.suppression)
        json["suppression"] = Json{{"by", known->by}, {"reason", known->reason}, {"where", known->where}};
    return json;
}

namespace {

Json histogram_json(const uint32_t* buckets)
{
    Json json = Json::array();
    size_t used = EPOLL_BUCKETS;
    while (used > 0 && buckets[used - 1] == 0)
        used--;
    for (size_t i = 0; i < used; i++)
        json.push_back(buckets[i]);
    return json;
}

// Bucket n of a histogram counts values from 2^n to 2^(n+1).
Json loop_json(const LoopStats& loop)
{
    const epoll_row& row = loop.row;
    return Json{{"process", Json{{"pid", known_pid(loop.pid)}, {"comm", loop.comm}}},
                {"epoll", Json{{"fd", number_or_null(loop.fd)}}},
                {"waits", row.waits},
                {"returns", row.returns},
                {"futile_returns", row.futile_returns},
                {"events", row.events},
                {"timeouts", row.timeouts},
                {"interrupts", row.interrupts},
                {"ready_to_delivered_us_log2", histogram_json(row.latency)},
                {"return_to_wait_us_log2", histogram_json(row.handling)},
                {"events_per_return_log2", histogram_json(row.batch)}};
}

}  // namespace

void write_json(const Report& report, std::ostream& out)
{
    Json findings = Json::array();
    for (const Finding& finding : report.findings)
        findings.push_back(finding_json(finding, report.options.directory));
    Json loops = Json::array();
    for (const LoopStats& loop : report.history.loops)
        loops.push_back(loop_json(loop));
    Json suppressed = Json::array();
    for (const Finding& finding : report.suppressed)
        suppressed.push_back(finding_json(finding, report.options.directory));

    Json json{{"schema", "epaudit/1"}, {"version", report.version}, {"target", target_json(report)}};
    if (report.child)
        json["child"] = child_json(*report.child);
    json["observation"] = observation_json(report.observation);
    json["verdict"] = verdict_json(verdict_of(report));
    json.update(configuration_json(report));
    json["coverage"] = coverage_json(report.coverage);
    json["findings"] = std::move(findings);
    for (const PolicyRemark& remark : report.remarks)
        json["policy"].push_back(Json{{"what", remark.what}, {"where", remark.where}, {"text", remark.text}});
    if (!loops.empty())
        json["loops"] = std::move(loops);
    if (!suppressed.empty())
        json["suppressed"] = std::move(suppressed);
    out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace epaudit
