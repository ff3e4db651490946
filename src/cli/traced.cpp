// SPDX-License-Identifier: Apache-2.0
#include "src/cli/traced.h"

#include <fmt/format.h>

#include <functional>

#include "src/books/duration.h"
#include "src/session/log_doubts.h"
#include "src/session/posted.h"
#include "src/session/tracer.h"
#include "src/strace/import.h"
#include "src/support/clock.h"
#include "src/support/proc.h"
#include "src/support/say.h"

namespace epaudit {
namespace {

constexpr uint64_t kDetachNs = 5 * NSEC_PER_SEC;
constexpr unsigned kLinesPerCheck = 256;

enum class End { kTarget, kInterrupted, kDuration };

// One program under strace, from its first line to its report.
class Traced {
public:
    Traced(const AuditOptions& options, PostedSession& session, std::unique_ptr<Tracer> tracer)
        : options_(options),
          session_(session),
          tracer_(std::move(tracer)),
          log_(session.auditor(), options.max_fds, [&](const Snapshot& books) { session_.looked(books); })
    {
        log_.is_whole();
        for (const std::string& line : tracer_->said())
            log_.line(line);
    }

    // An attached program was executed before the log began, which otherwise says what it is.
    void name(const std::vector<uint32_t>& pids)
    {
        for (const uint32_t pid : pids) {
            std::string comm = read_comm(pid);
            log_.world().comms[pid] = comm;
            log_.audit().tables().set_process({pid, std::move(comm), "", RunState::kUnknown});
        }
    }

    Result<> begin(Report report)
    {
        if (auto ok = session_.begin(std::move(report)); !ok)
            return ok;
        began_ = monotonic_ns();
        return announce_ready(options_);
    }

    // Reads the log to its end, which comes when strace has let go of everything, asked to or not.
    End read(const std::function<bool()>& over)
    {
        std::string_view line;
        for (unsigned lines = 0;;) {
            bool check = ++lines % kLinesPerCheck == 0;
            switch (tracer_->log().next(line)) {
            case TextSource::Next::kLine: log_.line(line); break;
            case TextSource::Next::kTooLong: log_.too_long(); break;
            case TextSource::Next::kIdle:
                log_.pause();
                check = true;
                break;
            case TextSource::Next::kEnd: log_.finish(); return end_;
            }
            if (check)
                check_end(over);
        }
    }

    bool asked() const { return asked_at_ != 0; }
    size_t let_go() { return tracer_->let_go(); }

    Result<int> report(Report report, std::vector<InconclusiveReason> reasons)
    {
        Observation& observation = report.observation;
        observation.seconds = seconds_of(session_.last().time - session_.last().began);
        observation.lost = log_.lost();
        observation.inconclusive = std::move(reasons);
        for (InconclusiveReason& reason : log_doubts(session_.auditor(), log_, seconds_of(monotonic_ns() - began_)))
            observation.inconclusive.push_back(std::move(reason));
        for (std::string& note : log_.notes())
            observation.notes.push_back(std::move(note));
        if (const std::string& trouble = tracer_->log().trouble(); !trouble.empty())
            observation.inconclusive.push_back({Inconclusive::kLost, trouble, "run it again"});
        return session_.report(std::move(report), log_.sight());
    }

private:
    void check_end(const std::function<bool()>& over)
    {
        tracer_->drain();
        const uint64_t now = monotonic_ns();
        if (asked_at_) {
            if (now - asked_at_ > kDetachNs)
                tracer_->kill();
            return;
        }
        const bool time_is_up = options_.duration && seconds_of(now - began_) >= *options_.duration;
        if (!interrupted && !time_is_up && !over())
            return;
        end_ = interrupted ? End::kInterrupted : time_is_up ? End::kDuration : End::kTarget;
        asked_at_ = now;
        tracer_->detach();
    }

