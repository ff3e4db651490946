// SPDX-License-Identifier: Apache-2.0
// The command line. Every error ends here, as one line on stderr and an exit code.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <iostream>
#include <limits>
#include <map>

#include "src/cli/completion.h"
#include "src/cli/help.h"
#include "src/cli/misuse.h"
#include "src/cli/options.h"
#include "src/cli/parse_who.h"
#include "src/cli/values.h"
#include "src/report/words.h"
#include "src/session/budget.h"
#include "src/session/outputs.h"
#include "src/support/say.h"
#include "src/support/terminal.h"
#include "src/support/version.h"

namespace epaudit {
namespace {

constexpr const char* kAbout =
    "Watches a running program and says, with evidence, where it misuses epoll.\n"
    "A process that is attached to gets no signal, is not stopped and not traced with ptrace, unless --source strace "
    "is "
    "asked for. A command that `run` or `record` started is ended with SIGTERM when the observation ends before it "
    "does.";

constexpr const char* kFooter =
    "Exit codes: 0 no finding at or above --fail-on, 1 findings, 2 usage or configuration error, "
    "3 could not observe, 4 inconclusive: nothing found, but that cannot be claimed; the verdict says why.";

// What CLI11 fills in; turned into AuditOptions afterwards.
struct RawOptions {
    std::string fail_on;
    std::vector<std::string> formats;
    bool gen_suppressions = false;
    double duration = 0;
    std::string budget;
};

// Which rules look, how patiently, and what of it counts.
void add_rule_options(CLI::App& app, AuditOptions& audit, RawOptions& raw)
{
    app.add_option("--fail-on", raw.fail_on,
                   "exit 1 from this level on: confirmed, likely, risk, never (default: likely)")
        ->type_name("LEVEL")
        ->check(one_of({"confirmed", "likely", "risk", "never"}));
    app.add_flag("--risks", audit.risks, "also show potential problems (risk) and notes (info)");
    app.add_option("--profile", audit.profile_name,
                   "thresholds: production (patient), test (small load, seen from birth), or one of epaudit.toml")
        ->type_name("PROFILE");
    app.add_option("--set", audit.set, "set a threshold: RULE.NAME=VALUE; `epaudit explain RULE` lists them")
        ->type_name("RULE.NAME=VALUE")
        ->allow_extra_args(false)  // the next word may be a file
        ->take_all();
    app.add_option("--select", audit.select, "only these rules (ids or names, comma-separated)")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name("RULES");
    app.add_option("--ignore", audit.ignore, "all rules but these")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name("RULES");
    app.add_option("--config", audit.config, "configuration (default: epaudit.toml in the working directory)")
        ->type_name("FILE");
    app.add_flag("--no-config", audit.no_config, "read no configuration");
}

// What becomes of what they find.
void add_policy_options(CLI::App& app, AuditOptions& audit, RawOptions& raw)
{
    add_rule_options(app, audit, raw);
    app.add_flag("--coverage", audit.coverage, "also say rule by rule what a log cannot show");
    app.add_option("--baseline", audit.baseline, "findings in this file are known and do not count")->type_name("FILE");
    app.add_option("--write-baseline", audit.write_baseline,
                   "write what is found to this file (- is standard output), to be known from now on")
        ->type_name("FILE");
    app.add_flag("--gen-suppressions", raw.gen_suppressions,
                 "after the report, print entries for epaudit.toml that would suppress it");
}

std::string names_of_formats() { return fmt::format("{}", fmt::join(format_names(), ", ")); }

// How it is told.
void add_report_options(CLI::App& app, AuditOptions& audit, RawOptions& raw)
{
    app.add_option("--format", raw.formats,
                   "how to report, with =FILE to write to a file (- is standard output); may be repeated: " +
                       names_of_formats())
        ->type_name("FORMAT[=FILE]")
        ->allow_extra_args(false)  // the next word may be a file
        ->take_all();
    app.add_option("--color", audit.color, "auto, always or never")
        ->type_name("WHEN")
        ->check(one_of({"auto", "always", "never"}))
        ->capture_default_str();
    app.add_flag("-q,--quiet", audit.quiet, "no progress lines on stderr");
    app.add_option("--books-file", audit.books_file)->group("");  // for tests: the counts themselves
}

void add_whom(CLI::App& app, AsWhom& whom)
{
    app.add_option("--user", whom.user, "run CMD as this user (default: who called sudo)")->type_name("NAME");
    app.add_flag("--as-root", whom.as_root, "run CMD as epaudit itself is run, also under sudo");
}

void add_max_fds(CLI::App& app, AuditOptions& audit)
{
    app.add_option("--max-fds", audit.max_fds,
                   "most open files and registrations to keep track of; more are counted, not watched")
        ->type_name("N")
        ->check(whole_number(16, 16u << 20))
        ->capture_default_str();
}

void add_audit_options(CLI::App& app, AuditOptions& audit, RawOptions& raw)
{
    add_report_options(app, audit, raw);
    add_policy_options(app, audit, raw);
    add_max_fds(app, audit);
    app.add_option("--duration", raw.duration,
                   "end the observation after so many seconds, or as long as 500ms, 90s, 10m, 2h; a command that was "
                   "started for it gets SIGTERM, and SIGKILL 5 s later")
        ->type_name("TIME")
        ->transform(duration(0, std::numeric_limits<double>::max()));
    app.add_option("--stack-bytes", audit.stack_bytes,
                   "bytes of user stack saved with a call that is evidence; 0: no source lines")
        ->type_name("N")
        ->check(whole_number(0, 65536))
        ->capture_default_str();
    app.add_flag_callback(
        "--source-text", [&audit] { audit.source_text_given = true; },
        "show lines of source, read with the rights of the program (default for a command; frames have file and line "
        "anyway)");
    app.add_flag_callback(
        "--no-source-text", [&audit] { audit.source_text_given = false; }, "show none (default for processes)");
    app.add_option("--hooks", audit.hooks, "probes: auto, trampoline (fentry/fexit) or tracepoint")
        ->type_name("SET")
        ->check(one_of({"auto", "trampoline", "tracepoint"}))
        ->capture_default_str();
    app.add_flag("--verbose", audit.verbose, "print libbpf's messages, and at the end what looking took");
    app.add_option("--ready-file", audit.ready_file)->group("");        // for tests: made once hooks are on
    app.add_flag("--walk-in-pieces", audit.walk_in_pieces)->group("");  // for tests: as where iterators are refused
}

void add_source_option(CLI::App& app, AuditOptions& audit, const char* says)
{
    app.add_option("--source", audit.source, std::string("what is watched with: ") + says)
        ->type_name("SOURCE")
        ->check(one_of({"auto", "bpf", "strace"}))
        ->capture_default_str();
}

void add_record_options(CLI::App& app, RecordOptions& record, RawOptions& raw)
{
    app.add_option("-o,--output", record.audit.record,
                   "the recording; - is standard output; what was there is replaced")
        ->required()
        ->type_name("FILE");
    add_who_options(app, record.who, false, false);
    app.add_flag("--follow-forks", record.follow_forks, "with -p: also existing and future descendants");
    add_whom(app, record.whom);
    app.add_flag("--wait-all", record.wait_all, "with CMD: keep observing until all child processes have exited");
    app.add_option("--ring", record.audit.ring_mib,
                   "size of the ring buffer in MiB (default: 16 to 256, by the memory there is)")
        ->type_name("MIB")
        ->check(whole_number(1, 1024));
    add_audit_options(app, record.audit, raw);
    app.add_option("command", record.command, "the program and its arguments")->type_name("CMD");
    app.positionals_at_end(true);
}

Result<> finish(const RawOptions& raw, AuditOptions& audit)
{
    static const std::map<std::string, Level> levels = {
        {"confirmed", Level::kConfirmed}, {"likely", Level::kLikely}, {"risk", Level::kRisk}};
    if (audit.profile_name == "test" || audit.profile_name == "production")
        audit.profile = audit.profile_name == "test" ? Profile::kTest : Profile::kProduction;
    audit.gate_given = !raw.fail_on.empty();
    if (raw.fail_on == "never")
        audit.gate.reset();
    else if (audit.gate_given)
        audit.gate = levels.at(raw.fail_on);
    if (audit.no_config && !audit.config.empty())
        return usage_error("--config and --no-config contradict each other", "give one of them");
    if (raw.duration > 0)
        audit.duration = raw.duration;
    if (!raw.budget.empty()) {
        auto budget = parse_budget(raw.budget);
        if (!budget)
            return budget.error();
        audit.budget = *budget;
    }
    for (const std::string& spec : raw.formats) {
        auto output = parse_output(spec);
        if (!output)
            return output.error();
        audit.outputs.push_back(std::move(*output));
    }
    if (raw.gen_suppressions) {
        if (audit.outputs.empty())
            audit.outputs.push_back({"text", ""});
        audit.outputs.push_back({"suppressions", ""});
    }
    return Done{};
}

// --watch alone is a second.
constexpr const char* kWatchSeconds = "1";

struct CompletionOptions {
    std::string shell;
    bool table = false;  // man pages and tests: what the scripts are made from
};

CLI::App* add_completion(CLI::App& app, CompletionOptions& completion)
{
    CLI::App* one = app.add_subcommand("completion", "print a completion script for a shell");
    one->add_option("shell", completion.shell, "bash, zsh or fish")
        ->type_name("SHELL")
        ->check(one_of({"bash", "zsh", "fish"}));
    one->add_flag("--table", completion.table)->group("");
    return one;
}

Result<int> print_completion(const CLI::App& app, const CompletionOptions& completion)
{
    const CommandTable table = command_table(app);
    if (completion.table)
        write_command_table(table, std::cout);
    else if (completion.shell == "bash")
        std::cout << bash_completion(table);
    else if (completion.shell == "zsh")
        std::cout << zsh_completion(table);
    else if (completion.shell == "fish")
        std::cout << fish_completion(table);
    else
        return usage_error("completion needs a shell", "epaudit completion bash, zsh or fish");
    return 0;
}

CLI::App* add_inspect(CLI::App& app, InspectOptions& inspect)
{
    CLI::App* one = app.add_subcommand("inspect",
                                       "show the interest lists of running processes as the kernel has them now");
    add_who_options(*one, inspect.who, true);
    one->add_option("--format", inspect.format, "text or json")->check(one_of({"text", "json"}))->capture_default_str();
    one->add_option_function<double>(
           "--watch", [&inspect](double seconds) { inspect.watch = seconds; },
           "look again and again, mark what has changed; every second, or as often as this: 500ms, 10s, 1m")
        ->expected(0, 1)
        ->default_str(kWatchSeconds)
        ->type_name("TIME")
        ->transform(duration(0.05, 86400));
    one->add_option("--color", inspect.color, "auto, always or never")
        ->type_name("WHEN")
        ->check(one_of({"auto", "always", "never"}))
        ->capture_default_str();
    one->add_flag("--verbose", inspect.verbose, "print libbpf's messages");
    one->footer("Exit codes: 0 shown, 2 usage error, 3 could not look, or no epoll, 4 shown, but incomplete.");
    return one;
}

int complain(const Error& error)
{
    // Names of programs and files come from elsewhere.
    say("epaudit: {}\n", clean(error.message));
    if (!error.hint.empty())
        say("  hint: {}\n", clean(error.hint));
    return static_cast<int>(error.exit);
}

template <typename Options>
int dispatch(Result<int> (*command)(const Options&), const Options& options)
{
    auto code = command(options);
    return code ? *code : complain(code.error());
}

int parse_and_run(int argc, char** argv)
{
    CLI::App app(kAbout, "epaudit");
    app.footer(kFooter);
    app.formatter_fn([](const CLI::App* one, const std::string&, CLI::AppFormatMode) {
        return help_text(*one, text_width(STDOUT_FILENO));
    });
    app.set_version_flag("-V,--version", "epaudit " + version_text());
    app.require_subcommand(1);

    RunOptions run;
    RawOptions raw_run;
    CLI::App* run_app = app.add_subcommand(
        "run",
        "start a program and audit it from its first instruction; at Ctrl-C or the end of --duration it gets SIGTERM");
    add_audit_options(*run_app, run.audit, raw_run);
    add_source_option(*run_app, run.audit,
                      "auto (BPF, and strace where that is refused), bpf, or strace, which stops CMD at each call");
    add_whom(*run_app, run.whom);
    run_app->add_flag("--wait-all", run.wait_all, "keep observing until all child processes have exited, not only CMD");
    run_app->add_option("command", run.command, "the program and its arguments")->required()->type_name("CMD");
    run_app->positionals_at_end(true);

    AttachOptions attach;
    RawOptions raw_attach;
    CLI::App* attach_app = app.add_subcommand(
        "attach", "audit running processes until they end or Ctrl-C; they get no signal, and go on");
    add_who_options(*attach_app, attach.who, true);
    attach_app->add_flag("--follow-forks", attach.follow_forks,
                         "with -p: also existing and future descendants (future ones of a selection always are)");
    add_audit_options(*attach_app, attach.audit, raw_attach);
    attach_app
        ->add_option(
            "--budget", raw_attach.budget,
            "most that watching may cost, in % of the CPU time of what is watched (of one core, if it uses less): "
            "where it costs more, the probes are attached in short windows only; none: no limit")
        ->type_name("PCT")
        ->default_str("none");
    add_source_option(*attach_app, attach.audit, "auto (BPF), bpf, or strace, which stops the processes at each call");

    InspectOptions inspect;
    CLI::App* inspect_app = add_inspect(app, inspect);

    ListOptions list;
    CLI::App* list_app = app.add_subcommand("list", "who would be watched: processes that use epoll; touches nobody");
    add_who_options(*list_app, list.who, true);
    list_app->add_option("--format", list.format, "text or json")
        ->check(one_of({"text", "json"}))
        ->capture_default_str();

    StraceOptions strace;
    RawOptions raw_strace;
    CLI::App* strace_app = app.add_subcommand("strace", "audit a log that strace wrote; needs no privileges");
    strace_app->add_option("file", strace.path, "the log, plain, .gz or .zst; - is standard input")
        ->required()
        ->type_name("FILE");
    add_report_options(*strace_app, strace.audit, raw_strace);
    add_policy_options(*strace_app, strace.audit, raw_strace);
    add_max_fds(*strace_app, strace.audit);

    RecordOptions record;
    RawOptions raw_record;
    CLI::App* record_app = app.add_subcommand("record",
                                              "audit a program and keep a recording, to be audited again with replay");
    add_record_options(*record_app, record, raw_record);

    ReplayOptions replay;
    RawOptions raw_replay;
    CLI::App* replay_app = app.add_subcommand("replay", "audit a recording, on any machine; needs no privileges");
    replay_app->add_option("file", replay.path, "the recording; - is standard input")->required()->type_name("FILE");
    add_policy_options(*replay_app, replay.audit, raw_replay);
    add_report_options(*replay_app, replay.audit, raw_replay);

    CatalogueOptions catalogue;
    CLI::App* rules_app = app.add_subcommand("rules", "list the rules");
    rules_app->add_option("--format", catalogue.format, "text or json")
        ->check(one_of({"text", "json"}))
        ->capture_default_str();
    CLI::App* doctor_app = app.add_subcommand("doctor",
                                              "what this kernel and these privileges allow, and what would help");
    doctor_app->add_option("--format", catalogue.format, "text or json")
        ->check(one_of({"text", "json"}))
        ->capture_default_str();
    AuditOptions config;
    RawOptions raw_config;
    bool show = true;
    CLI::App* config_app = app.add_subcommand("config", "what is in force, and from where");
    config_app->add_flag("--show", show, "print it (this is what the command does)");
    add_rule_options(*config_app, config, raw_config);
    CLI::App* explain_app = app.add_subcommand("explain", "what a rule means, how it knows, how to fix it");
    explain_app->add_option("rule", catalogue.rule, "id or name: EP201, busy-epollout")->required()->type_name("RULE");

    CompletionOptions completion;
    CLI::App* completion_app = add_completion(app, completion);

    const std::vector<std::string> known = command_names(app);
    if (argc > 1 && *argv[1] != '-' && std::find(known.begin(), known.end(), argv[1]) == known.end())
        return complain(no_command(app, argv[1]));  // also before --help
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& done) {  // --help, --version
        return app.exit(done);
    } catch (const CLI::ParseError& error) {
        return complain(misuse(error, app, argc > 1 ? argv[1] : nullptr));
    }
    if (*run_app) {
        if (auto ok = finish(raw_run, run.audit); !ok)
            return complain(ok.error());
        return dispatch(run_command, run);
    }
    if (*list_app)
        return dispatch(list_command, list);
    if (*attach_app) {
        if (attach.who.empty())
            return complain(nobody_named("attach"));
        if (auto ok = finish(raw_attach, attach.audit); !ok)
            return complain(ok.error());
        return dispatch(attach_command, attach);
    }
    if (*inspect_app && inspect.who.empty())
        return complain(nobody_named("inspect"));
    if (*inspect_app)
        return dispatch(inspect_command, inspect);
    if (*strace_app) {
        if (auto ok = finish(raw_strace, strace.audit); !ok)
            return complain(ok.error());
        return dispatch(strace_command, strace);
    }
    if (*record_app) {
        if (auto ok = finish(raw_record, record.audit); !ok)
            return complain(ok.error());
        return dispatch(record_command, record);
    }
    if (*replay_app) {
        if (auto ok = finish(raw_replay, replay.audit); !ok)
            return complain(ok.error());
        return dispatch(replay_command, replay);
    }
    if (*completion_app) {
        auto code = print_completion(app, completion);
        return code ? *code : complain(code.error());
    }
    if (*config_app) {
        if (auto ok = finish(raw_config, config); !ok)
            return complain(ok.error());
        return dispatch(config_command, config);
    }
    if (*doctor_app)
        return dispatch(doctor_command, catalogue);
    return *rules_app ? dispatch(rules_command, catalogue) : dispatch(explain_command, catalogue);
}

// Whoever asked for text must learn that it did not come.
int flushed(int code)
{
    std::cout.flush();
    return std::cout ? code : complain(usage_error("cannot write standard output"));
}

// As people ask: `help`, `help COMMAND`, `version`. No commands of the parser, for they have no options.
std::vector<std::string> as_options(int argc, char** argv)
{
    std::vector<std::string> words(argv, argv + argc);
    if (words.size() > 1 && words[1] == "version")
        words[1] = "--version";
    if (words.size() > 1 && words[1] == "help") {
        words.erase(words.begin() + 1);
        words.emplace_back("--help");
    }
    return words;
}

}  // namespace

int epaudit_main(int argc, char** argv)
{
    std::vector<std::string> words = as_options(argc, argv);
    std::vector<char*> pointers;
    for (std::string& word : words)
        pointers.push_back(word.data());
    secure_standard_descriptors();
    ignore_signals_of_writing();
    const StandardOutput output;
    try {
        return flushed(parse_and_run(static_cast<int>(pointers.size()), pointers.data()));
    } catch (const std::exception& error) {
        return complain(observe_error(fmt::format("cannot go on: {}", error.what())));
    }
}

}  // namespace epaudit
