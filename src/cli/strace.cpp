// SPDX-License-Identifier: Apache-2.0
// epaudit strace FILE|-: a log is audited as a program would have been.
#include <fmt/format.h>

#include "src/books/describe.h"
#include "src/books/duration.h"
#include "src/cli/options.h"
#include "src/session/log_doubts.h"
#include "src/session/posted.h"
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

Report make_report(const StraceOptions& options, StraceImport& log, const Snapshot& last, const std::string& trouble,
                   const Auditor& auditor)
{
    Report report = about(options);
    for (const auto& [pid, process] : last.processes)
        if (known_pid(pid))
            report.pids.push_back(pid);
    Observation& observation = report.observation;
    if (log.clock().known())
        observation.seconds = seconds_of(last.time - last.began);
    observation.lost = log.lost();
    observation.epolls = log.counts().epolls;
    observation.notes = log.notes();
    observation.inconclusive = log_doubts(auditor, log, observation.seconds);
    if (!trouble.empty()) {
        observation.notes.push_back(trouble);
        observation.lost.emplace_back("log_cut", 1);
    }
    return report;
}

Result<int> no_epoll(const StraceOptions& options, const StraceImport& log, const std::string& trouble)
{
    if (const uint64_t ends = log.waits_without_beginning(); ends && trouble.empty())
        return observe_error(
            fmt::format("of {} call{} of epoll_wait() {} holds only the end: which epoll it was is not known", ends,
                        ends == 1 ? "" : "s", options.path),
            "give a longer part of the log; strace -f -ttt -T -o FILE -p PID writes one with all calls");
    return observe_error(
        fmt::format("no epoll call in {} line{} of {}: there is nothing to audit", log.lines(),
                    log.lines() == 1 ? "" : "s", options.path),
        !trouble.empty() ? trouble
        : log.denied()
            ? "strace was not allowed to trace the program: run it as root, lower "
              "/proc/sys/kernel/yama/ptrace_scope, or give the container CAP_SYS_PTRACE; no other tracer (gdb, "
              "a second strace) may be at it"
        : log.unread_waits()
            ? "lines name epoll_wait() in a form that cannot be read: give the log as strace -o FILE wrote it"
        : log.refused(Refusal::kNoCall) > log.lines() / 2
            ? "this does not look like strace output"
            : "strace -f -ttt -T -o FILE -p PID writes a log with all calls");
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
        return no_epoll(options, log, trouble);
    const Tables& books = log.audit().tables();
    if (auto ok = write_account(options.audit.books_file, "strace", books.file_account(), books.registration_account());
        !ok)
        return ok.error();
    return session.report(make_report(options, log, session.last(), trouble, session.auditor()), log.sight());
}

}  // namespace epaudit
