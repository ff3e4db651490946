// SPDX-License-Identifier: Apache-2.0
// What an observation is asked to do, as plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/evidence/source_text.h"
#include "src/finding/rule_info.h"

namespace epaudit {

struct Output {
    std::string format;  // a name in formats.h
    std::string path;    // empty: standard output
};

struct AuditOptions {
    std::optional<Profile> profile;  // default: test for run, production for attach
    std::string profile_name;        // as given: one of these, or one of epaudit.toml
    std::string config;              // empty: epaudit.toml in the working directory, if it is there
    bool no_config = false;
    std::string baseline;
    std::string write_baseline;
    std::vector<std::string> set;
    std::vector<std::string> select;
    std::vector<std::string> ignore;
    std::optional<Level> gate = Level::kLikely;  // none: --fail-on never
    bool gate_given = false;                     // by --fail-on; else epaudit.toml decides
    std::vector<Output> outputs;
    std::optional<double> duration;
    bool may_detach = false;       // the command keeps a budget,
    bool budget_given = false;     // this one; else that of the profile
    std::optional<double> budget;  // a share of the CPU time of what is watched; none: whatever it costs
    uint32_t max_fds = 65536;
    uint32_t stack_bytes = 16384;
    std::string hooks = "auto";
    std::string source = "auto";  // bpf, strace
    std::string input;            // what is read: a log, a recording; no report may be written over it
    SourceText::From source_text = SourceText::From::kDirectory;
    std::optional<bool> source_text_given;  // by --source-text or --no-source-text
    bool risks = false;
    bool coverage = false;
    bool quiet = false;
    bool verbose = false;
    std::string color = "auto";
    std::string record;           // also write a recording to this file
    uint32_t ring_mib = 0;        // of its ring; 0: by the memory there is
    std::string books_file;       // tests: the counts of the account, as JSON lines
    std::string ready_file;       // tests: created once hooks are on
    bool walk_in_pieces = false;  // tests: sweep as where iterators are refused
};

// Whose rights a command has.
struct AsWhom {
    std::string user;      // --user; empty: who called sudo
    bool as_root = false;  // as we are
};

}  // namespace epaudit
