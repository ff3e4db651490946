// SPDX-License-Identifier: Apache-2.0
#include "rules/unregistered.h"

#include <fmt/format.h>

#include <algorithm>

#include "rules/evidence.h"
#include "src/books/call_names.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit {
namespace {

// Whoever asks somebody else about a client that has come does so at once; looks are seconds apart.
constexpr uint64_t kAskedNs = 5 * NSEC_PER_SEC;

// Who was at work and has time again takes what waits at once: that much less patience is needed from then on. A loop that
// wakes up for a moment is seen awake now and then.
constexpr uint64_t kRest = 3;

constexpr const char* kFix =
    "epoll_ctl(EPOLL_CTL_ADD) what accept() returned on every path, before the loop waits again, or close() it";
constexpr const char* kListenerFix =
    "epoll_ctl(EPOLL_CTL_ADD) the listener for EPOLLIN before the loop waits, and look at what the call returns";

Entry entry_of(const unregistered_socket& s)
{
    Entry entry{};
    entry.file_id = entry.key.file = s.file;
    entry.key.fd = entry.file.fd = s.fd;
    entry.file.kind = s.kind;
    entry.file.ino = s.ino;
    entry.file.tgid = s.tgid;
    entry.state = s.state;
    entry.name = s.name;
    return entry;
}

bool is_listener(const unregistered_socket& s) { return s.kind == FILE_LISTENER; }

// The loop that would have told of it: one of its process where there is one.
uint64_t loop_of(const Snapshot& books, uint32_t tgid)
{
    uint64_t any = 0;
    for (const auto& [tid, thread] : books.threads) {
        if (!thread.waiting)
            continue;
        if (thread.tgid == tgid)
            return thread.epoll;
        any = thread.epoll;
    }
    return any;
}

uint64_t waits_of(const Snapshot& books, uint32_t tgid)
{
    const epoll_row* epoll = books.epoll(loop_of(books, tgid));
    return epoll ? epoll->waits : 0;
}

bool sleeps_without_end(const Snapshot& books, uint32_t tgid)
{
    return std::all_of(books.threads.begin(), books.threads.end(), [&](const auto& thread) {
        const thread_row& t = thread.second;
        return t.tgid != tgid || !t.waiting || t.timeout_ms < 0;
    });
}

bool asked_somebody(const Snapshot& books, uint32_t tgid, uint64_t since)
{
    return std::any_of(books.threads.begin(), books.threads.end(), [&](const auto& thread) {
        const thread_row& t = thread.second;
        return t.tgid == tgid && t.wrote_at && t.wrote_at + kAskedNs > since;
    });
}

bool holds_streams(const Snapshot& books)
{
    return std::any_of(books.epolls.begin(), books.epolls.end(),
                       [](const auto& epoll) { return epoll.second.flags & EPOLL_STREAM; });
}

std::string awake_text(const unregistered_socket& s)
{
    if (s.awake_call < 0)
        return "a thread of those that have it is at work";
    return fmt::format("a thread of those that have it is in {}, and may come to it", system_call_name(s.awake_call));
}

}  // namespace

void Unregistered::see(const Snapshot& books, const unregistered_socket& s)
{
    Sight& sight = sights_[{s.file, s.ino}];
    if (!sight.since)
        sight.since = books.time;
    if (!sight.idle_since || s.awake) {
        sight.idle_since = books.time;
        sight.waits = waits_of(books, s.tgid);
    }
    sight.seen_at = books.time;
}

// A new look. Who came to one of them after all does not forget them.
void Unregistered::take(const RuleInfo& rule, const Snapshot& books, std::vector<Finding>& out)
{
    last_.clear();
    looked_at_ = books.time;
    for (const unregistered_socket& s : *books.unregistered) {
        if (s.flags & SOCKET_LATE) {
            late_.insert(s.tgid);
            out.push_back(withdrawal(rule, 0, s.file));
        } else {
            last_.push_back(s);
            see(books, s);
        }
    }
    std::erase_if(sights_, [&](const auto& s) { return s.second.seen_at != books.time; });
}

