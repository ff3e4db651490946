// SPDX-License-Identifier: Apache-2.0
#include "src/report/doctor.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "src/report/words.h"

namespace epaudit {
namespace {

using Json = nlohmann::ordered_json;

// Programs that are as they should be are counted, the others named.
void write_hook_set(const HookSetLine& set, bool chosen, size_t width, std::ostream& out)
{
    auto attached = std::count_if(set.programs.begin(), set.programs.end(),
                                  [](const HookLine& p) { return p.attached; });
    if (set.usable)
        fmt::print(out, "  {:<12}usable{}, {} of {} programs attached\n", set.name, chosen ? ", chosen" : "", attached,
                   set.programs.size());
    if (!set.usable) {
        out << beside(fmt::format("  {:<12}", set.name), "not usable: " + set.reason, width);
        return;
    }
    for (const HookLine& program : set.programs)
        if (!program.attached)
            fmt::print(out, "  {:<12}  {}: {}\n", "", program.section, program.reason);
}

void write_rules(const Diagnosis& diagnosis, size_t width, std::ostream& out)
{
    for (const RuleCoverage& rule : diagnosis.coverage) {
        const std::string status = status_name(rule.status) + (rule.reason.empty() ? "" : ": " + rule.reason);
        out << beside(fmt::format("  {:<32}", fmt::format("{} {}", rule.rule, rule.name)), status, width);
    }
}

}  // namespace

void write_doctor_text(const Diagnosis& diagnosis, size_t width, std::ostream& out)
{
    fmt::print(out, "epaudit {}\n\nsystem\n", diagnosis.version);
    for (const auto& [name, value] : diagnosis.system)
        fmt::print(out, "  {:<26}{}\n", name, value);
    fmt::print(out, "\nprobes\n");
    for (const HookSetLine& set : diagnosis.hook_sets)
        write_hook_set(set, set.name == diagnosis.chosen, width, out);
    if (!diagnosis.chosen.empty())
        fmt::print(out, "  {:<12}{}\n", "state",
                   diagnosis.why_not_iterators.empty()
                       ? "read through BPF iterators"
                       : "read by programs that epaudit runs; iterators are refused: " + diagnosis.why_not_iterators);
    fmt::print(out, "\nrules\n");
    write_rules(diagnosis, width, out);
    if (!diagnosis.advice.empty())
        fmt::print(out, "\nwhat would improve it\n");
    for (const Advice& advice : diagnosis.advice) {
        for (const std::string& line : wrap(advice.problem, width - 2))
            fmt::print(out, "  {}\n", line);
        if (!advice.command.empty())
            fmt::print(out, "    {}\n", advice.command);
    }
    fmt::print(out, "\nverdict   {}\n",
               diagnosis.chosen.empty() ? "nothing can be observed here"
                                        : fmt::format("ready to observe, by {} probes", diagnosis.chosen));
}

void write_doctor_json(const Diagnosis& diagnosis, std::ostream& out)
{
    Json system = Json::object(), sets = Json::array(), rules = Json::array(), advice = Json::array();
    for (const auto& [name, value] : diagnosis.system)
        system[name] = value;
    for (const HookSetLine& set : diagnosis.hook_sets) {
        Json programs = Json::array();
        for (const HookLine& program : set.programs)
            programs.push_back({{"name", program.name},
                                {"hook", program.section},
                                {"attached", program.attached},
                                {"reason", program.reason}});
        sets.push_back({{"name", set.name}, {"usable", set.usable}, {"reason", set.reason}, {"programs", programs}});
    }
    for (const RuleCoverage& rule : diagnosis.coverage)
        rules.push_back(
            {{"rule", rule.rule}, {"name", rule.name}, {"status", status_name(rule.status)}, {"reason", rule.reason}});
    for (const Advice& one : diagnosis.advice)
        advice.push_back({{"problem", one.problem}, {"command", one.command}});
    Json all{{"schema", "epaudit-doctor/1"},
             {"version", diagnosis.version},
             {"system", system},
             {"hook_sets", sets},
             {"chosen", diagnosis.chosen.empty() ? Json(nullptr) : Json(diagnosis.chosen)},
             {"sweep", {{"iterators", diagnosis.why_not_iterators.empty()}, {"reason", diagnosis.why_not_iterators}}},
             {"coverage", rules},
             {"advice", advice}};
    out << all.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace epaudit
