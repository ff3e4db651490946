// SPDX-License-Identifier: Apache-2.0
// SARIF 2.1.0. The rule catalogue becomes tool.driver.rules, the timeline a code flow with one thread flow per
// thread, the stacks result.stacks, what was lost tool notifications. GitHub shows only results that have a
// physical location: where no stack says better, that is the executable.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <ostream>

#include "src/evidence/place.h"
#include "src/finding/explain.h"
#include "src/report/formats.h"
#include "src/report/json_parts.h"
#include "src/report/markup.h"
#include "src/report/verdict.h"
#include "src/report/words.h"

namespace epaudit {
namespace {

constexpr const char* kSchema =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
constexpr const char* kRoot = "%SRCROOT%";  // the name GitHub resolves against the checkout

const char* sarif_level(Level level)
{
    switch (level) {
    case Level::kConfirmed: return "error";
    case Level::kLikely: return "warning";
    case Level::kRisk: return "note";
    case Level::kInfo: break;
    }
    return "none";
}

Json text(const std::string& words) { return Json{{"text", words}}; }

// SARIF wants messages that are sentences.
std::string sentence(std::string words)
{
    if (!words.empty() && words[0] >= 'a' && words[0] <= 'z' && words.rfind("epoll", 0) != 0)
        words[0] = static_cast<char>(words[0] - 'a' + 'A');
    if (!words.empty() && std::string_view(".!?").find(words.back()) == std::string_view::npos)
        words += '.';
    return words;
}

// busy-epollout -> BusyEpollout
std::string pascal_case(std::string_view name)
{
    std::string out;
    bool upper = true;
    for (const char c : name) {
        if (c != '-')
            out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        upper = c == '-';
    }
    return out;
}

Json rule_json(const RuleInfo& info)
{
    const char* page = explain_text(info.name);
    const std::string help = page ? page : info.says;
    return Json{{"id", info.id},
                {"name", pascal_case(info.name)},
                {"shortDescription", text(sentence(info.says))},
                {"fullDescription", text(sentence(info.says))},
                {"help", Json{{"text", help}, {"markdown", help}}},
                {"defaultConfiguration", Json{{"level", sarif_level(info.highest)}}},
                {"properties", Json{{"tags", {"epoll", "reliability"}}, {"precision", "very-high"}}}};
}

class Sarif {
public:
    explicit Sarif(const Report& report)
        : report_(report), verdict_(verdict_of(report)), directory_(report.options.directory)
    {
    }

    Json log() const
    {
        Json results = Json::array();
        for (const Finding* finding : verdict_.shown)
            results.push_back(result(*finding));
        for (const Finding* finding : verdict_.known)
            results.push_back(result(*finding));
        Json run{{"tool", Json{{"driver", driver()}}}, {"invocations", Json::array({invocation()})}};
        if (directory_.starts_with('/'))
            run["originalUriBaseIds"] = Json{
                {kRoot, Json{{"uri", uri_of(directory_ == "/" ? "/" : directory_ + "/", "")},
                             {"description", text("The working directory of epaudit.")}}}};
        run["columnKind"] = "utf16CodeUnits";
        run["results"] = std::move(results);
        run["properties"] = Json{{"verdict", verdict_json(verdict_)}};
        run["properties"].update(configuration_json(report_));
        return Json{{"$schema", kSchema}, {"version", "2.1.0"}, {"runs", Json::array({std::move(run)})}};
    }

private:
    Json driver() const
    {
        Json rules = Json::array();
        for (const RuleInfo& info : report_.rules)
            rules.push_back(rule_json(info));
        return Json{{"name", "epaudit"},
                    {"fullName", "epaudit " + report_.version},
                    {"version", report_.version},
                    {"semanticVersion", report_.version},
                    {"shortDescription", text("Finds misuse of epoll in running programs.")},
                    {"rules", std::move(rules)}};
    }

    Json artifact(const std::string& path) const
    {
        const std::string uri = uri_of(path, directory_);
        Json location{{"uri", uri}};
        if (!uri.starts_with("file:"))
            location["uriBaseId"] = kRoot;
        return location;
    }