    AuditOptions options_;
    PostedSession& session_;
    std::unique_ptr<Tracer> tracer_;
    StraceImport log_;
    End end_ = End::kTarget;
    uint64_t began_ = 0;
    uint64_t asked_at_ = 0;
};

Report about(std::vector<std::string> command, std::vector<uint32_t> pids, const std::string& why_not_bpf)
{
    Report report;
    report.command = std::move(command);
    report.pids = std::move(pids);
    report.started = time(nullptr);
    report.observation.hooks = "strace";
    if (!why_not_bpf.empty())
        report.observation.notes.push_back(fmt::format("BPF cannot be used here ({}): strace was used", why_not_bpf));
    report.observation.notes.push_back(
        "strace stopped the program at each of its system calls: it ran slower than by itself, and what depends on "
        "time did so, too");
    return report;
}

InconclusiveReason ended_early()
{
    return {Inconclusive::kLost, "strace ended before the program did: what came after is not known", "run it again"};
}

Result<> check_options(const AuditOptions& options)
{
    if (!options.record.empty())
        return usage_error("a recording is made by BPF alone", "leave --source strace away, or record without it");
    if (options.hooks != "auto")
        return usage_error(fmt::format("--hooks {} is of no use with --source strace", options.hooks),
                           "leave one of them away");
    return Done{};
}

// The command stands before its first instruction.
Result<int> trace_command(PostedSession& session, const RunOptions& options, const Report& about_it,
                          std::unique_ptr<Tracer> tracer, Command& child)
{
    const auto pid = static_cast<uint32_t>(child.pid());
    Traced traced(options.audit, session, std::move(tracer));
    if (auto ok = traced.begin(about_it); !ok)
        return ok.error();
    if (auto ok = child.go(); !ok)
        return ok.error();
    const End end = traced.read([&] { return !options.wait_all && child.reap(false); });

    Report report = about_it;
    std::vector<InconclusiveReason> reasons;
    if (!traced.asked() && !child.reap(false) && ProcessHandle::open(pid))
        reasons.push_back(ended_early());
    if (const size_t left = traced.let_go(); left && end == End::kTarget)
        report.observation.notes.push_back(left_running_text(left));
    const ExitStatus status = child.end();
    if (end == End::kTarget) {  // a command that we ended says nothing by its status
        report.child.emplace();
        report.child->exit_status = status.signalled ? 0 : status.code;
        report.child->signal = status.signalled ? status.code : 0;
    }
    return traced.report(std::move(report), std::move(reasons));
}

}  // namespace

Result<Command> start_as(const std::optional<Caller>& user, const RunOptions& options)
{
    if (user && !options.audit.quiet)
        say("epaudit: the command runs as {} (--as-root: as root)\n", user->shown());
    return Command::start(options.command, user);
}

Result<int> run_by_strace(const RunOptions& options, const std::string& why_not_bpf)
{
    if (auto ok = check_options(options.audit); !ok)
        return ok.error();
    auto strace = find_strace();
    if (!strace)
        return strace.error();
    auto session = PostedSession::open(options.audit, options.audit.profile.value_or(Profile::kTest));
    if (!session)
        return session.error();
    auto user = command_user(options.whom);
    if (!user)
        return user.error();
    auto child = start_as(*user, options);
    if (!child)
        return child.error();
    const auto pid = static_cast<uint32_t>(child->pid());
    auto tracer = Tracer::attach(*strace, {pid});
    auto code = tracer ? trace_command(**session, options, about(options.command, {pid}, why_not_bpf),
                                       std::move(*tracer), *child)
                       : Result<int>(tracer.error());
    if (!code)
        child->end();
    return code;
}

Result<int> attach_by_strace(const AttachOptions& options)
{
    if (auto ok = check_options(options.audit); !ok)
        return ok.error();
    auto roots = parse_pids(options.who.pid_list());
    if (!roots)
        return roots.error();
    auto strace = find_strace();
    if (!strace)
        return strace.error();
    auto session = PostedSession::open(options.audit, options.audit.profile.value_or(Profile::kProduction));
    if (!session)
        return session.error();
    std::vector<uint32_t> pids = roots->pids;
    if (options.follow_forks)
        for (const Descendant& one : descendants(roots->pids))
            pids.push_back(one.pid);
    auto tracer = Tracer::attach(*strace, pids);
    if (!tracer)
        return tracer.error();
    Traced traced(options.audit, **session, std::move(*tracer));
    traced.name(pids);
    if (auto ok = traced.begin(about({}, pids, "")); !ok)
        return ok.error();
    auto gone = [&] { return have_ended(roots->processes); };
    traced.read([&] { return !options.follow_forks && gone(); });
    std::vector<InconclusiveReason> reasons;
    if (!traced.asked() && !gone())
        reasons.push_back(ended_early());
    Report report = about({}, pids, "");
    for (std::string& note : roots->notes)
        report.observation.notes.push_back(std::move(note));
    return traced.report(std::move(report), std::move(reasons));
}

}  // namespace epaudit
