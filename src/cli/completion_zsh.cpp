// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "src/cli/completion.h"
#include "src/report/formats.h"

namespace epaudit {
namespace {

// Between brackets or colons of a specification of _arguments.
std::string escaped(const std::string& text)
{
    std::string out;
    for (const char c : text) {
        if (c == '[' || c == ']' || c == ':' || c == '\\')
            out += '\\';
        out += c;
    }
    return out;
}

std::string zsh_offer(const OptionRow& row)
{
    if (!row.choices.empty())
        return fmt::format("({})", fmt::join(row.choices, " "));
    switch (row.kind) {
    case ValueKind::kFile: return "_files";
    case ValueKind::kFormat: return "_epaudit_formats";
    case ValueKind::kPid: return "_sequence _pids";
    case ValueKind::kRule: return "_epaudit_rules";
    case ValueKind::kThreshold: return "_epaudit_thresholds";
    case ValueKind::kUser: return "_users";
    default: return " ";
    }
}

// '(-q --quiet)'{-q,--quiet}'[says]:VALUE:offer'
std::string specification(const OptionRow& row)
{
    if (row.positional && row.kind == ValueKind::kCommand)
        return "'(-)1:command:_command_names -e' '*::argument:_normal'";
    if (row.positional)
        return shell_quoted(fmt::format("1:{}:{}", escaped(row.value), zsh_offer(row)));
    const bool value = row.kind != ValueKind::kNone;
    std::string tail = fmt::format("[{}]", escaped(brief(row.description)));
    if (value)
        tail += fmt::format("{}{}:{}", row.value_optional ? "::" : ":", escaped(row.value), zsh_offer(row));
    std::string spec;
    for (const std::string& name : row.names) {
        const bool assigned = value && name.size() > 2;
        std::string one = (row.repeats ? "*" : fmt::format("({})", fmt::join(row.names, " "))) + name;
        if (value)
            one += assigned ? (row.value_optional ? "=-" : "=") : "+";
        spec += (spec.empty() ? "" : " ") + shell_quoted(one + tail);
    }
    return spec;
}

std::string arguments(const CommandRow& command)
{
    std::string text = "_arguments -s -S";
    for (const OptionRow& row : command.options)
        text += " \\\n                    " + specification(row);
    return text;
}

}  // namespace

std::string zsh_completion(const CommandTable& table)
{
    std::string described, cases;
    for (const CommandRow& command : table.commands) {
        described += fmt::format("            {}\n",
                                 shell_quoted(fmt::format("{}:{}", command.name, escaped(brief(command.description)))));
        cases += fmt::format("            {})\n                {} ;;\n", command.name, arguments(command));
    }
    std::string program = "_arguments -C";
    for (const OptionRow& row : table.program.options)
        program += " \\\n        " + specification(row);
    program += " \\\n        '1:command:->command' '*::argument:->argument'";
    return fmt::format(R"SH(#compdef epaudit
# zsh completion for epaudit, made by `epaudit completion zsh`.

_epaudit_formats() {{
    if compset -P '*='; then _files; else compadd -- {0}; fi
}}

_epaudit_rules() {{
    compset -P '*,'
    compadd -- {1}
}}

_epaudit_thresholds() {{
    compset -P '*=' || compadd -S '' -- {2}
}}

_epaudit() {{
    local curcontext="$curcontext" state line
    local -A opt_args
    {3}
    case $state in
    command)
        local -a commands=(
{4}        )
        _describe -t commands 'epaudit command' commands ;;
    argument)
        case $words[1] in
{5}        esac ;;
    esac
}}

if [[ $funcstack[1] == _epaudit ]]; then _epaudit "$@"; else compdef _epaudit epaudit; fi
)SH",
                       fmt::join(format_names(), " "), fmt::join(rule_words(), " "), fmt::join(threshold_words(), " "),
                       program, described, cases);
}

}  // namespace epaudit
