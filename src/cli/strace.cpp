// SPDX-License-Identifier: Apache-2.0
// epaudit strace FILE|-: a log is audited as a program would have been.
#include <fmt/format.h>

#include "rules/log_runs.h"
#include "src/books/describe.h"
#include "src/cli/posted.h"
#include "src/strace/import.h"
#include "src/strace/text_source.h"

namespace epaudit {
namespace {

std::string read_all(TextSource& source, StraceImport& log)
{
    std::string_view line;
    for (bool fresh = false;;) {
        switch (source.next(line)) {
        case TextSource::Next::kLine:
            log.line(line);
            fresh = true;
            break;
        case TextSource::Next::kTooLong: log.too_long(); break;
        case TextSource::Next::kIdle:
            if (fresh)
                log.pause();
            fresh = false;
            break;
        case TextSource::Next::kEnd: log.finish(); return source.trouble();
        }
    }
}

Report about(const StraceOptions& options)
{
    Report report;
    report.command = {options.path == "-" ? "log from standard input" : options.path};
    report.observation.hooks = "strace";
    return report;
}

// So many equal returns in a row happen to no healthy program.
constexpr uint64_t kNotable = 5;

// What the log looks like, though it does not prove it; empty: it does not look like anything.
std::string looks_like(const Auditor& auditor, const StraceImport& log)
{
    const LogRun* longest = nullptr;
    const std::vector<LogRun> runs = log.runs();
    for (const LogRun& run : runs) {
        const bool spin = run.cause > LogRun::Cause::kNone && run.cause <= LogRun::Cause::kGhost &&
                          run.cause != LogRun::Cause::kZero;
        if (spin && !run.ended && run.returns >= kNotable && (!longest || run.returns > longest->returns))
            longest = &run;
    }
    if (!longest)
        return {};
    std::string name;
    double needed = 0;
    for (const RuleInfo& rule : auditor.rules())
        if (rule.id == log_run_rule(*longest)) {
            name = rule.name;
            needed = (*auditor.settings(rule.id))["returns"];
        }
    if (name.empty())
        return {};
    std::string text = fmt::format("{} was reported {} times in a row ({}) and nothing was done about it: ",
                                   log_run_subject(*longest), longest->returns, mask_text(longest->events));
    if (longest->doubt)
        return text + longest->doubt;
    const uint64_t round = longest->returns >= 20 ? longest->returns / 10 * 10 : longest->returns;
    return text + fmt::format("a spin if this goes on; {} returns are needed, or --set {}.returns={}", needed, name,
                              std::min<uint64_t>(round, 50));
}

std::string inconclusive(const Auditor& auditor, const StraceImport& log)
{
    if (std::string text = looks_like(auditor, log); !text.empty())
        return text;
    const LogCounts& counts = log.counts();
    const uint64_t unjudged = log.tracker().open();
    if (counts.calls && unjudged >= 10 && unjudged > log.tracker().answered())
        return fmt::format("{} of {} events could not be judged: what the program did about them is not in the log",
                           unjudged, unjudged + log.tracker().answered());
    return {};
}

Report make_report(const StraceOptions& options, StraceImport& log, const Snapshot& last, const std::string& trouble,
                   const std::string& doubt)
{
    Report report = about(options);
    for (const auto& [pid, process] : last.processes)
        if (pid)
            report.pids.push_back(pid);
    Observation& observation = report.observation;
    if (log.clock().known())
        observation.seconds = static_cast<double>(last.time - last.began) / 1e9;
    observation.lost = log.lost();
    observation.epolls = log.counts().epolls;
    observation.notes = log.notes();
    if (!doubt.empty())
        observation.inconclusive.push_back({Inconclusive::kTooShort, doubt, ""});
    if (!trouble.empty()) {
        observation.notes.push_back(trouble);
        observation.lost.emplace_back("log_cut", 1);
    }
    return report;
}

}  // namespace

Result<int> strace_command(const StraceOptions& options)
{
    AuditOptions audit = options.audit;
    audit.input = options.path;
    auto opened = PostedSession::open(audit, options.audit.profile.value_or(Profile::kProduction));
    if (!opened)
        return opened.error();
    PostedSession& session = **opened;
    auto source = TextSource::open(options.path, &interrupted);
    if (!source)
        return source.error();
    StraceImport log(session.auditor(), options.audit.max_fds, [&](const Snapshot& books) { session.looked(books); });
    if (!options.audit.books_file.empty())
        log.audit().tables().keep_totals();
    if (auto ok = session.begin(about(options)); !ok)
        return ok.error();
    std::string trouble = read_all(**source, log);
    if (!log.other_tool().empty())
        return observe_error(
            fmt::format("{} is not a log of strace but of another tool: {}", options.path, log.other_tool()),
            log.other_hint());
    if (!log.counts().epolls)
        return observe_error(
            fmt::format("no epoll call in {} lines of {}: there is nothing to audit", log.lines(), options.path),
            !trouble.empty() ? trouble
            : log.refused(Refusal::kNoCall) > log.lines() / 2
                ? "this does not look like strace output"
                : "strace -f -ttt -T -o FILE -p PID writes a log with all calls");
    const Tables& books = log.audit().tables();
    if (auto ok = write_account(options.audit.books_file, "strace", books.file_account(), books.registration_account());
        !ok)
        return ok.error();
    return session.report(make_report(options, log, session.last(), trouble, inconclusive(session.auditor(), log)),
                          log.sight());
}

}  // namespace epaudit
