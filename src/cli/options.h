// SPDX-License-Identifier: Apache-2.0
// What was asked for on the command line, as plain data.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/audit/rule.h"
#include "src/support/result.h"

namespace epaudit {

struct Output {
    std::string format;  // text, json
    std::string path;    // empty: standard output
};

struct AuditOptions {
    std::optional<Profile> profile;  // default: test for run, production for attach
    std::vector<std::string> set;
    std::vector<std::string> select;
    std::vector<std::string> ignore;
    std::optional<Level> gate = Level::kLikely;  // none: --fail-on never
    std::vector<Output> outputs;
    std::optional<double> duration;
    uint32_t max_fds = 65536;
    std::string hooks = "auto";
    bool risks = false;
    bool quiet = false;
    bool verbose = false;
    std::string color = "auto";
    std::string ready_file;  // tests: created once hooks are on
};

struct RunOptions {
    AuditOptions audit;
    std::vector<std::string> command;
    bool wait_all = false;
};

struct AttachOptions {
    AuditOptions audit;
    std::string pids;
    bool follow_forks = false;
};

struct CatalogueOptions {
    std::string format = "text";
    std::string rule;  // explain
};

Result<int> run_command(const RunOptions& options);
Result<int> attach_command(const AttachOptions& options);
Result<int> rules_command(const CatalogueOptions& options);
Result<int> doctor_command(const CatalogueOptions& options);
Result<int> explain_command(const CatalogueOptions& options);

// The whole program: parse, dispatch, print the error. Returns the exit code.
int epaudit_main(int argc, char** argv);

}  // namespace epaudit
