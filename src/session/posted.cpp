// SPDX-License-Identifier: Apache-2.0
#include "src/session/posted.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "src/books/describe.h"
#include "src/strace/import.h"

namespace epaudit {

volatile sig_atomic_t interrupted = 0;

namespace {

void on_interrupt(int) { interrupted = 1; }

void take_interrupts()
{
    struct sigaction action {};
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    sigset_t held;  // by an observation with BPF that was refused
    sigemptyset(&held);
    for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD})
        sigaddset(&held, signal);
    sigprocmask(SIG_UNBLOCK, &held, nullptr);
}

}  // namespace

Result<std::unique_ptr<PostedSession>> PostedSession::open(const AuditOptions& options, Profile otherwise)
{
    std::unique_ptr<PostedSession> session(new PostedSession);
    auto engine = Engine::open(options, otherwise);
    if (!engine)
        return engine.error();
    session->engine_ = std::move(*engine);
    take_interrupts();
    return session;
}

Result<> PostedSession::begin(Report report, const std::optional<Sight>& sight)
{
    if (!engine_->streams())
        return Done{};
    report.version = EPAUDIT_VERSION;
    judge().fill(report, sight.value_or(Sight{}));
    if (!sight)
        report.coverage.clear();
    return engine_->begin(report);
}

// Whoever reads the source cannot be told that a stream is not written any more: report() does.
void PostedSession::looked(const Snapshot& books) { (void)engine_->looked(Snapshot(books)); }

Result<int> PostedSession::report(Report report, const Sight& sight)
{
    auto lost = std::move(report.observation.lost);
    const uint64_t epolls = report.observation.epolls;
    engine_->fill(report, sight);
    report.observation.epolls = std::max(epolls, report.observation.epolls);  // some were gone before a look
    if (report.observation.hooks == "strace")                                 // the books speak of what a kernel loses
        for (auto& [name, count] : report.observation.lost)
            name = StraceImport::name_of_loss(name);
    for (auto& loss : lost)
        report.observation.lost.push_back(std::move(loss));
    return engine_->conclude(report);
}

Result<> write_account(const std::string& path, const char* source, const std::vector<file_totals>& files,
                       const std::vector<registration_totals>& registrations)
{
    if (path.empty())
        return Done{};
    std::ofstream out(path, std::ios::app);
    for (const file_totals& f : files)
        out << fmt::format(
                   R"({{"source":"{}","file":{},"pid":{},"fd":{},"armed_at":{},"kind":"{}","reads":{},"bytes_in":{},"read_eagain":{},"eofs":{},)"
                   R"("writes":{},"bytes_out":{},"write_eagain":{},"accepts":{},"accept_eagain":{},"accept_errors":{},"wakes":{}}})",
                   source, f.file, f.tgid, f.fd, f.armed_at, kind_name(f.file_kind), f.reads, f.bytes_in, f.read_eagain,
                   f.eofs, f.writes, f.bytes_out, f.write_eagain, f.accepts, f.accept_eagain, f.accept_errors, f.wakes)
            << "\n";
    for (const registration_totals& r : registrations)
        out << fmt::format(
                   R"({{"source":"{}","registration":{},"file":{},"pid":{},"fd":{},"armed_at":{},"deliveries":{},"in":{},"out":{},"hup":{},)"
                   R"("mods":{},"readies":{},"futile":{}}})",
                   source, r.epoll, r.file, r.tgid, r.fd, r.added_at, r.deliveries, r.delivered_in, r.delivered_out,
                   r.delivered_hup, r.mods, r.readies, r.futile)
            << "\n";
    if (!out.flush())
        return usage_error(fmt::format("cannot write {}: {}", path, strerror(errno)));
    return Done{};
}

}  // namespace epaudit
