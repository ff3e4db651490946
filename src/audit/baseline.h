// SPDX-License-Identifier: Apache-2.0
// Findings that are known since an earlier run, as a JSON file that belongs into version control: only new ones
// fail the gate, and those that are gone are told, so that the file shrinks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/finding/finding.h"
#include "src/support/result.h"

namespace epaudit {

struct BaselineEntry {
    std::string fingerprint;
    std::string rule;
    std::string name;
    std::string program;  // without its folder
    std::string kind;     // of fd
    std::string trigger;
    std::string function;  // that the fingerprint has; empty: not known then
    bool matched = false;
};

class Baseline {
public:
    static Result<Baseline> parse(std::string_view text, const std::string& file);
    static Result<Baseline> read(const std::string& path);

    // Same fingerprint; or the same but for the function, where one of both does not know it.
    bool covers(const Finding& finding);
    const std::vector<BaselineEntry>& entries() const { return entries_; }
    const std::string& file() const { return file_; }

private:
    std::string file_;
    std::vector<BaselineEntry> entries_;
};

std::string baseline_text(const std::vector<Finding>& findings);

}  // namespace epaudit
