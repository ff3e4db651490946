// SPDX-License-Identifier: Apache-2.0
// The command line. Every error ends here, as one line on stderr and an exit code.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <iostream>

#include "src/cli/commands.h"
#include "src/cli/help.h"
#include "src/cli/misuse.h"
#include "src/cli/options.h"
#include "src/report/words.h"
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

int complain(const Error& error)
{
    // Names of programs and files come from elsewhere.
    say("epaudit: {}\n", clean(error.message));
    if (!error.hint.empty())
        say("  hint: {}\n", clean(error.hint));
    return static_cast<int>(error.exit);
}

void describe(CLI::App& program)
{
    program.footer(kFooter);
    program.formatter_fn([](const CLI::App* one, const std::string&, CLI::AppFormatMode) {
        return help_text(*one, text_width(STDOUT_FILENO));
    });
    program.set_version_flag("-V,--version", "epaudit " + version_text());
    program.require_subcommand(1);
}

int parse_and_run(int argc, char** argv)
{
    CLI::App program(kAbout, "epaudit");
    describe(program);
    const std::vector<Command> commands = add_commands(program);
    const std::vector<std::string> known = command_names(program);
    if (argc > 1 && *argv[1] != '-' && std::find(known.begin(), known.end(), argv[1]) == known.end())
        return complain(no_command(program, argv[1]));  // also before --help
    try {
        program.parse(argc, argv);
    } catch (const CLI::Success& done) {  // --help, --version
        return program.exit(done);
    } catch (const CLI::ParseError& error) {
        return complain(misuse(error, program, argc > 1 ? argv[1] : nullptr));
    }
    const auto asked = std::find_if(commands.begin(), commands.end(),
                                    [](const Command& one) { return one.app->parsed(); });
    const Result<int> code = asked->run();
    return code ? *code : complain(code.error());
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
