// SPDX-License-Identifier: Apache-2.0
#include "src/cli/misuse.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "src/support/nearest.h"

namespace epaudit {
namespace {

// What a command cannot do without, and how it is given.
struct Need {
    const char* what;
    const char* usage;
};

const std::map<std::string, Need> kNeeds = {
    {"run", {"a program to run", "epaudit run [OPTIONS] -- CMD [ARG...]"}},
    {"attach", {"a process", "epaudit attach NAME, or -p PID[,PID]; `epaudit list` shows who uses epoll"}},
    {"inspect", {"a process", "epaudit inspect NAME, or -p PID[,PID]; `epaudit list` shows who uses epoll"}},
    {"strace", {"a log", "epaudit strace FILE, or - for standard input"}},
    {"record", {"a file to write to", "epaudit record -o FILE -- CMD [ARG...], or -o FILE -p PID[,PID]"}},
    {"replay", {"a recording", "epaudit replay FILE, or - for standard input"}},
    {"explain", {"a rule", "epaudit explain EP201; `epaudit rules` lists them"}},
};

Error no_command(const CLI::App& app, const char* first)
{
    if (!first || *first == '-')
        return usage_error(first ? fmt::format("a command comes first, not '{}'", first) : "no command given",
                           "epaudit attach -p PID, epaudit run -- CMD; epaudit --help lists the others");
    std::vector<std::string> known;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
        known.push_back(command->get_name());
    return usage_error(fmt::format("no command '{}'", first), did_you_mean(first, known, "epaudit --help lists them"));
}

std::vector<std::string> options_of(const CLI::App& command)
{
    std::vector<std::string> names;
    for (const CLI::Option* option : command.get_options([](const CLI::Option* o) { return !o->get_group().empty(); }))
        for (const std::string& name : option->get_lnames())
            names.push_back("--" + name);
    return names;
}

Error unexpected(const CLI::App& app, const CLI::App& command, const std::string& help)
{
    std::vector<std::string> words = command.remaining();
    if (words.empty())  // a word after "--", or an option that stands before the command, was left to the program
        words = app.remaining(true);
    for (const std::string& word : words)
        if (word.size() > 1 && word[0] == '-')
            return usage_error(fmt::format("{} has no option '{}'", command.get_name(), word),
                               did_you_mean(word, options_of(command), help));
    auto need = kNeeds.find(command.get_name());
    return usage_error(
        fmt::format("{}: unexpected argument '{}'", command.get_name(), words.empty() ? "" : words.front()),
        need == kNeeds.end() ? help : need->second.usage);
}

}  // namespace

Error misuse(const CLI::ParseError& error, const CLI::App& app, const char* first)
{
    const std::vector<CLI::App*> parsed = app.get_subcommands();
    if (parsed.empty())
        return no_command(app, first);
    const CLI::App& command = *parsed.front();
    const std::string help = fmt::format("epaudit {} --help", command.get_name());
    if (dynamic_cast<const CLI::ExtrasError*>(&error))
        return unexpected(app, command, help);
    auto need = kNeeds.find(command.get_name());
    if (dynamic_cast<const CLI::RequiredError*>(&error) && need != kNeeds.end())
        return usage_error(fmt::format("{} needs {}", command.get_name(), need->second.what), need->second.usage);
    return usage_error(error.what(), help);
}

}  // namespace epaudit
