// SPDX-License-Identifier: Apache-2.0
#include "src/report/ndjson.h"

#include <ostream>

#include "src/report/formats.h"
#include "src/report/json_parts.h"

namespace epaudit {
namespace {

std::string line(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace

std::string NdjsonStream::begin(const Report& report)
{
    begun_ = true;
    Json json{{"type", "begin"}, {"schema", "epaudit/1"}, {"version", report.version}};
    json["target"] = target_json(report);
    json["hooks"] = report.observation.hooks;
    json["profile"] = report.observation.profile;
    if (!report.coverage.empty())  // of a log it is known at its end
        json["coverage"] = coverage_json(report.coverage);
    json.update(configuration_json(report));
    return line(json);
}

std::string NdjsonStream::sample(const RateSample& sample)
{
    sampled_ = true;
    return line(Json{{"type", "sample"},
                     {"t", rounded(sample.t)},
                     {"seconds", rounded(sample.seconds)},
                     {"returns", sample.returns},
                     {"futile", sample.futile},
                     {"events", sample.events},
                     {"timeouts", sample.timeouts}});
}

std::string NdjsonStream::finding(const Finding& finding, const std::string& directory)
{
    if (!told_.tell(finding))
        return {};
    Json json{{"type", "finding"}};
    if (!told_.replaced().empty())
        json["replaces"] = told_.replaced();
    json.update(finding_json(finding, directory));
    return line(json);
}

std::string NdjsonStream::end(const Report& report)
{
    std::string text;
    if (!begun_)
        text += begin(report);
    if (!sampled_)
        for (const RateSample& one : report.history.samples)
            text += sample(one);
    Json standing = Json::array();
    for (const Finding& one : report.findings) {
        text += finding(one, report.options.directory);
        standing.push_back(
            Json{{"fingerprint", one.fingerprint}, {"rule", one.rule}, {"level", level_name(one.level)}});
    }
    for (const Finding& one : report.suppressed)
        text += finding(one, report.options.directory);
    const Verdict verdict = verdict_of(report);
    Json json{{"type", "end"}, {"failed", verdict.failed}, {"verdict", verdict_json(verdict)}};
    json.update(configuration_json(report));
    if (report.child)
        json["child"] = child_json(*report.child);
    json["observation"] = observation_json(report.observation);
    json["coverage"] = coverage_json(report.coverage);
    json["findings"] = std::move(standing);
    Json known = Json::array();
    for (const Finding& one : report.suppressed)
        known.push_back(Json{{"fingerprint", one.fingerprint}, {"rule", one.rule}, {"level", level_name(one.level)}});
    json["suppressed"] = std::move(known);
    return text + line(json);
}

void write_ndjson(const Report& report, std::ostream& out) { out << NdjsonStream().end(report); }

}  // namespace epaudit
