// SPDX-License-Identifier: Apache-2.0
// The options that commands which audit have in common.
#pragma once

#include <string>
#include <vector>

#include "src/session/options.h"
#include "src/support/result.h"

namespace CLI {
class App;
}

namespace epaudit {

void add_colour_option(CLI::App& app, std::string& when);

// The parser fills in what people wrote, here and in the AuditOptions; finish() turns the one into the other, and says what
// contradicts itself. A command adds the groups that make sense for it.
class AuditArguments {
public:
    explicit AuditArguments(AuditOptions& audit) : audit_(audit) {}
    AuditArguments(const AuditArguments&) = delete;  // the parser knows where its members are
    AuditArguments& operator=(const AuditArguments&) = delete;

    void add_rules(CLI::App& app);        // which rules look, how patiently, and what of it counts
    void add_policy(CLI::App& app);       // that, and what becomes of what they find
    void add_report(CLI::App& app);       // how it is told
    void add_max_fds(CLI::App& app);      // how much is kept track of
    void add_observation(CLI::App& app);  // all of these, for how long, and with which probes
    void add_source(CLI::App& app, const char* says);
    void add_budget(CLI::App& app);
    Result<> finish();

private:
    void finish_level();
    Result<> finish_outputs();

    AuditOptions& audit_;
    std::string fail_on_;
    std::vector<std::string> formats_;
    bool gen_suppressions_ = false;
    double duration_ = 0;
    std::string budget_;
};

}  // namespace epaudit
