// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "src/cli/completion.h"
#include "src/report/formats.h"

namespace epaudit {
namespace {

// In single quotes, where fish reads a backslash before these two.
std::string quoted(const std::string& text)
{
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + "'";
}

std::string fish_offer(const OptionRow& row)
{
    if (!row.choices.empty())
        return " -x -a " + quoted(fmt::format("{}", fmt::join(row.choices, " ")));
    switch (row.kind) {
    case ValueKind::kNone: return "";
    case ValueKind::kFile: return " -r -F";
    case ValueKind::kFormat: return " -x -a '(__epaudit_formats)'";
    case ValueKind::kPid: return " -x -a '(__fish_complete_list , __fish_complete_pids)'";
    case ValueKind::kRule: return " -x -a '(__fish_complete_list , __epaudit_rules)'";
    case ValueKind::kThreshold: return " -x -a '(__epaudit_thresholds)'";
    case ValueKind::kUser: return " -x -a '(__fish_complete_users)'";
    default: return row.value_optional ? "" : " -x";
    }
}

std::string positional(const OptionRow& row, const std::string& only)
{
    if (row.kind == ValueKind::kCommand)
        return fmt::format("complete -c epaudit {} -x -a '(__epaudit_command)'\n", only);
    if (row.kind == ValueKind::kFile)
        return fmt::format("complete -c epaudit {} -F\n", only);
    return fmt::format("complete -c epaudit {}{}\n", only, fish_offer(row));
}

std::string lines_of(const CommandRow& command, const std::string& only)
{
    std::string text;
    for (const OptionRow& row : command.options) {
        if (row.positional) {
            text += positional(row, only);
            continue;
        }
        text += "complete -c epaudit " + only;
        for (const std::string& name : row.names)
            text += name.size() == 2 ? " -s " + name.substr(1) : " -l " + name.substr(2);
        text += fish_offer(row) + " -d " + quoted(brief(row.description)) + "\n";
    }
    return text;
}

constexpr const char* kHelpers = R"SH(
# The audited command is completed as if it stood alone.
function __epaudit_command
    set -l words (commandline -opc)
    set -l token (commandline -ct)
    set -l at 3
    while test $at -le (count $words)
        switch $words[$at]
            case --
                set at (math $at + 1)
                break
            case '-*'
                if contains -- $words[$at] $__epaudit_valued
                    set at (math $at + 1)
                end
            case '*'
                break
        end
        set at (math $at + 1)
    end
    if test $at -le (count $words)
        complete -C (string join ' ' -- (string escape -- $words[$at..-1]) $token)
    else if not string match -q -- '-*' $token
        complete -C "$token"
    end
end

function __epaudit_formats
    set -l token (commandline -ct | string replace -r '^--format=' '')
    set -l head (string match -r '^[a-z]+=' -- $token)
    if test -n "$head"
        for path in (complete -C "__epaudit_no_command "(string sub -s (math (string length -- $head) + 1) -- $token))
            echo $head$path
        end
    else
        string split ' ' -- $__epaudit_format_names
    end
end
)SH";

}  // namespace

std::string fish_completion(const CommandTable& table)
{
    std::string script = "# fish completion for epaudit, made by `epaudit completion fish`.\n";
    script += fmt::format("set -g __epaudit_format_names {}\n",
                          quoted(fmt::format("{}", fmt::join(format_names(), " "))));
    std::vector<std::string> valued;
    for (const CommandRow& command : table.commands)
        for (const OptionRow& row : command.options)
            if (!row.positional && row.kind != ValueKind::kNone && !row.value_optional)
                valued.insert(valued.end(), row.names.begin(), row.names.end());
    std::sort(valued.begin(), valued.end());
    valued.erase(std::unique(valued.begin(), valued.end()), valued.end());
    script += fmt::format("set -g __epaudit_valued {}\n", fmt::join(valued, " "));
    script += kHelpers;
    script += fmt::format("\nfunction __epaudit_rules\n    printf '%s\\n' {}\nend\n", fmt::join(rule_words(), " "));
    script += fmt::format("\nfunction __epaudit_thresholds\n    printf '%s\\n' {}\nend\n\n",
                          fmt::join(threshold_words(), " "));
    script += "complete -c epaudit -f\n";
    script += lines_of(table.program, "-n __fish_use_subcommand");
    for (const CommandRow& command : table.commands) {
        script += fmt::format("complete -c epaudit -n __fish_use_subcommand -a {} -d {}\n", command.name,
                              quoted(brief(command.description)));
        script += lines_of(command, fmt::format("-n '__fish_seen_subcommand_from {}'", command.name));
    }
    return script;
}

}  // namespace epaudit