Doubts Unregistered::doubts_of(const Snapshot& books, const unregistered_socket& s, const Sight& sight,
                               uint64_t patience) const
{
    Doubts doubts;
    if (s.awake)
        doubts.push_back(awake_text(s));
    else if (patience_.since(s.tgid, sight.idle_since) + patience / kRest > looked_at_)
        doubts.push_back("a thread of those that have it was at work a moment ago");
    if (s.served)
        doubts.push_back("others are served: it may be waiting for its turn");
    if (s.connecting)
        doubts.push_back("a connect() of the process is in progress: it may be waiting for that");
    if (late_.count(s.tgid))
        doubts.push_back("the process came to others late");
    if (waits_of(books, s.tgid) <= sight.waits && !sleeps_without_end(books, s.tgid))
        doubt_timer(false, doubts);
    if (is_listener(s) && holds_streams(books))
        doubts.push_back("its loops have held other sockets: it may be about to begin");
    if (!is_listener(s) && asked_somebody(books, s.tgid, sight.since))
        doubts.push_back("its thread wrote to another fd since, and may be waiting for the answer");
    return doubts;
}

std::optional<Finding> Unregistered::judge(const RuleInfo& rule, const Snapshot& books, const Settings& settings,
                                           const unregistered_socket& s, FromStart& from_start)
{
    Sight& sight = sights_[{s.file, s.ino}];
    const uint64_t since = patience_.since(s.tgid, sight.since);
    const uint64_t patience = settings.ns(kUnregisteredS);
    if (!s.waiting || since + patience > looked_at_)
        return std::nullopt;
    Doubts doubts = doubts_of(books, s, sight, patience);
    const bool hangs = (s.flags & SOCKET_EARLY) && doubts.empty();
    if (s.flags & SOCKET_EARLY)
        doubts.emplace_back(kPastUnknown);
    const Entry entry = entry_of(s);
    Finding finding = begin_finding(rule, books, entry);
    finding.level = doubts.empty() ? Level::kLikely : Level::kRisk;
    finding.count = 1;
    if (const epoll_row* epoll = books.epoll(loop_of(books, s.tgid)))
        finding.epoll_fd = epoll->fd;
    finding.summary = is_listener(s)
                          ? "connections wait at a listener that is registered nowhere, and nobody accepts them"
                          : "a connection was accepted and registered nowhere, and nobody reads what it got";
    finding.shape = is_listener(s) ? "a listener, never registered" : "accepted, never registered, never read";
    finding.fix = is_listener(s) ? kListenerFix : kFix;
    if (is_listener(s))
        finding.cost.emplace_back("connections_waiting", s.state.backlog);
    else if (s.state.unread)
        finding.cost.emplace_back("unread_bytes", s.state.unread);
    const uint64_t stuck = looked_at_ - since;
    finding.cost.emplace_back("stuck_s", seconds_of(stuck));
    add_fact(finding, "untouched for", duration_text(stuck));
    add_fact(finding, "threads", fmt::format("{} asleep in epoll_wait, {} at work", s.waiting, s.awake));
    if (!doubts.empty())
        add_fact(finding, "possible explanation", doubts_text(doubts));
    if (hangs)
        from_start.mark(finding, entry);
    return finding;
}

void Unregistered::audit(const RuleInfo& rule, const Snapshot& books, const Settings& settings, FromStart& from_start,
                         std::vector<Finding>& out)
{
    patience_.look(books);
    if (!books.processes.empty())  // a log names them at its end
        std::erase_if(late_, [&](uint32_t pid) { return !books.processes.count(pid); });
    if (books.unregistered)
        take(rule, books, out);
    std::vector<Finding> found;
    std::map<uint32_t, unsigned> sure;
    for (const unregistered_socket& s : last_) {
        if (books.stopped(s.tgid))
            continue;
        if (auto finding = judge(rule, books, settings, s, from_start)) {
            sure[s.tgid] += finding->level == Level::kLikely && !is_listener(s);
            found.push_back(std::move(*finding));
        }
    }
    for (Finding& finding : found) {
        if (finding.level == Level::kLikely && sure[finding.pid] >= settings[kSockets])
            finding.level = Level::kConfirmed;
        out.push_back(std::move(finding));
    }
}

}  // namespace epaudit
