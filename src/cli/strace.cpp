// SPDX-License-Identifier: Apache-2.0
// epaudit strace FILE|-: a log is audited as a program would have been.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>

#include "src/capture/live.h"
#include "src/cli/options.h"
#include "src/report/json.h"
#include "src/report/text.h"
#include "src/strace/import.h"
#include "src/strace/text_source.h"

namespace epaudit {
namespace {

volatile sig_atomic_t interrupted = 0;

// Ctrl-C in "strace ... | epaudit strace -" reaches both: the report of what came so far is wanted.
void on_interrupt(int) { interrupted = 1; }

void take_interrupts()
{
    struct sigaction action {};
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

Result<> prepare(Auditor& auditor, const AuditOptions& options)
{
    if (options.gate)
        auditor.set_gate(*options.gate);
    if (!options.select.empty())
        if (auto ok = auditor.select(options.select); !ok)
            return ok.error();
    if (auto ok = auditor.ignore(options.ignore); !ok)
        return ok.error();
    for (const std::string& assignment : options.set)
        if (auto ok = auditor.set(assignment); !ok)
            return ok.error();
    return Done{};
}

// Findings are announced when they first reach the gate: a log may be a pipe that goes on for hours.
class Announcer {
public:
    Announcer(const Auditor& auditor, const AuditOptions& options) : auditor_(auditor), options_(options) {}

    void look(const Snapshot& books)
    {
        if (options_.quiet || !options_.gate)
            return;
        for (const Finding& finding : auditor_.findings()) {
            std::string key = finding.fingerprint + level_name(finding.level);
            if (finding.level < *options_.gate || std::count(said_.begin(), said_.end(), key))
                continue;
            said_.push_back(key);
            std::string when = books.times_known
                                   ? fmt::format("{:.1f} s: ", static_cast<double>(books.time - books.began) / 1e9)
                                   : std::string();
            fmt::print(stderr, "epaudit: {}{} {} {}, pid {}, fd {}\n", when, level_name(finding.level), finding.rule,
                       finding.name, finding.pid, finding.fd.number);
        }
    }

private:
    const Auditor& auditor_;
    const AuditOptions& options_;
    std::vector<std::string> said_;
};

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

Report make_report(const StraceOptions& options, const Auditor& auditor, StraceImport& log, const Snapshot& last,
                   const std::string& trouble, Profile profile)
{
    Report report;
    report.version = EPAUDIT_VERSION;
    report.command = {options.path == "-" ? "log from standard input" : options.path};
    for (const auto& [pid, process] : last.processes)
        if (pid)
            report.pids.push_back(pid);
    Observation& observation = report.observation;
    observation.hooks = "strace";
    observation.profile = profile == Profile::kTest ? "test" : "production";
    if (log.clock().known())
        observation.seconds = static_cast<double>(last.time - last.began) / 1e9;
    observation.postings = last.stats[STAT_POSTINGS];
    observation.calls = calls(last);
    observation.lost = losses(last);
    for (auto& loss : log.lost())
        observation.lost.push_back(std::move(loss));
    observation.notes = log.notes();
    if (!trouble.empty())
        observation.notes.push_back(trouble);
    observation.complete = observation.lost.empty() && trouble.empty();
    observation.registrations = log.audit().registrations_seen();
    observation.epolls = log.audit().epolls_seen();
    report.coverage = auditor.coverage(log.sight());
    report.findings = auditor.findings();
    report.options.risks = options.audit.risks;
    return report;
}

Result<> write(Report& report, const AuditOptions& options)
{
    for (const Output& output : options.outputs) {
        std::ofstream file;
        if (!output.path.empty()) {
            file.open(output.path);
            if (!file)
                return usage_error(fmt::format("cannot write {}: {}", output.path, strerror(errno)));
        }
        std::ostream& out = output.path.empty() ? std::cout : file;
        report.options.colour = output.path.empty() && (options.color == "always" || (options.color == "auto" &&
                                                        isatty(STDOUT_FILENO) && !getenv("NO_COLOR")));
        if (output.format == "json")
            write_json(report, out);
        else
            write_text(report, out);
        if (!out.flush())
            return usage_error(fmt::format("cannot write {}", output.path.empty() ? "standard output" : output.path));
    }
    return Done{};
}

}  // namespace

Result<int> strace_command(const StraceOptions& options)
{
    Profile profile = options.audit.profile.value_or(Profile::kProduction);
    Auditor auditor(profile);
    if (auto ok = prepare(auditor, options.audit); !ok)
        return ok.error();
    take_interrupts();
    auto source = TextSource::open(options.path, &interrupted);
    if (!source)
        return source.error();
    Announcer announcer(auditor, options.audit);
    Snapshot last;
    StraceImport log(auditor, options.audit.max_fds, [&](const Snapshot& books) {
        last = books;
        announcer.look(books);
    });
    std::string trouble = read_all(**source, log);
    if (!log.audit().epolls_seen())
        return observe_error(
            fmt::format("no epoll call in {} lines of {}: there is nothing to audit", log.lines(), options.path),
            log.refused(Refusal::kNoCall) > log.lines() / 2 ? "this does not look like strace output"
                                                            : "strace -f -ttt -T -o FILE -p PID writes a log with all calls");
    Report report = make_report(options, auditor, log, last, trouble, profile);
    if (auto ok = write(report, options.audit); !ok)
        return ok.error();
    auto at_gate = [&](const Finding& f) { return options.audit.gate && f.level >= *options.audit.gate; };
    if (std::any_of(report.findings.begin(), report.findings.end(), at_gate))
        return static_cast<int>(Exit::kFindings);
    return static_cast<int>(report.observation.complete ? Exit::kClean : Exit::kIncomplete);
}

}  // namespace epaudit
