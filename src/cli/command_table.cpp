// SPDX-License-Identifier: Apache-2.0
#include "src/cli/command_table.h"

#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>

#include "rules/catalogue.h"
#include "src/audit/auditor.h"
#include "src/finding/explain.h"
#include "src/report/formats.h"
#include "src/report/rules_list.h"
#include "src/support/version.h"

namespace epaudit {
namespace {

using Json = nlohmann::ordered_json;

// "LEVEL:{confirmed,likely}" is what CLI11 makes of a type name and a check.
std::vector<std::string> choices_in(const std::string& type)
{
    const size_t open = type.find('{'), close = type.rfind('}');
    std::vector<std::string> choices;
    if (open == std::string::npos || close == std::string::npos || close < open)
        return choices;
    std::istringstream list(type.substr(open + 1, close - open - 1));
    for (std::string one; std::getline(list, one, ',');)
        choices.push_back(one);
    return choices;
}

ValueKind kind_of(const OptionRow& row)
{
    static const std::map<std::string, ValueKind> kinds = {
        {"FILE", ValueKind::kFile},     {"FORMAT[=FILE]", ValueKind::kFormat},
        {"PID", ValueKind::kPid},       {"RULE", ValueKind::kRule},
        {"PID[,PID]", ValueKind::kPid}, {"CMD", ValueKind::kCommand},
        {"RULES", ValueKind::kRule},    {"RULE.NAME=VALUE", ValueKind::kThreshold},
    };
    if (!row.choices.empty())
        return ValueKind::kChoice;
    if (row.names.back() == "--user")
        return ValueKind::kUser;
    auto at = kinds.find(row.value);
    return at == kinds.end() ? ValueKind::kText : at->second;
}

OptionRow row_of(const CLI::Option& option)
{
    OptionRow row;
    for (const std::string& name : option.get_snames())
        row.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames())
        row.names.push_back("--" + name);
    row.positional = row.names.empty();
    const bool takes = option.get_items_expected_max() > 0;
    if (takes) {
        const std::string type = option.get_type_name();
        row.value = type.substr(0, type.find(':'));
        row.choices = choices_in(type);
        row.initial = option.get_default_str();
        row.value_optional = option.get_items_expected_min() == 0;
        row.repeats = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll ||
                      option.get_items_expected_max() > 1;
    }
    if (row.value == "PROFILE")
        row.choices = {"production", "test"};
    if (row.positional)
        row.names.push_back(row.value);
    row.kind = takes ? kind_of(row) : ValueKind::kNone;
    row.description = option.get_description();
    row.group = option.get_group();
    row.required = option.get_required();
    return row;
}

CommandRow rows_of(const CLI::App& app)
{
    CommandRow command{app.get_name(), app.get_description(), {}};
    for (const CLI::Option* option : app.get_options([](const CLI::Option* one) { return !one->get_group().empty(); }))
        command.options.push_back(row_of(*option));
    return command;
}

Json option_json(const OptionRow& row)
{
    return Json{{"names", row.names},
                {"value", row.value},
                {"choices", row.choices},
                {"default", row.initial},
                {"positional", row.positional},
                {"required", row.required},
                {"value_optional", row.value_optional},
                {"repeats", row.repeats},
                {"description", row.description}};
}

Json command_json(const CommandRow& command)
{
    Json options = Json::array();
    for (const OptionRow& row : command.options)
        options.push_back(option_json(row));
    return Json{{"name", command.name}, {"description", command.description}, {"options", std::move(options)}};
}

Json rules_json()
{
    Json rules = Json::array();
    for (const auto& rule : make_rules()) {
        const RuleInfo& info = rule->info();
        rules.push_back(Json{{"id", info.id},
                             {"name", info.name},
                             {"says", info.says},
                             {"highest", level_name(info.highest)},
                             {"thresholds", thresholds_json(info)},
                             {"explain", explain_text(info.name)}});
    }
    return rules;
}

}  // namespace

CommandTable command_table(const CLI::App& app)
{
    CommandTable table{rows_of(app), {}};
    for (const CLI::App* command : app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); }))
        table.commands.push_back(rows_of(*command));
    return table;
}

void write_command_table(const CommandTable& table, std::ostream& out)
{
    Json commands = Json::array();
    for (const CommandRow& command : table.commands)
        commands.push_back(command_json(command));
    Json formats_json = Json::array();
    for (const std::string& name : format_names())
        formats_json.push_back(name);
    out << Json{{"version", version_text()},
                {"program", command_json(table.program)},
                {"commands", std::move(commands)},
                {"formats", std::move(formats_json)},
                {"rules", rules_json()}}
               .dump(1)
        << '\n';
}

}  // namespace epaudit
