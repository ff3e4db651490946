// SPDX-License-Identifier: Apache-2.0
// epaudit replay FILE|-: a recording is audited as its program was, with whatever thresholds and rules are wanted now.
#include <fmt/format.h>

#include "src/books/duration.h"
#include "src/cli/options.h"
#include "src/recording/replay.h"
#include "src/session/posted.h"

namespace epaudit {
namespace {

Report about(const RecordingHeader& header)
{
    Report report;
    report.command = header.command;
    report.pids = header.pids;
    report.observation.hooks = "recording";
    report.observation.notes.push_back(
        fmt::format("recorded by {} probes on {} by epaudit {}", header.sight.hooks, header.kernel, header.tool));
    report.started = static_cast<int64_t>(header.began_unix / NSEC_PER_SEC);
    return report;
}

Result<> write_accounts(const std::string& path, const Replay& replay, const Tables& books)
{
    if (auto ok = write_account(path, "kernel", replay.kernel_files(), replay.kernel_registrations()); !ok)
        return ok;
    return write_account(path, "replay", books.file_account(), books.registration_account());
}

}  // namespace

Result<int> replay_command(const ReplayOptions& options)
{
    auto reader = RecordingReader::open(options.path);
    if (!reader)
        return reader.error();
    const RecordingHeader& header = (*reader)->header();
    AuditOptions audit = options.audit;
    audit.input = options.path;
    auto opened = PostedSession::open(audit, header.profile == "test" ? Profile::kTest : Profile::kProduction);
    if (!opened)
        return opened.error();
    PostedSession& session = **opened;
    session.judge().forget_sources();
    if (auto ok = session.begin(about(header), header.sight); !ok)
        return ok.error();
    Replay replay(session.auditor(), header, [&](const Snapshot& books) { session.looked(books); });
    if (!options.audit.books_file.empty())
        replay.keep_totals();
    replay.run(**reader, &interrupted);
    if (auto ok = write_accounts(options.audit.books_file, replay, replay.tables()); !ok)
        return ok.error();
    if (!session.epolls_seen())
        return observe_error(fmt::format("no epoll instance is in {}: there is nothing to audit", options.path),
                             replay.trouble());
    Report report = about(header);
    report.observation.seconds = seconds_of(session.last().time - header.began);
    report.observation.lost = replay.lost();
    for (const std::string& note : replay.notes())
        report.observation.notes.push_back(note);
    if (!replay.trouble().empty())
        report.observation.notes.push_back(replay.trouble());
    return session.report(std::move(report), header.sight);
}

}  // namespace epaudit
