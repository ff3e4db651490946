// SPDX-License-Identifier: Apache-2.0
#include "src/cli/misuse.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "src/report/formats.h"
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

// What other tools call it, or what it was called in a hurry.
std::string elsewhere(const std::string& word, const std::vector<std::string>& known)
{
    static const std::map<std::string_view, std::string_view> names = {
        {"--timeout", "--duration"}, {"--time", "--duration"}, {"--seconds", "--duration"},  {"--output", "--format"},
        {"--out", "--format"},       {"--colour", "--color"},  {"--name", "--comm"},         {"--process", "--pid"},
        {"--interval", "--watch"},   {"--service", "--unit"},  {"--exit-code", "--fail-on"}, {"--only", "--select"},
        {"--suppress", "--ignore"},  {"--threshold", "--set"},
    };
    auto has = [&known](std::string_view name) { return std::find(known.begin(), known.end(), name) != known.end(); };
    if (has(word))
        return {};
    if (word.starts_with("--") && find_format(word.substr(2)) && has("--format"))
        return "--format " + word.substr(2);
    auto at = names.find(word);
    return at == names.end() || !has(at->second) ? "" : std::string(at->second);
}

// "--color: invalid value 'alwys'", and behind a newline the hint.
Error bad_value(const CLI::ParseError& error, const std::string& help)
{
    const std::string what = error.what();
    const size_t end = what.find('\n');
    return usage_error(what.substr(0, end), end == std::string::npos ? help : what.substr(end + 1));
}

// An option at the end of the line, or before another one, that wants a value.
Error no_value(const CLI::ParseError& error, const CLI::App& command, const std::string& help)
{
    const std::string what = error.what(), name = what.substr(0, what.find(':'));
    const CLI::Option* option = command.get_option_no_throw(name);
    if (!option)
        return usage_error(what, help);
    const std::string type = option->get_type_name();
    const size_t open = type.find('{');
    return usage_error(fmt::format("{} needs a value", name),
                       open == std::string::npos
                           ? fmt::format("{} {}; {}", name, type.substr(0, type.find(':')), help)
                           : fmt::format("one of: {}", type.substr(open + 1, type.rfind('}') - open - 1)));
}

}  // namespace

Error no_command(const CLI::App& app, const char* first)
{
    if (!first || *first == '-')
        return usage_error(first ? fmt::format("a command comes first, not '{}'", first) : "no command given",
                           "epaudit attach -p PID, epaudit run -- CMD; epaudit --help lists the others");
    return usage_error(fmt::format("no command '{}'", first),
                       did_you_mean(first, command_names(app), "epaudit --help lists them"));
}

std::vector<std::string> command_names(const CLI::App& app)
{
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(command->get_name());
    return names;
}

namespace {

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
        if (word.size() > 1 && word[0] == '-') {
            const std::string name = word.substr(0, word.find('=')), other = elsewhere(name, options_of(command));
            return usage_error(fmt::format("{} has no option '{}'", command.get_name(), name),
                               other.empty() ? did_you_mean(name, options_of(command), help)
                                             : fmt::format("did you mean '{}'?", other));
        }
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
    if (first && *first == '-')
        return no_command(app, first);
    const std::string help = fmt::format("epaudit {} --help", command.get_name());
    if (dynamic_cast<const CLI::ExtrasError*>(&error))
        return unexpected(app, command, help);
    if (dynamic_cast<const CLI::ValidationError*>(&error))
        return bad_value(error, help);
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&error))
        return no_value(error, command, help);
    auto need = kNeeds.find(command.get_name());
    if (dynamic_cast<const CLI::RequiredError*>(&error) && need != kNeeds.end())
        return usage_error(fmt::format("{} needs {}", command.get_name(), need->second.what), need->second.usage);
    return usage_error(error.what(), help);
}

}  // namespace epaudit
