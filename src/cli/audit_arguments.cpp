// SPDX-License-Identifier: Apache-2.0
#include "src/cli/audit_arguments.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <limits>
#include <map>

#include "src/cli/values.h"
#include "src/report/formats.h"
#include "src/session/budget.h"
#include "src/session/outputs.h"

namespace epaudit {

void add_colour_option(CLI::App& app, std::string& when)
{
    app.add_option("--color", when, "auto, always or never")
        ->type_name("WHEN")
        ->check(one_of({"auto", "always", "never"}))
        ->capture_default_str();
}

void AuditArguments::add_rules(CLI::App& app)
{
    app.add_option("--fail-on", fail_on_, "exit 1 from this level on: confirmed, likely, risk, never (default: likely)")
        ->type_name("LEVEL")
        ->check(one_of({"confirmed", "likely", "risk", "never"}));
    app.add_flag("--risks", audit_.risks, "also show potential problems (risk) and notes (info)");
    app.add_option("--profile", audit_.profile_name,
                   "thresholds: production (patient), test (small load, seen from birth), or one of epaudit.toml")
        ->type_name("PROFILE");
    app.add_option("--set", audit_.set, "set a threshold: RULE.NAME=VALUE; `epaudit explain RULE` lists them")
        ->type_name("RULE.NAME=VALUE")
        ->allow_extra_args(false)  // the next word may be a file
        ->take_all();
    app.add_option("--select", audit_.select, "only these rules (ids or names, comma-separated)")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name("RULES");
    app.add_option("--ignore", audit_.ignore, "all rules but these")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name("RULES");
    app.add_option("--config", audit_.config, "configuration (default: epaudit.toml in the working directory)")
        ->type_name("FILE");
    app.add_flag("--no-config", audit_.no_config, "read no configuration");
}

void AuditArguments::add_policy(CLI::App& app)
{
    add_rules(app);
    app.add_flag("--coverage", audit_.coverage, "also say rule by rule what a log cannot show");
    app.add_option("--baseline", audit_.baseline, "findings in this file are known and do not count")
        ->type_name("FILE");
    app.add_option("--write-baseline", audit_.write_baseline,
                   "write what is found to this file (- is standard output), to be known from now on")
        ->type_name("FILE");
    app.add_flag("--gen-suppressions", gen_suppressions_,
                 "after the report, print entries for epaudit.toml that would suppress it");
}

void AuditArguments::add_report(CLI::App& app)
{
    app.add_option("--format", formats_,
                   "how to report, with =FILE to write to a file (- is standard output); may be repeated: " +
                       fmt::format("{}", fmt::join(format_names(), ", ")))
        ->type_name("FORMAT[=FILE]")
        ->allow_extra_args(false)  // the next word may be a file
        ->take_all();
    add_colour_option(app, audit_.color);
    app.add_flag("-q,--quiet", audit_.quiet, "no progress lines on stderr");
    app.add_option("--books-file", audit_.books_file)->group("");  // for tests: the counts themselves
}

void AuditArguments::add_max_fds(CLI::App& app)
{
    app.add_option("--max-fds", audit_.max_fds,
                   "most open files and registrations to keep track of; more are counted, not watched")
        ->type_name("N")
        ->check(whole_number(16, 16u << 20))
        ->capture_default_str();
}

void AuditArguments::add_observation(CLI::App& app)
{
    add_report(app);
    add_policy(app);
    add_max_fds(app);
    app.add_option("--duration", duration_,
                   "end the observation after so many seconds, or as long as 500ms, 90s, 10m, 2h; a command that was "
                   "started for it gets SIGTERM, and SIGKILL 5 s later")
        ->type_name("TIME")
        ->transform(duration(0, std::numeric_limits<double>::max()));
    app.add_option("--stack-bytes", audit_.stack_bytes,
                   "bytes of user stack saved with a call that is evidence; 0: no source lines")
        ->type_name("N")
        ->check(whole_number(0, 65536))
        ->capture_default_str();
    app.add_flag_callback(
        "--source-text", [this] { audit_.source_text_given = true; },
        "show lines of source, read with the rights of the program (default for a command; frames have file and line "
        "anyway)");
    app.add_flag_callback(
        "--no-source-text", [this] { audit_.source_text_given = false; }, "show none (default for processes)");
    app.add_option("--hooks", audit_.hooks, "probes: auto, trampoline (fentry/fexit) or tracepoint")
        ->type_name("SET")
        ->check(one_of({"auto", "trampoline", "tracepoint"}))
        ->capture_default_str();
    app.add_flag("--verbose", audit_.verbose, "print libbpf's messages, and at the end what looking took");
    app.add_option("--ready-file", audit_.ready_file)->group("");        // for tests: made once hooks are on
    app.add_flag("--walk-in-pieces", audit_.walk_in_pieces)->group("");  // for tests: as where iterators are refused
}

void AuditArguments::add_source(CLI::App& app, const char* says)
{
    app.add_option("--source", audit_.source, std::string("what is watched with: ") + says)
        ->type_name("SOURCE")
        ->check(one_of({"auto", "bpf", "strace"}))
        ->capture_default_str();
}

void AuditArguments::add_budget(CLI::App& app)
{
    audit_.may_detach = true;
    app.add_option(
           "--budget", budget_,
           "most that watching may cost, in % of the CPU time of what is watched (of one core, if it uses less): "
           "where it costs more, the probes are attached in short windows only; none: no limit")
        ->type_name("PCT")
        ->default_str("1; none with --profile test");
}

Result<> AuditArguments::finish()
{
    finish_level();
    if (audit_.no_config && !audit_.config.empty())
        return usage_error("--config and --no-config contradict each other", "give one of them");
    if (duration_ > 0)
        audit_.duration = duration_;
    if (!budget_.empty()) {
        auto budget = parse_budget(budget_);
        if (!budget)
            return budget.error();
        audit_.budget = *budget;
        audit_.budget_given = true;
    }
    return finish_outputs();
}

void AuditArguments::finish_level()
{
    static const std::map<std::string, Level> levels = {
        {"confirmed", Level::kConfirmed}, {"likely", Level::kLikely}, {"risk", Level::kRisk}};
    if (audit_.profile_name == "test" || audit_.profile_name == "production")
        audit_.profile = audit_.profile_name == "test" ? Profile::kTest : Profile::kProduction;
    audit_.gate_given = !fail_on_.empty();
    if (fail_on_ == "never")
        audit_.gate.reset();
    else if (audit_.gate_given)
        audit_.gate = levels.at(fail_on_);
}

Result<> AuditArguments::finish_outputs()
{
    for (const std::string& spec : formats_) {
        auto output = parse_output(spec);
        if (!output)
            return output.error();
        audit_.outputs.push_back(std::move(*output));
    }
    if (gen_suppressions_) {
        if (audit_.outputs.empty())
            audit_.outputs.push_back({"text", ""});
        audit_.outputs.push_back({"suppressions", ""});
    }
    return Done{};
}

}  // namespace epaudit
