// SPDX-License-Identifier: Apache-2.0
// epaudit run -- CMD: under observation from its first instruction.
#include <fmt/format.h>

#include "src/cli/traced.h"
#include "src/session/session.h"
#include "src/session/tracer.h"
#include "src/support/say.h"

namespace epaudit {
namespace {

// Whoever asks for BPF, or for what only BPF can do, gets it or an error.
bool may_fall_back(const AuditOptions& audit)
{
    return audit.source == "auto" && audit.hooks == "auto" && audit.record.empty();
}

// A CI job in an unprivileged container is judged all the same.
Result<int> run_without_bpf(const RunOptions& options, const Error& refused)
{
    if (auto strace = find_strace(); !strace) {
        Error error = refused;
        error.hint += fmt::format("{}or install strace, which needs no privileges: apt install strace",
                                  error.hint.empty() ? "" : "; ");
        return error;
    }
    say("epaudit: {}: using strace\n", refused.message);
    return run_by_strace(options, refused.message);
}

// Whoever calls us gets the report, and may read of the source what he could without us.
RunOptions with_source_text(RunOptions options)
{
    options.audit.source_text = options.audit.source_text_given.value_or(true) ? SourceText::From::kCaller
                                                                               : SourceText::From::kNowhere;
    return options;
}

// It stands before its first instruction.
Result<ProcessHandle> watch_from_birth(LiveCapture& live, const Command& child)
{
    auto process = ProcessHandle::open(static_cast<uint32_t>(child.pid()));
    auto watched = process ? live.watch(*process, true) : Result<bool>(false);
    if (!watched)
        return watched.error();
    if (!*watched)
        return observe_error("the command ended before it began");
    return std::move(*process);
}

Result<int> watch_command(Session& session, const RunOptions& options, Command& child)
{
    LiveCapture& live = session.live();
    auto process = watch_from_birth(live, child);
    if (!process)
        return process.error();
    const uint32_t pid = process->pid();
    if (auto ok = session.begin(options.command, {pid}); !ok)
        return ok.error();
    live.seeded();  // CMD has no past
    if (auto ok = child.go(); !ok)
        return ok.error();
    live.learn_process(pid);  // it has become CMD

    auto over = [&] { return child.reap(false) && (!options.wait_all || live.watched().empty()); };
    const std::vector<int> gone = process->pidfd() >= 0 ? std::vector<int>{process->pidfd()} : std::vector<int>{};
    auto end = session.observe(gone, over);
    if (!end)
        return end.error();
    const bool own_end = *end == Session::End::kTarget;
    if (const size_t left = live.watched().size(); own_end && left)
        session.note(left_running_text(left));
    if (auto ok = session.finish(); !ok)
        return ok.error();
    // Only now, with the hooks gone, may it be asked to end. A command that we ended says nothing by its status: the JVM makes
    // 143 of SIGTERM, lighttpd 1.
    const ExitStatus status = child.end();
    return session.report(options.command, {pid}, own_end ? status : std::optional<ExitStatus>{});
}

}  // namespace

Result<int> run_command(const RunOptions& given)
{
    const RunOptions options = with_source_text(given);
    auto user = command_user(options.whom);
    if (!user)
        return user.error();
    if (auto found = find_command(options.command[0]); !found)  // before the probes load, which takes its time
        return found.error();
    if (options.audit.source == "strace")
        return run_by_strace(options, "");
    auto session = Session::open(options.audit, options.audit.profile.value_or(Profile::kTest));
    if (!session && session.error().exit == Exit::kCannotObserve && may_fall_back(options.audit))
        return run_without_bpf(options, session.error());
    if (!session)
        return session.error();
    auto child = start_as(*user, options);
    if (!child)
        return child.error();
    (*session)->will_end_command();
    if (*user)
        (*session)->note(fmt::format("the command ran as {}", user->value().shown()));
    auto code = watch_command(**session, options, *child);
    if (!code)
        child->end();
    return code;
}

}  // namespace epaudit
