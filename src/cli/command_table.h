// SPDX-License-Identifier: Apache-2.0
// The commands and their options as plain data, read back from the parser: what completions and man pages are made from,
// so that an option which is added in commands.cpp appears in all of them.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace epaudit {

// What a value is, and so what a shell can offer for it.
enum class ValueKind { kNone, kText, kFile, kChoice, kFormat, kPid, kRule, kThreshold, kUser, kCommand };

struct OptionRow {
    std::vector<std::string> names;  // "-q", "--quiet"; of a positional: one, as usage lines show it
    std::string value;               // "FILE", "PID[,PID]"; empty: takes none
    ValueKind kind = ValueKind::kNone;
    std::vector<std::string> choices;  // all there are, where the parser accepts no other
    std::string initial;               // what holds when it is not given, where that is one value
    std::string description;
    std::string group;  // under which --help shows it
    bool positional = false;
    bool required = false;
    bool value_optional = false;
    bool repeats = false;  // may be given again, or takes a list
};

struct CommandRow {
    std::string name;  // of the program itself: "epaudit"
    std::string description;
    std::vector<OptionRow> options;  // positionals among them; hidden ones are left out
};

struct CommandTable {
    CommandRow program;
    std::vector<CommandRow> commands;
};

CommandTable command_table(const CLI::App& app);

// Commands, rules with thresholds and explain pages, as one JSON document, for man pages, docs/rules and tests.
void write_command_table(const CommandTable& table, std::ostream& out);

}  // namespace epaudit
