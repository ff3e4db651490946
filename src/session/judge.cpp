// SPDX-License-Identifier: Apache-2.0
#include "src/session/judge.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "rules/catalogue.h"
#include "src/books/duration.h"
#include "src/evidence/place.h"
#include "src/report/verdict.h"
#include "src/report/words.h"
#include "src/support/caller.h"
#include "src/support/nearest.h"

namespace epaudit {
namespace {

constexpr const char* kDefaultFile = "epaudit.toml";

// A configuration silences rules: whoever may put one where we happen to be must not. A group of the user's own is no
// other.
Result<> check_owner(const char* path)
{
    struct stat info {};
    if (stat(path, &info))
        return Done{};  // reading it says why not
    const auto caller = sudo_caller();
    const bool own_group = info.st_gid == 0 || info.st_gid == getegid() || (caller && info.st_gid == caller->gid);
    const char* wrong = !is_trusted_user(info.st_uid)            ? "it belongs to another user"
                        : info.st_mode & S_IWOTH                 ? "everybody may write it"
                        : (info.st_mode & S_IWGRP) && !own_group ? "another group may write it"
                                                                 : nullptr;
    if (!wrong)
        return Done{};
    return usage_error(fmt::format("{} of the working directory is not used: {}", path, wrong),
                       fmt::format("--config {} uses it all the same, --no-config does without", path));
}

Result<Config> find_config(const AuditOptions& options)
{
    std::error_code ignored;
    if (options.no_config || (options.config.empty() && !std::filesystem::exists(kDefaultFile, ignored)))
        return Config{};
    if (options.config.empty())  // nobody asked for it: it must be somebody's whom we trust
        if (auto ok = check_owner(kDefaultFile); !ok)
            return ok.error();
    return read_config(options.config.empty() ? kDefaultFile : options.config, catalogue());
}

Error cannot_write(const std::string& path, int error)
{
    return usage_error(fmt::format("cannot write the baseline {}: {}", path, strerror(error)));
}

std::optional<Level> level_of_gate(const std::string& fail_on)
{
    return fail_on == "never" ? std::nullopt : parse_level(fail_on);
}

const char* base_name(Profile profile) { return profile == Profile::kTest ? "test" : "production"; }

}  // namespace

Result<std::unique_ptr<Judge>> Judge::open(const AuditOptions& options, Profile otherwise)
{
    std::unique_ptr<Judge> judge(new Judge(options));
    std::error_code ignored;
    judge->directory_ = std::filesystem::current_path(ignored).string();
    judge->sources_ = SourceText(options.source_text, judge->directory_);
    auto config = find_config(options);
    if (!config)
        return config.error();
    std::optional<Baseline> baseline;
    if (!options.baseline.empty()) {
        auto read = Baseline::read(options.baseline);
        if (!read)
            return read.error();
        baseline = std::move(*read);
    }
    if (!options.write_baseline.empty()) {  // a typing error must not cost the observation
        auto file = NewFile::open(options.write_baseline);
        if (!file)
            return file.error();
        judge->fresh_baseline_ = std::move(*file);
    }
    judge->policy_ = Policy(std::move(*config), std::move(baseline), today());
    if (auto ok = judge->choose_profile(otherwise); !ok)
        return ok.error();
    if (auto ok = judge->set_up_rules(); !ok)
        return ok.error();
    return judge;
}

Result<> Judge::choose_profile(Profile otherwise)
{
    const Config& config = policy_.config();
    profile_ = otherwise;
    profile_name_ = options_.profile_name.empty() ? config.profile.value_or(base_name(otherwise))
                                                  : options_.profile_name;
    if (profile_name_ == "production" || profile_name_ == "test") {
        profile_ = profile_name_ == "test" ? Profile::kTest : Profile::kProduction;
        return Done{};
    }
    auto at = config.profiles.find(profile_name_);
    if (at != config.profiles.end()) {
        profile_ = at->second.base;
        return Done{};
    }
    std::vector<std::string> known{"production", "test"};
    for (const auto& [name, profile] : config.profiles)
        known.push_back(name);
    return usage_error(fmt::format("unknown profile '{}'", profile_name_),
                       did_you_mean(profile_name_, known, fmt::format("there are: {}", fmt::join(known, ", "))));
}

Result<> Judge::set_up_rules()
{
    const Config& config = policy_.config();
    gate_ = options_.gate_given ? options_.gate : level_of_gate(config.fail_on.value_or("likely"));
    risks_ = options_.risks || config.risks.value_or(false);
    auditor_ = std::make_unique<Auditor>(profile_, make_rules());
    if (gate_)
        auditor_->set_gate(*gate_);
    if (const auto& select = options_.select.empty() ? config.select : options_.select; !select.empty())
        if (auto ok = auditor_->select(select); !ok)
            return ok;
    if (auto ok = auditor_->ignore(config.ignore); !ok)
        return ok;
    if (auto ok = auditor_->ignore(options_.ignore); !ok)
        return ok;
    for (const ThresholdSetting& one : config.thresholds)
        auditor_->set(one.rule, one.name, one.value, one.where);
    if (auto at = config.profiles.find(profile_name_); at != config.profiles.end())
        for (const ThresholdSetting& one : at->second.thresholds)
            auditor_->set(one.rule, one.name, one.value, one.where);
    for (const std::string& assignment : options_.set)
        if (auto ok = auditor_->set(assignment); !ok)
            return ok;
    return Done{};
}

Judged Judge::judged() { return policy_.judge(auditor_->findings()); }

void Judge::fill(Report& report, const Sight& sight)
{
    Judged judged = this->judged();
    report.options.directory = directory_;
    for (std::vector<Finding>* list : {&judged.findings, &judged.suppressed})
        for (Finding& finding : *list)
            if (const Frame* frame = guilty_frame(finding))
                finding.source = sources_.excerpt(*frame, finding.pid);
    report.config = policy_.config().file;
    report.rules = auditor_->rules();
    report.rules_off = rules_off();
    report.coverage = auditor_->coverage(sight);
    report.findings = std::move(judged.findings);
    report.suppressed = std::move(judged.suppressed);
    report.remarks = policy_.remarks(report.coverage);
    report.observation.profile = profile_name_;
    report.gate = gate_;
    report.options.risks = risks_;
    report.options.coverage = options_.coverage;
    if (std::string note = auditor_->left_out(); !note.empty())
        report.observation.notes.push_back(std::move(note));
    if (std::string note = patience_note(report.observation, sight); !note.empty())
        report.observation.notes.push_back(std::move(note));
}

// "watched 10.0 s: EP301, EP302 need 300 s": the longest patience first.
std::string Judge::patience_note(const Observation& seen, const Sight& sight) const
{
    if (seen.seconds <= 0 || sight.times == Sight::Times::kNone)
        return {};
    const auto impatient = auditor_->impatient(seen.seconds, sight);
    std::string text;
    for (auto at = impatient.rbegin(); at != impatient.rend(); ++at)
        text += fmt::format("{}{} need{} {} s", text.empty() ? "" : ", ", fmt::join(at->second, " and "),
                            at->second.size() == 1 ? "s" : "", number_text(at->first));
    if (text.empty())
        return {};
    const bool log = seen.hooks == "strace" || seen.hooks == "recording";
    return fmt::format("watched {}: {}: use {}{}", seconds_text(seen.seconds), text,
                       profile_ == Profile::kTest ? "" : "--profile test or ",
                       log ? "a longer log" : "a longer observation (--duration)");
}

Result<> Judge::keep_baseline(Report& report)
{
    if (options_.write_baseline.empty())
        return Done{};
    std::vector<Finding> known, left;
    for (const Finding& finding : report.suppressed)
        if (finding.suppression && finding.suppression->by == "baseline")
            known.push_back(finding);
    const size_t before = known.size();
    for (const Finding& finding : report.findings)
        (is_shown(report, finding) ? known : left).push_back(finding);
    int error = fresh_baseline_.write(baseline_text(known));
    if (!error)
        error = fresh_baseline_.finish();
    if (error)
        return cannot_write(options_.write_baseline, error);
    // What is written down now is known from now on.
    for (auto at = known.begin() + static_cast<std::ptrdiff_t>(before); at != known.end(); ++at) {
        at->suppression = Suppression{"baseline", "written down in this run", options_.write_baseline};
        report.suppressed.push_back(std::move(*at));
    }
    report.findings = std::move(left);
    return Done{};
}

Result<> Judge::check_rules() const
{
    if (auditor_->rules_on())
        return Done{};
    Report report;
    report.rules_off = rules_off();
    const Verdict verdict = verdict_of(report);
    return usage_error(verdict.text, verdict.remedy);
}

Result<> Judge::check_programs(const std::vector<ProcessInfo>& programs) const
{
    Report report;
    report.coverage = auditor_->coverage(Sight{});
    for (const ProcessInfo& program : programs) {
        std::string by = left_out(program);
        if (by.empty())
            return Done{};
        report.unjudged.push_back(std::move(by));
    }
    report.none_judged = !programs.empty();
    if (!report.none_judged)
        return Done{};
    const Verdict verdict = verdict_of(report);
    return usage_error(verdict.text, verdict.remedy);
}

std::string Judge::left_out(const ProcessInfo& program) const
{
    const std::string by = policy_.left_out_by(program, auditor_->rules());
    return by.empty() ? "" : fmt::format("{} ({})", program.comm.empty() ? program.exe : program.comm, by);
}

std::vector<RuleOff> Judge::rules_off() const
{
    std::vector<RuleOff> off;
    for (const auto& rule : make_rules())
        if (const RuleInfo& info = rule->info(); !auditor_->is_on(info.id))
            off.push_back({info.id, info.name, why_off(info)});
    return off;
}

std::string Judge::where(const char* key, bool on_command_line) const
{
    if (on_command_line)
        return "command line";
    auto at = policy_.config().where.find(key);
    return at == policy_.config().where.end() ? "default" : at->second;
}

std::string Judge::why_off(const RuleInfo& info) const
{
    auto in = [&](const std::vector<std::string>& list) {
        return std::any_of(list.begin(), list.end(),
                           [&](const std::string& one) { return names_rule(info.id, info.name, one); });
    };
    if (in(options_.ignore))
        return "--ignore";
    if (in(policy_.config().ignore))
        return where("ignore", false);
    return options_.select.empty() ? where("select", false) : "--select";
}

std::string Judge::text() const
{
    const Config& config = policy_.config();
    auto row = [](const std::string& what, const std::string& value, const std::string& from) {
        return fmt::format("{:<34} {:<14} {}\n", what, value, from);
    };
    std::string text = fmt::format("file       {}\n\n",
                                   config.file.empty() ? "none (epaudit.toml is not here)" : config.file);
    text += row("setting", "value", "from");
    text += row("profile", profile_name_, where("profile", !options_.profile_name.empty()));
    text += row("fail_on", gate_ ? level_name(*gate_) : "never", where("fail_on", options_.gate_given));
    text += row("risks", risks_ ? "true" : "false", where("risks", options_.risks));
    for (const auto& rule : make_rules()) {
        const RuleInfo& info = rule->info();
        const bool on = auditor_->is_on(info.id);
        text += "\n" + row(fmt::format("{} {}", info.id, info.name), on ? "on" : "off", on ? "" : why_off(info));
        if (auto at = config.levels.find(info.id); at != config.levels.end())
            text += row("  level at most", level_name(at->second), where("levels", false));
        const Settings* settings = auditor_->settings(info.id);
        for (const Threshold& threshold : info.thresholds)
            text += row(fmt::format("  {}", threshold.name), fmt::format("{:g}", (*settings)[threshold]),
                        settings->origin(threshold.name));
    }
    for (const ProcessMatch& process : config.processes)
        text += fmt::format(
            "\nprocess    exe '{}' comm '{}'{}{}  {}", process.exe, process.comm, process.audit ? "" : ", not audited",
            process.ignore.empty() ? "" : fmt::format(", without {}", fmt::join(process.ignore, ", ")), process.where);
    for (const SuppressEntry& entry : config.suppressions)
        text += fmt::format("\nsuppress   {}{}: {}  {}", entry.rule,
                            entry.expires.empty() ? "" : " until " + entry.expires, clean(entry.reason), entry.where);
    if (!config.processes.empty() || !config.suppressions.empty())
        text += "\n";
    return text;
}

}  // namespace epaudit
