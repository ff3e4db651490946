// SPDX-License-Identifier: Apache-2.0
#include "src/cli/help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "src/cli/command_table.h"
#include "src/report/words.h"

namespace epaudit {
namespace {

constexpr size_t kMargin = 2;
constexpr size_t kNamesMax = 28;  // longer ones stand on a line of their own

struct HelpEntry {
    std::string head;
    std::string says;
};

std::string head_of(const OptionRow& option)
{
    if (option.positional)
        return option.value + (option.repeats ? "..." : "");
    std::string value = option.value;
    if (option.value_optional)
        return fmt::format("{}[={}]", fmt::join(option.names, ", "), value);
    return fmt::format("{}{}{}", fmt::join(option.names, ", "), value.empty() ? "" : " ", value);
}

HelpEntry entry_of(const OptionRow& option)
{
    std::string says = option.description;
    const bool told = says.find("default") != std::string::npos || option.initial.empty() || option.value_optional;
    if (!told)
        says += fmt::format(" (default: {})", option.initial);
    return {head_of(option), says};
}

std::string set(const std::string& title, const std::vector<HelpEntry>& entries, size_t width)
{
    if (entries.empty())
        return {};
    size_t heads = 0;
    for (const HelpEntry& entry : entries)
        heads = std::max(heads, std::min(entry.head.size(), kNamesMax));
    const size_t margin = kMargin + heads + 2;
    std::string out = fmt::format("\n{}:\n", title);
    for (const HelpEntry& entry : entries) {
        std::string head = std::string(kMargin, ' ') + entry.head;
        if (entry.head.size() > heads) {
            out += head + "\n";
            head.clear();
        }
        out += beside(padded(head, margin), entry.says, width);
    }
    return out;
}

std::string usage_of(const CommandRow& command, bool program)
{
    if (program)
        return "Usage: epaudit COMMAND [OPTIONS]\n";
    std::string usage = fmt::format("Usage: epaudit {} [OPTIONS]", command.name);
    for (const OptionRow& option : command.options)
        if (option.positional)
            usage += option.required ? " " + head_of(option) : fmt::format(" [{}]", head_of(option));
    return usage + "\n";
}

std::string paragraphs(const std::string& text, size_t width)
{
    return text.empty() ? "" : fmt::format("\n{}\n", fmt::join(wrap(text, width), "\n"));
}

}  // namespace

std::string help_text(const CLI::App& app, size_t width)
{
    const CommandTable table = command_table(app);
    const bool program = !app.get_parent();
    std::string out = usage_of(table.program, program) + paragraphs(app.get_description(), width);
    std::vector<HelpEntry> commands;
    for (const CommandRow& command : table.commands)
        commands.push_back({command.name, command.description});
    out += set("Commands", commands, width);
    std::vector<std::string> groups;
    for (const OptionRow& option : table.program.options)
        if (std::find(groups.begin(), groups.end(), option.group) == groups.end())
            groups.push_back(option.group);
    for (const std::string& group : groups) {
        std::vector<HelpEntry> entries;
        for (const OptionRow& option : table.program.options)
            if (option.group == group)
                entries.push_back(entry_of(option));
        out += set(group, entries, width);
    }
    return out + paragraphs(app.get_footer(), width);
}

}  // namespace epaudit
