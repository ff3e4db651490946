// SPDX-License-Identifier: Apache-2.0
// The rules as the command line, epaudit.toml and a baseline want them, whatever the postings come from.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "src/audit/auditor.h"
#include "src/audit/policy.h"
#include "src/evidence/source_text.h"
#include "src/report/report.h"
#include "src/session/options.h"
#include "src/support/new_file.h"

namespace epaudit {

class Judge {
public:
    // Reads the files and checks every name and number. `otherwise`: the profile when nobody names one.
    // What the command line says wins over the profile of epaudit.toml, that over its thresholds, these over
    // the defaults.
    static Result<std::unique_ptr<Judge>> open(const AuditOptions& options, Profile otherwise);

    Auditor& auditor() { return *auditor_; }
    Profile profile() const { return profile_; }  // that decides how patient we are
    const std::string& profile_name() const { return profile_name_; }
    std::optional<Level> gate() const { return gate_; }
    const std::string& directory() const { return directory_; }  // paths below it are shown relative to it

    // What was found so far.
    Judged judged();
    // The source that stacks point at is another machine's: what lies here under its name is not shown.
    void forget_sources() { sources_ = {}; }
    // Everything a report says about rules and findings.
    void fill(Report& report, const Sight& sight);
    // --write-baseline: what the report shows is written down, and known from now on. Nothing when it was not asked for.
    Result<> keep_baseline(Report& report);
    // An error when no rule is on: then there is nothing to observe for.
    Result<> check_rules() const;
    // An error when the configuration leaves out every one of these programs.
    Result<> check_programs(const std::vector<ProcessInfo>& programs) const;
    // "healthcheck (epaudit.toml:9)"; empty: it is judged.
    std::string left_out(const ProcessInfo& program) const;

    // `epaudit config`: what is in force, and from where.
    std::string text() const;

private:
    explicit Judge(const AuditOptions& options) : options_(options) {}
    Result<> choose_profile(Profile otherwise);
    Result<> set_up_rules();
    std::string where(const char* key, bool on_command_line) const;
    std::string why_off(const RuleInfo& info) const;
    std::vector<RuleOff> rules_off() const;
    std::string patience_note(const Observation& seen, const Sight& sight) const;

    AuditOptions options_;
    std::string directory_;
    Profile profile_ = Profile::kProduction;
    std::string profile_name_;
    std::optional<Level> gate_;
    bool risks_ = false;
    SourceText sources_;
    Policy policy_;
    NewFile fresh_baseline_;  // of --write-baseline
    std::unique_ptr<Auditor> auditor_;
};

}  // namespace epaudit
