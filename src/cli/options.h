// SPDX-License-Identifier: Apache-2.0
// What was asked for on the command line, as plain data.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/session/options.h"
#include "src/support/result.h"

namespace epaudit {

struct RunOptions {
    AuditOptions audit;
    std::vector<std::string> command;
    bool wait_all = false;
    AsWhom whom{};
};

// Who is meant, as it was given; who.h makes a selection of it.
struct WhoOptions {
    std::vector<std::string> words;  // without an option: numbers are process ids, others names
    std::vector<std::string> pids;   // each "123" or "123,456"
    std::vector<std::string> comms;
    std::vector<std::string> exes;
    std::vector<std::string> units;
    std::vector<std::string> containers;
    std::vector<std::string> cgroups;
    std::vector<std::string> pods;
    std::vector<std::string> ports;
    std::vector<std::string> users;
    std::vector<std::string> excludes;
    bool all = false;
    bool wait = false;  // for the first one

    bool empty() const;            // nobody was named
    bool only_pids() const;        // processes by number, and nothing else
    std::string pid_list() const;  // those, comma-separated
};

struct AttachOptions {
    AuditOptions audit;
    WhoOptions who;
    bool follow_forks = false;
};

struct StraceOptions {
    AuditOptions audit;
    std::string path;  // - : standard input
};

// `run` with a command, `attach` with pids, and a recording of it.
struct RecordOptions {
    AuditOptions audit;
    WhoOptions who;
    bool follow_forks = false;
    std::vector<std::string> command;
    bool wait_all = false;
    AsWhom whom{};
};

struct ReplayOptions {
    AuditOptions audit;
    std::string path;  // - : standard input
};

struct InspectOptions {
    WhoOptions who;
    std::string format = "text";
    std::string color = "auto";
    std::optional<double> watch;  // seconds from one look to the next
    bool verbose = false;
};

struct ListOptions {
    WhoOptions who;
    std::string format = "text";
};

struct CatalogueOptions {
    std::string format = "text";
    std::string rule;  // explain
};

Result<int> run_command(const RunOptions& options);
Result<int> attach_command(const AttachOptions& options);
Result<int> inspect_command(const InspectOptions& options);
Result<int> list_command(const ListOptions& options);
Result<int> strace_command(const StraceOptions& options);
Result<int> record_command(const RecordOptions& options);
Result<int> replay_command(const ReplayOptions& options);
Result<int> rules_command(const CatalogueOptions& options);
Result<int> doctor_command(const CatalogueOptions& options);
Result<int> config_command(const AuditOptions& options);
Result<int> explain_command(const CatalogueOptions& options);

// The whole program: parse, dispatch, print the error. Returns the exit code, whatever is thrown.
int epaudit_main(int argc, char** argv);

}  // namespace epaudit
