// SPDX-License-Identifier: Apache-2.0
#include "src/session/posted.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "src/books/describe.h"
#include "src/session/files.h"
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
    std::unique_ptr<PostedSession> session(new PostedSession(options));
    if (auto ok = check_files(options); !ok)
        return ok.error();
    auto judge = Judge::open(options, otherwise);
    if (!judge)
        return judge.error();
    session->judge_ = std::move(*judge);
    if (auto ok = session->judge_->check_rules(); !ok)
        return ok.error();
    auto outputs = Outputs::open(options);
    if (!outputs)
        return outputs.error();
    session->outputs_ = std::make_unique<Outputs>(std::move(*outputs));
    session->looks_ = std::make_unique<Looks>(*session->judge_, *session->outputs_, options.quiet);
    take_interrupts();
    return session;
}

Result<> PostedSession::begin(Report report, const std::optional<Sight>& sight)
{
    if (!outputs_->streams())
        return Done{};
    report.version = EPAUDIT_VERSION;
    judge_->fill(report, sight.value_or(Sight{}));
    if (!sight)
        report.coverage.clear();
    return outputs_->begin(report);
}

void PostedSession::looked(const Snapshot& books)
{
    last_ = books;
    if (told_)
        told_ = looks_->after(books);
}

Result<int> PostedSession::report(Report report, const Sight& sight)
{
    if (!told_)
        return told_.error();
    report.version = EPAUDIT_VERSION;
    auto lost = std::move(report.observation.lost);
    const uint64_t epolls = report.observation.epolls;
    looks_->fill(report, last_, sight);
    report.observation.epolls = std::max(epolls, report.observation.epolls);  // some were gone before a look
    if (report.observation.hooks == "strace")                                 // the books speak of what a kernel loses
        for (auto& [name, count] : report.observation.lost)
            name = StraceImport::name_of_loss(name);
    for (auto& loss : lost)
        report.observation.lost.push_back(std::move(loss));
    return conclude(*judge_, *outputs_, report);
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
