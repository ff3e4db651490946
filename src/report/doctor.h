// SPDX-License-Identifier: Apache-2.0
// `epaudit doctor`: what this kernel and these privileges allow, as text and JSON.
#pragma once

#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "src/finding/coverage.h"
#include "src/finding/rule_info.h"

namespace epaudit {

struct HookLine {
    std::string name;     // on_sys_exit
    std::string section;  // tp_btf/sys_exit
    bool attached = false;
    std::string reason;
};

struct HookSetLine {
    std::string name;  // trampoline
    bool usable = false;
    std::string reason;
    std::vector<HookLine> programs;
};

// Something that could be better, and the command that makes it so.
struct Advice {
    std::string problem;
    std::string command;
};

struct Diagnosis {
    std::string version;
    std::vector<std::pair<std::string, std::string>> system;  // kernel, btf, lockdown, capabilities, sysctls
    std::vector<HookSetLine> hook_sets;
    std::string chosen;             // empty: nothing can be observed
    std::string why_not_iterators;  // why programs run from user space walk the tables; empty: iterators do
    std::vector<RuleCoverage> coverage;
    std::vector<Advice> advice;
};

void write_doctor_text(const Diagnosis& diagnosis, size_t width, std::ostream& out);
void write_doctor_json(const Diagnosis& diagnosis, std::ostream& out);

}  // namespace epaudit