    Json physical(const std::string& file, int line, const SourceExcerpt* excerpt = nullptr) const
    {
        Json region{{"startLine", std::max(line, 1)}};
        Json place{{"artifactLocation", artifact(file)}};
        if (excerpt && excerpt->line == line) {
            const auto& lines = excerpt->lines;
            std::string all;
            for (const std::string& one : lines)
                all += one + "\n";
            region["snippet"] = text(lines.at(static_cast<size_t>(line - excerpt->first)) + "\n");
            place["region"] = std::move(region);
            place["contextRegion"] = Json{{"startLine", excerpt->first},
                                          {"endLine", excerpt->first + static_cast<int>(lines.size()) - 1},
                                          {"snippet", text(all)}};
            return place;
        }
        place["region"] = std::move(region);
        return place;
    }

    // Of a frame; empty when nothing is known of it.
    Json frame_location(const Frame& frame) const
    {
        Json location = Json::object();
        if (!frame.file.empty() && frame.line > 0)
            location["physicalLocation"] = physical(frame.file, frame.line);
        else if (!frame.module.empty())
            location["physicalLocation"] = Json{{"artifactLocation", artifact(frame.module)},
                                                {"address", Json{{"relativeAddress", frame.offset}}}};
        if (!frame.function.empty())
            location["logicalLocations"] = Json::array(
                {Json{{"fullyQualifiedName", frame.function}, {"kind", "function"}}});
        return location;
    }

    std::string program(const Finding& finding) const
    {
        if (!finding.exe.empty())
            return finding.exe;
        if (!report_.command.empty() && !report_.command[0].empty())
            return report_.command[0];
        return finding.comm.empty() ? "unknown" : clean(finding.comm);
    }

    // Where the finding is shown.
    Json location(const Finding& finding) const
    {
        Json location = Json::object();
        if (const Frame* frame = guilty_frame(finding)) {
            location = frame_location(*frame);
            if (finding.source)
                location["physicalLocation"] = physical(frame->file, frame->line, &*finding.source);
        }
        if (!location.contains("physicalLocation"))
            location["physicalLocation"] = physical(program(finding), 1);
        return location;
    }

    Json stack_json(const Stack& stack) const
    {
        Json frames = Json::array();
        for (const Frame& frame : stack.frames) {
            Json one = Json::object();
            if (Json place = frame_location(frame); !place.empty())
                one["location"] = std::move(place);
            if (!frame.module.empty())
                one["module"] = clean(frame.module);
            frames.push_back(std::move(one));
        }
        return Json{{"message", text(sentence(clean(stack.what)))}, {"frames", std::move(frames)}};
    }

    // Each thread's part of the timeline; the execution order is that of the whole.
    Json code_flow(const Finding& finding) const
    {
        const Json place = location(finding);
        std::map<uint32_t, Json> flows;
        int order = 1;
        for (const TimelineEntry& entry : finding.timeline) {
            Json here{{"message", text(fmt::format("{:.6f} s: {}", entry.t, clean(entry.what)))}};
            if (place.contains("physicalLocation"))
                here["physicalLocation"] = Json{
                    {"artifactLocation", place["physicalLocation"]["artifactLocation"]},
                    {"region", Json{{"startLine", place["physicalLocation"]["region"]["startLine"]}}}};
            flows[entry.tid].push_back(Json{{"executionOrder", order++},
                                            {"kinds", Json::array({lane_name(entry.lane)})},
                                            {"location", std::move(here)}});
        }
        Json threads = Json::array();
        for (auto& [tid, locations] : flows)
            threads.push_back(
                Json{{"id", tid ? fmt::format("tid {}", tid) : "kernel"}, {"locations", std::move(locations)}});
        return Json{{"message", text("The last events of the file.")}, {"threadFlows", std::move(threads)}};
    }

