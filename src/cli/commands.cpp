// SPDX-License-Identifier: Apache-2.0
#include "src/cli/commands.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <utility>

#include "src/cli/audit_arguments.h"
#include "src/cli/completion.h"
#include "src/cli/options.h"
#include "src/cli/parse_who.h"
#include "src/cli/values.h"

namespace epaudit {
namespace {

// What the parser writes to has to be there until the command runs.
template <typename Options>
struct Audited {
    Options options;
    AuditArguments arguments{options.audit};
};

template <typename Options>
std::function<Result<int>()> audits(std::shared_ptr<Audited<Options>> asked, Result<int> (*command)(const Options&))
{
    return [asked = std::move(asked), command]() -> Result<int> {
        if (auto ok = asked->arguments.finish(); !ok)
            return ok.error();
        return command(asked->options);
    };
}

void add_format(CLI::App& app, std::string& format)
{
    app.add_option("--format", format, "text or json")->check(one_of({"text", "json"}))->capture_default_str();
}

// CMD, whose rights it has, and how long it is waited for.
template <typename Options>
void add_program(CLI::App& app, Options& options, const char* wait_all)
{
    app.add_option("--user", options.whom.user, "run CMD as this user (default: who called sudo)")->type_name("NAME");
    app.add_flag("--as-root", options.whom.as_root, "run CMD as epaudit itself is run, also under sudo");
    app.add_flag("--wait-all", options.wait_all, wait_all);
}

template <typename Options>
CLI::Option* add_command_words(CLI::App& app, Options& options)
{
    app.positionals_at_end(true);
    return app.add_option("command", options.command, "the program and its arguments")->type_name("CMD");
}

Command add_run(CLI::App& program)
{
    auto asked = std::make_shared<Audited<RunOptions>>();
    CLI::App* app = program.add_subcommand(
        "run",
        "start a program and audit it from its first instruction; at Ctrl-C or the end of --duration it gets SIGTERM");
    asked->arguments.add_observation(*app);
    asked->arguments.add_source(
        *app, "auto (BPF, and strace where that is refused), bpf, or strace, which stops CMD at each call");
    add_program(*app, asked->options, "keep observing until all child processes have exited, not only CMD");
    add_command_words(*app, asked->options)->required();
    return {app, audits(std::move(asked), run_command)};
}

Command add_attach(CLI::App& program)
{
    auto asked = std::make_shared<Audited<AttachOptions>>();
    CLI::App* app = program.add_subcommand(
        "attach", "audit running processes until they end or Ctrl-C; they get no signal, and go on");
    add_who_options(*app, asked->options.who, true);
    app->add_flag("--follow-forks", asked->options.follow_forks,
                  "with -p: also existing and future descendants (future ones of a selection always are)");
    asked->arguments.add_observation(*app);
    asked->arguments.add_budget(*app);
    asked->arguments.add_source(*app, "auto (BPF), bpf, or strace, which stops the processes at each call");
    return {app, [who = &asked->options.who, audit = audits(asked, attach_command)]() -> Result<int> {
                if (who->empty())
                    return nobody_named("attach");
                return audit();
            }};
}

// --watch alone is a second.
constexpr const char* kWatchSeconds = "1";

Command add_inspect(CLI::App& program)
{
    auto asked = std::make_shared<InspectOptions>();
    CLI::App* app = program.add_subcommand("inspect",
                                           "show the interest lists of running processes as the kernel has them now");
    add_who_options(*app, asked->who, true);
    add_format(*app, asked->format);
    app->add_option_function<double>(
           "--watch", [&watch = asked->watch](double seconds) { watch = seconds; },
           "look again and again, mark what has changed; every second, or as often as this: 500ms, 10s, 1m")
        ->expected(0, 1)
        ->default_str(kWatchSeconds)
        ->type_name("TIME")
        ->transform(duration(0.05, 86400));
    add_colour_option(*app, asked->color);
    app->add_flag("--verbose", asked->verbose, "print libbpf's messages");
    app->footer("Exit codes: 0 shown, 2 usage error, 3 could not look, or no epoll, 4 shown, but incomplete.");
    return {app, [asked]() -> Result<int> {
                if (asked->who.empty())
                    return nobody_named("inspect");
                return inspect_command(*asked);
            }};
}

Command add_list(CLI::App& program)
{
    auto asked = std::make_shared<ListOptions>();
    CLI::App* app = program.add_subcommand("list", "who would be watched: processes that use epoll; touches nobody");
    add_who_options(*app, asked->who, true);
    add_format(*app, asked->format);
    return {app, [asked] { return list_command(*asked); }};
}

Command add_strace(CLI::App& program)
{
    auto asked = std::make_shared<Audited<StraceOptions>>();
    CLI::App* app = program.add_subcommand("strace", "audit a log that strace wrote; needs no privileges");
    app->add_option("file", asked->options.path, "the log, plain, .gz or .zst; - is standard input")
        ->required()
        ->type_name("FILE");
    asked->arguments.add_report(*app);
    asked->arguments.add_policy(*app);
    asked->arguments.add_max_fds(*app);
    return {app, audits(std::move(asked), strace_command)};
}

Command add_record(CLI::App& program)
{
    auto asked = std::make_shared<Audited<RecordOptions>>();
    RecordOptions& record = asked->options;
    CLI::App* app = program.add_subcommand("record",
                                           "audit a program and keep a recording, to be audited again with replay");
    app->add_option("-o,--output", record.audit.record,
                    "the recording; - is standard output; what was there is replaced")
        ->required()
        ->type_name("FILE");
    add_who_options(*app, record.who, false, false);
    app->add_flag("--follow-forks", record.follow_forks, "with -p: also existing and future descendants");
    add_program(*app, record, "with CMD: keep observing until all child processes have exited");
    app->add_option("--ring", record.audit.ring_mib,
                    "size of the ring buffer in MiB (default: 16 to 256, by the memory there is)")
        ->type_name("MIB")
        ->check(whole_number(1, 1024));
    asked->arguments.add_observation(*app);
    add_command_words(*app, record);
    return {app, audits(std::move(asked), record_command)};
}

Command add_replay(CLI::App& program)
{
    auto asked = std::make_shared<Audited<ReplayOptions>>();
    CLI::App* app = program.add_subcommand("replay", "audit a recording, on any machine; needs no privileges");
    app->add_option("file", asked->options.path, "the recording; - is standard input")->required()->type_name("FILE");
    asked->arguments.add_policy(*app);
    asked->arguments.add_report(*app);
    return {app, audits(std::move(asked), replay_command)};
}

// Of those that list what there is.
Command add_listing(CLI::App& program, const char* name, const char* says,
                    Result<int> (*command)(const CatalogueOptions&))
{
    auto asked = std::make_shared<CatalogueOptions>();
    CLI::App* app = program.add_subcommand(name, says);
    add_format(*app, asked->format);
    return {app, [asked, command] { return command(*asked); }};
}

Command add_config(CLI::App& program)
{
    struct Config {
        AuditOptions audit;
        AuditArguments arguments{audit};
        bool show = true;
    };
    auto asked = std::make_shared<Config>();
    CLI::App* app = program.add_subcommand("config", "what is in force, and from where");
    app->add_flag("--show", asked->show, "print it (this is what the command does)");
    asked->arguments.add_rules(*app);
    return {app, [asked]() -> Result<int> {
                if (auto ok = asked->arguments.finish(); !ok)
                    return ok.error();
                return config_command(asked->audit);
            }};
}

Command add_explain(CLI::App& program)
{
    auto asked = std::make_shared<CatalogueOptions>();
    CLI::App* app = program.add_subcommand("explain", "what a rule means, how it knows, how to fix it");
    app->add_option("rule", asked->rule, "id or name: EP201, busy-epollout")->required()->type_name("RULE");
    return {app, [asked] { return explain_command(*asked); }};
}

struct CompletionOptions {
    std::string shell;
    bool table = false;  // man pages and tests: what the scripts are made from
};

Result<int> print_completion(const CLI::App& program, const CompletionOptions& asked)
{
    const CommandTable table = command_table(program);
    if (asked.table)
        write_command_table(table, std::cout);
    else if (asked.shell == "bash")
        std::cout << bash_completion(table);
    else if (asked.shell == "zsh")
        std::cout << zsh_completion(table);
    else if (asked.shell == "fish")
        std::cout << fish_completion(table);
    else
        return usage_error("completion needs a shell", "epaudit completion bash, zsh or fish");
    return 0;
}

Command add_completion(CLI::App& program)
{
    auto asked = std::make_shared<CompletionOptions>();
    CLI::App* app = program.add_subcommand("completion", "print a completion script for a shell");
    app->add_option("shell", asked->shell, "bash, zsh or fish")
        ->type_name("SHELL")
        ->check(one_of({"bash", "zsh", "fish"}));
    app->add_flag("--table", asked->table)->group("");
    return {app, [asked, &program] { return print_completion(program, *asked); }};
}

}  // namespace

std::vector<Command> add_commands(CLI::App& program)
{
    return {add_run(program),
            add_attach(program),
            add_inspect(program),
            add_list(program),
            add_strace(program),
            add_record(program),
            add_replay(program),
            add_listing(program, "rules", "list the rules", rules_command),
            add_listing(program, "doctor", "what this kernel and these privileges allow, and what would help",
                        doctor_command),
            add_config(program),
            add_explain(program),
            add_completion(program)};
}

}  // namespace epaudit
