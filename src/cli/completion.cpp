// SPDX-License-Identifier: Apache-2.0
// What the scripts share, and bash's.
#include "src/cli/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "rules/catalogue.h"
#include "src/audit/auditor.h"
#include "src/report/formats.h"

namespace epaudit {
namespace {

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

// What the script does to offer values of a kind.
std::string bash_offer(const OptionRow& row)
{
    switch (row.kind) {
    case ValueKind::kNone:
    case ValueKind::kText: return row.choices.empty() ? ":" : "_epaudit_words " + joined(row.choices);
    case ValueKind::kChoice: return "_epaudit_words " + joined(row.choices);
    case ValueKind::kFile: return "_epaudit_files";
    case ValueKind::kFormat: return "_epaudit_format";
    case ValueKind::kPid: return "_epaudit_list $(cd /proc && printf '%s ' [0-9]*)";
    case ValueKind::kRule: return "_epaudit_list $_epaudit_rules";
    case ValueKind::kThreshold: return "_epaudit_threshold";
    case ValueKind::kUser: return "_epaudit_words $(compgen -u)";
    case ValueKind::kCommand: return "_epaudit_command";
    }
    return ":";
}

std::string bash_case(const CommandRow& command)
{
    std::vector<std::string> names;
    std::string values, positional;
    for (const OptionRow& row : command.options) {
        if (row.positional) {
            positional = bash_offer(row);
            continue;
        }
        names.insert(names.end(), row.names.begin(), row.names.end());
        if (row.kind != ValueKind::kNone)
            values += fmt::format("        {}) {} ;;\n", fmt::join(row.names, " | "),
                                  row.value_optional ? "return 1" : "_epaudit_offer=" + shell_quoted(bash_offer(row)));
    }
    return fmt::format(
        "_epaudit_{0}_value() {{\n    case $1 in\n{1}        *) return 1 ;;\n    esac\n    return 0\n}}\n"
        "_epaudit_{0}_options={2}\n_epaudit_{0}_positional={3}\n\n",
        command.name, values, shell_quoted(joined(names)), shell_quoted(positional));
}

constexpr const char* kBashHead =
    R"SH(# bash completion for epaudit, made by `epaudit completion bash`. Needs no other package.

# The words that fit what stands before the cursor. $_epaudit_value is the value so far, $_epaudit_kept what of it the
# replies must repeat, because readline does not split there.
_epaudit_words() {
    mapfile -t COMPREPLY < <(compgen -W "$*" -- "$_epaudit_value")
    COMPREPLY=("${COMPREPLY[@]/#/$_epaudit_kept}")
}

# The same for lists with commas.
_epaudit_list() {
    if [[ $_epaudit_value == *,* ]]; then
        _epaudit_kept+=${_epaudit_value%,*},
        _epaudit_value=${_epaudit_value##*,}
    fi
    _epaudit_words "$@"
}

_epaudit_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$_epaudit_value")
    COMPREPLY=("${COMPREPLY[@]/#/$_epaudit_kept}")
}

# NAME, or NAME=FILE. Readline splits at the equals sign, unless told not to.
_epaudit_format() {
    if [[ $_epaudit_value == *=* ]]; then
        [[ $COMP_WORDBREAKS == *=* ]] || _epaudit_kept+=${_epaudit_value%%=*}=
        _epaudit_value=${_epaudit_value#*=}
        _epaudit_files
    else
        _epaudit_words $_epaudit_formats
    fi
}

_epaudit_threshold() {
    if [[ $_epaudit_value == *=* ]]; then return; fi
    compopt -o nospace 2>/dev/null
    _epaudit_words $_epaudit_thresholds
}

# The audited command: its name, then what it takes, by its own completion where bash-completion is loaded.
_epaudit_command() {
    if [[ $_epaudit_at -eq ${#_epaudit_line[@]} ]]; then
        mapfile -t COMPREPLY < <(compgen -c -- "$_epaudit_value")
        [[ $_epaudit_value != */* ]] || _epaudit_files
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$((_epaudit_at + COMP_CWORD - ${#_epaudit_line[@]}))"
    else
        _epaudit_files
    fi
}

)SH";

constexpr const char* kBashTail = R"SH(
# The line up to the cursor, with what readline split off at '=' put together again.
_epaudit_read_line() {
    local i word
    _epaudit_line=()
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ ${#_epaudit_line[@]} -gt 0 && ($word == = || ${COMP_WORDS[i - 1]} == =) ]]; then
            _epaudit_line[-1]+=$word
        else
            _epaudit_line+=("$word")
        fi
    done
}

# Where the command's own words begin: _epaudit_at counts from 1, 0 when there are none before the cursor.
_epaudit_find_positional() {
    local i word command=${_epaudit_line[0]}
    _epaudit_at=0
    for ((i = 1; i < ${#_epaudit_line[@]} - 1; i++)); do
        word=${_epaudit_line[i]}
        if [[ $word == -- ]]; then
            _epaudit_at=$((i + 2))
            return
        elif [[ $word != -* ]]; then
            _epaudit_at=$((i + 1))
            return
        elif [[ $word != --*=* ]] && "_epaudit_${command}_value" "$word"; then
            i=$((i + 1))
        fi
    done
}

_epaudit() {
    local _epaudit_line _epaudit_at _epaudit_value _epaudit_kept= _epaudit_offer= command previous positional options
    COMPREPLY=()
    _epaudit_read_line
    _epaudit_value=${_epaudit_line[-1]}
    command=${_epaudit_line[0]}
    if [[ ${#_epaudit_line[@]} -le 1 ]]; then
        _epaudit_words $_epaudit_commands $_epaudit_epaudit_options
        return
    fi
    if ! declare -F "_epaudit_${command}_value" >/dev/null; then return; fi
    positional=_epaudit_${command}_positional options=_epaudit_${command}_options
    _epaudit_find_positional
    previous=${_epaudit_line[-2]}
    if [[ $_epaudit_at -gt 0 ]]; then
        [[ ${!positional} != _epaudit_command ]] || _epaudit_command
        if [[ ${!positional} != _epaudit_command && $previous == -- ]]; then eval "${!positional:-:}"; fi
    elif [[ $_epaudit_value == --*=* ]]; then
        previous=${_epaudit_value%%=*}
        [[ $COMP_WORDBREAKS == *=* ]] || _epaudit_kept=$previous=
        _epaudit_value=${_epaudit_value#*=}
        if "_epaudit_${command}_value" "$previous"; then eval "$_epaudit_offer"; fi
    elif [[ $previous == -* ]] && "_epaudit_${command}_value" "$previous"; then
        eval "$_epaudit_offer"
    elif [[ $_epaudit_value == -* ]]; then
        _epaudit_words ${!options}
    elif [[ -n ${!positional} ]]; then
        _epaudit_at=${#_epaudit_line[@]}
        eval "${!positional}"
    else
        _epaudit_words ${!options}
    fi
}

complete -F _epaudit epaudit
)SH";

}  // namespace

std::vector<std::string> rule_words()
{
    std::vector<std::string> words;
    for (const auto& rule : make_rules())
        words.insert(words.end(), {rule->info().id, rule->info().name});
    return words;
}

std::vector<std::string> threshold_words()
{
    std::vector<std::string> words;
    for (const auto& rule : make_rules())
        for (const Threshold& threshold : rule->info().thresholds)
            words.push_back(fmt::format("{}.{}=", rule->info().name, threshold.name));
    return words;
}

std::string brief(const std::string& description) { return description.substr(0, description.find_first_of(";\n")); }

std::string shell_quoted(const std::string& text)
{
    std::string quoted = "'";
    for (const char c : text)
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

std::string bash_completion(const CommandTable& table)
{
    std::string script = kBashHead;
    std::vector<std::string> names;
    script += bash_case(table.program);
    for (const CommandRow& command : table.commands) {
        script += bash_case(command);
        names.push_back(command.name);
    }
    script += fmt::format("_epaudit_commands={}\n_epaudit_formats={}\n_epaudit_rules={}\n_epaudit_thresholds={}\n",
                          shell_quoted(joined(names)), shell_quoted(joined(format_names())),
                          shell_quoted(joined(rule_words())), shell_quoted(joined(threshold_words())));
    return script + kBashTail;
}

}  // namespace epaudit