    std::string message(const Finding& finding) const
    {
        std::string words = sentence(clean(finding.summary));
        if (const std::string where = where_text(finding); !where.empty())
            words += "\n\nWhere: " + where;
        for (const auto& [name, value] : numbers_of(finding))
            words += fmt::format("\n{}: {}", name, clean(value));
        if (!finding.fix.empty())
            words += "\n\nFix: " + finding.fix;
        return words;
    }

    Json result(const Finding& finding) const
    {
        Json json{{"ruleId", finding.rule}};
        auto at = std::find_if(report_.rules.begin(), report_.rules.end(),
                               [&](const RuleInfo& info) { return info.id == finding.rule; });
        if (at != report_.rules.end())
            json["ruleIndex"] = at - report_.rules.begin();
        json["level"] = sarif_level(finding.level);
        json["message"] = text(message(finding));
        if (Json place = location(finding); !place.empty())
            json["locations"] = Json::array({std::move(place)});
        json["partialFingerprints"] = Json{{"epaudit/v1", finding.fingerprint}};
        if (finding.count > 0)
            json["occurrenceCount"] = std::min<uint64_t>(finding.count, INT32_MAX);
        if (!finding.stacks.empty()) {
            json["stacks"] = Json::array();
            for (const Stack& stack : finding.stacks)
                json["stacks"].push_back(stack_json(stack));
        }
        if (!finding.timeline.empty())
            json["codeFlows"] = Json::array({code_flow(finding)});
        if (finding.suppression) {
            std::string reason = finding.suppression->reason;
            reason += fmt::format("{}({})", reason.empty() ? "" : " ", finding.suppression->where);
            json["suppressions"] = Json::array(
                {Json{{"kind", "external"}, {"status", "accepted"}, {"justification", clean(reason)}}});
        }
        json["properties"] = Json{{"certainty", level_name(finding.level)}, {"fdKind", finding.fd.kind}};
        json["properties"].update(workload_json(finding.workload));
        return json;
    }

    static Json notification(const char* level, const std::string& words)
    {
        return Json{{"level", level}, {"message", text(sentence(clean(words)))}};
    }

    Json invocation() const
    {
        const Observation& seen = report_.observation;
        Json notes = Json::array();
        for (const InconclusiveReason& reason : verdict_.reasons)
            notes.push_back(notification("error", reason.words()));
        if (!verdict_.sound() && notes.empty())
            notes.push_back(notification("error", verdict_.words()));
        for (const RuleCoverage& rule : report_.coverage)
            if (rule.status != Status::kAvailable) {
                Json note = notification(
                    rule.status == Status::kUnavailable ? "warning" : "note",
                    fmt::format("{} {} is {}: {}", rule.rule, rule.name, status_name(rule.status), rule.reason));
                note["associatedRule"] = Json{{"id", rule.rule}};
                notes.push_back(std::move(note));
            }
        for (const std::string& one : seen.notes)
            notes.push_back(notification("note", one));
        for (const PolicyRemark& remark : report_.remarks)
            notes.push_back(notification("note", remark.where + ": " + remark.text));
        if (!report_.config.empty())
            notes.push_back(notification("note", "configuration: " + report_.config));
        if (const std::string off = rules_off_text(report_); !off.empty())
            notes.push_back(notification("note", "rules that are off: " + off));
        for (const std::string& program : report_.unjudged)
            notes.push_back(notification("note", "not judged: " + program));
        Json json{{"executionSuccessful", verdict_.sound() && verdict_.reasons.empty()},
                  {"exitCode", verdict_.exit},
                  {"exitCodeDescription", clean(verdict_.text)}};
        if (report_.started) {
            json["startTimeUtc"] = iso_time(report_.started);
            json["endTimeUtc"] = iso_time(report_.started + static_cast<int64_t>(seen.seconds + 0.5));
        }
        if (!notes.empty())
            json["toolExecutionNotifications"] = std::move(notes);
        return json;
    }

    const Report& report_;
    const Verdict verdict_;
    const std::string& directory_;
};

}  // namespace

void write_sarif(const Report& report, std::ostream& out)
{
    out << Sarif(report).log().dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace epaudit
