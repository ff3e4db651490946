// SPDX-License-Identifier: Apache-2.0
#include "src/audit/baseline.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "src/audit/auditor.h"
#include "src/evidence/fingerprint.h"
#include "src/evidence/place.h"
#include "src/support/utf8.h"

namespace epaudit {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSchema = "epaudit-baseline/1";
constexpr const char* kHint = "write it anew with --write-baseline";

BaselineEntry entry_of(const Finding& finding)
{
    const bool placed = finding.fingerprint != placeless_fingerprint(finding);  // by no other stack than that one
    const Frame* frame = placed ? naming_frame(finding) : nullptr;
    return {finding.fingerprint,
            finding.rule,
            finding.name,
            as_text(program_name(finding)),
            finding.fd.kind,
            finding.trigger,
            frame ? as_text(frame->function) : "",
            false};
}

bool same_but_function(const BaselineEntry& a, const BaselineEntry& b)
{
    return a.rule == b.rule && a.program == b.program && a.kind == b.kind && a.trigger == b.trigger &&
           (a.function.empty() || b.function.empty());
}

}  // namespace

Result<Baseline> Baseline::parse(std::string_view text, const std::string& file)
{
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded() || !json.is_object())
        return usage_error(fmt::format("{} is not JSON", file), kHint);
    if (!json.contains("schema") || json["schema"] != kSchema)
        return usage_error(fmt::format("{} is not a baseline of schema {}", file, kSchema), kHint);
    if (!json.contains("findings") || !json["findings"].is_array())
        return usage_error(fmt::format("{} has no list of findings", file), kHint);
    Baseline baseline;
    baseline.file_ = file;
    for (const Json& one : json["findings"]) {
        BaselineEntry entry;
        const std::pair<const char*, std::string*> fields[] = {
            {"fingerprint", &entry.fingerprint}, {"rule", &entry.rule}, {"name", &entry.name},
            {"program", &entry.program},         {"kind", &entry.kind}, {"trigger", &entry.trigger},
            {"function", &entry.function}};
        for (const auto& [name, text_of] : fields) {
            if (!one.is_object() || !one.contains(name) || !one[name].is_string())
                return usage_error(fmt::format("{}: finding {} has no '{}'", file, baseline.entries_.size() + 1, name),
                                   kHint);
            *text_of = one[name].get<std::string>();
        }
        baseline.entries_.push_back(std::move(entry));
    }
    return baseline;
}

Result<Baseline> Baseline::read(const std::string& path)
{
    std::ifstream in(path, std::ios::binary);
    const std::string hint = "make one with --write-baseline " + path;
    if (!in)
        return usage_error(fmt::format("cannot read the baseline {}: {}", path, strerror(errno ? errno : EIO)), hint);
    std::ostringstream text;
    if (in.peek() == EOF && !in.bad())  // inserting nothing would count as a failure
        return usage_error(fmt::format("the baseline {} is empty", path), hint);
    in.clear();
    if (!(text << in.rdbuf()))
        return usage_error(fmt::format("cannot read the baseline {}: {}", path, strerror(EIO)), hint);
    return parse(text.str(), path);
}

bool Baseline::covers(const Finding& finding)
{
    const BaselineEntry wanted = entry_of(finding);
    bool found = false;
    for (BaselineEntry& entry : entries_) {
        if (entry.fingerprint != wanted.fingerprint && !same_but_function(entry, wanted))
            continue;
        entry.matched = found = true;
    }
    return found;
}

std::string baseline_text(const std::vector<Finding>& findings)
{
    std::map<std::string, BaselineEntry> sorted;  // so that files differ only where findings do
    for (const Finding& finding : findings)
        sorted[finding.rule + finding.fingerprint] = entry_of(finding);
    Json list = Json::array();
    for (const auto& [key, entry] : sorted)
        list.push_back(Json{{"fingerprint", entry.fingerprint},
                            {"rule", entry.rule},
                            {"name", entry.name},
                            {"program", entry.program},
                            {"kind", entry.kind},
                            {"trigger", entry.trigger},
                            {"function", entry.function}});
    return Json{{"schema", kSchema}, {"findings", std::move(list)}}.dump(2, ' ', false,
                                                                         Json::error_handler_t::replace) +
           "\n";
}

}  // namespace epaudit
