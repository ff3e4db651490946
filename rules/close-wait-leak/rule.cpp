// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/growth.h"
#include "rules/spin.h"
#include "rules/stuck.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit::close_wait_leak {
namespace {

constexpr uint32_t kWindows = 3;
// By default EP203 speaks from then on; a spin that young is not yet a leak either.
constexpr auto kSpins = static_cast<uint32_t>(kSpinReturns.defaults.production);

constexpr Threshold kLeakS{"leak_s",
                           {300, 2, Unit::kSeconds},
                           "seconds since the program learnt of the peer's close, and since it last sent anything",
                           {"long answers to half-closed clients are accused", "leaks are told later"},
                           kPatience};
constexpr Threshold kSockets{"sockets",
                             {10, 10, Unit::kCount},
                             "such sockets in one process from which it is a leak",
                             {"a few slow handlers are accused", "small leaks are missed"}};
constexpr Threshold kResets{"resets",
                            {3, 3, Unit::kCount},
                            "the same, of sockets that a reset has ended",
                            {"a socket about to be closed is accused", "small leaks are missed"}};
constexpr Threshold kBurstS{
    "burst_s",
    {1800, 4, Unit::kSeconds},
    "seconds after which so many are a leak though the number does not grow, if nobody can have them",
    {"long work on many clients is accused", "leaks in one burst are told later"}};
constexpr Threshold kWindowS{"window_s",
                             {60, 1, Unit::kSeconds},
                             "seconds of one window; the number must grow in 3 in a row while the old ones stay",
                             {"a passing rise counts as growth", "leaks are told later"}};

const RuleInfo kInfo{"EP302",
                     "close-wait-leak",
                     "EOF known, socket never closed; CLOSE_WAIT grows",
                     Level::kConfirmed,
                     {kLeakS, kSockets, kResets, kBurstS, kHandoffTurnS, kWindowS},
                     {Seam::kState},
                     "sockets that were never registered with an epoll since the audit began",
                     {StackRole::kRead, StackRole::kArmed}};

bool knows_and_keeps(const Entry& entry)
{
    const file_row& f = entry.file;
    bool registered = f.armed_at || (f.flags & FILE_SEEDED);  // at some time: others have a row from connect() on
    if (!f.eof_at || !registered)
        return false;
    if (f.kind == FILE_TCP)
        return entry.state.sk_state == SK_CLOSE_WAIT ||
               (entry.state.sk_state == SK_CLOSE && (f.flags & FILE_SHUT_WRITE));
    return f.kind == FILE_UNIX && (entry.state.flags & STATE_STREAM) && (entry.state.flags & STATE_RCV_SHUTDOWN);
}

// The newest read or write, as far as the flight recorder reaches; 0: none.
struct LastCall {
    uint8_t kind = 0;
    int32_t result = 0;
};

LastCall last_call(const file_row& f)
{
    const uint32_t held = std::min<uint32_t>(f.flight_next, FLIGHT_SLOTS);
    for (uint32_t back = 1; back <= held; back++) {
        uint64_t posting = f.flight[(f.flight_next - back) & (FLIGHT_SLOTS - 1)];
        uint8_t kind = static_cast<uint8_t>(flight_kind(posting));
        if (kind == POSTING_READ || kind == POSTING_WRITE)
            return {kind, static_cast<int32_t>(flight_value(posting))};
    }
    return {};
}

// The peer may have ended its half only; of a reset nothing is left, and the program's own call has said so.
bool was_reset(const Entry& entry)
{
    const file_row& f = entry.file;
    if (f.kind != FILE_TCP || !f.armed_at || entry.state.sk_state != SK_CLOSE)
        return false;
    const int32_t result = last_call(f).result;
    return result == -ECONNRESET || result == -EPIPE || result == -ETIMEDOUT;
}

// Its own call said so, not an event that it may have no use for; and nobody else can have been given it: it came to the
// thread that accepted and read it, which woke nobody, writes to nobody else, and waits again.
bool nobody_has(const Snapshot& books, const Entry& entry, uint64_t turn)
{
    const file_row& f = entry.file;
    const bool reset = was_reset(entry);
    const uint64_t told = reset ? f.last_at : f.attempt_at;
    const bool by_write = reset && last_call(f).kind == POSTING_WRITE;
    const thread_row* thread = books.thread(by_write ? f.last_write_tid : f.last_read_tid);
    if (!thread || !(f.flags & FILE_ACCEPTED) || thread->wrote_at || thread->wait_at < told)
        return false;
    if (!reset && (!f.eofs || f.out_cut_at || output_pending(entry)))
        return false;
    Doubts doubts;
    doubt_handoff(*thread, told, turn, doubts);
    return doubts.empty();
}

bool spins(std::span<const Entry> file)
{
    return std::any_of(file.begin(), file.end(), [](const Entry& e) {
        return e.registration.run >= kSpins || e.registration.best_run >= kSpins;
    });
}

class CloseWaitLeak : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }
    bool outlives_books() const override { return true; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        patience_.look(books);
        std::map<uint32_t, std::vector<const Entry*>> kept;
        std::map<uint32_t, Members> members;
        for (const auto& [pid, process] : books.processes)
            members[pid];
        for (std::span<const Entry> file : books.neighbours().files_with(kTraitEnded)) {
            const Entry& entry = file.front();
            if (!(knows_and_keeps(entry) || was_reset(entry)) || spins(file) || books.stopped(entry.file.tgid) ||
                since(entry) + settings.ns(kLeakS) > books.time)
                continue;
            if (!was_reset(entry))
                members[entry.file.tgid].insert({entry.file_id, entry.file.ino});
            kept[entry.file.tgid].push_back(&entry);
        }
        growth_.note(members, books.time, settings.ns(kWindowS));
        note_late(kept);
        if (!books.processes.empty())  // a log names them at its end
            std::erase_if(late_, [&](uint32_t pid) { return !books.processes.count(pid); });
        for (auto& [pid, entries] : kept)
            report(books, pid, entries, settings, out);
        told_.settle();
    }

private:
    uint64_t since(const Entry& entry) const
    {
        const file_row& f = entry.file;
        return patience_.since(f.tgid, std::max({f.eof_at, f.wrote_at, was_reset(entry) ? f.last_at : 0}));
    }

    // Those that were kept for leak_s and are closed after all: the process takes its time, and may be taking it now.
    void note_late(const std::map<uint32_t, std::vector<const Entry*>>& kept)
    {
        std::map<uint32_t, Members> now;
        for (const auto& [pid, entries] : kept)
            for (const Entry* entry : entries)
                now[pid].insert({entry->file_id, entry->file.ino});
        for (const auto& [pid, members] : kept_then_) {
            auto still = now.find(pid);
            for (const Member& member : members)
                if (still == now.end() || !still->second.count(member))
                    late_.insert(pid);
        }
        kept_then_ = std::move(now);
    }

    // So many, for so long, and nobody can have them.
    bool abandoned(const Snapshot& books, uint32_t pid, const std::vector<const Entry*>& entries, bool reset,
                   const Settings& settings) const
    {
        auto old = std::count_if(entries.begin(), entries.end(), [&](const Entry* entry) {
            return was_reset(*entry) == reset && since(*entry) + settings.ns(kBurstS) <= books.time &&
                   nobody_has(books, *entry, settings.ns(kHandoffTurnS));
        });
        return !late_.count(pid) && static_cast<double>(old) >= settings[reset ? kResets : kSockets];
    }

    void report(const Snapshot& books, uint32_t pid, const std::vector<const Entry*>& entries, const Settings& settings,
                std::vector<Finding>& out)
    {
        bool leak = static_cast<double>(entries.size()) >= settings[kSockets] && growth_.grew(pid);
        bool ended = abandoned(books, pid, entries, false, settings);
        bool resets = abandoned(books, pid, entries, true, settings);
        for (const Entry* entry : entries) {
            const bool reset = was_reset(*entry);
            const bool burst = reset ? resets : ended;
            const Level level = leak && !reset ? Level::kConfirmed : burst ? Level::kLikely : Level::kRisk;
            if (!told_.worth_saying({entry->file_id, entry->file.ino}, level, entry == entries.front()))
                continue;
            Finding finding = begin_finding(kInfo, books, *entry);
            finding.subject_epoll = 0;  // it is about the file; it may be in several epolls, or in none any more
            finding.trigger.clear();
            finding.level = level;
            finding.summary = entry->state.sk_state == SK_CLOSE && !reset ? kBothEnded : summary(level, reset);
            finding.shape = entry->key.epoll ? "still registered" : "registered nowhere any more";
            finding.count = entries.size();
            finding.fix =
                "close() the fd once read() returned 0 or EPOLLRDHUP was reported and nothing is left to send; "
                "EPOLL_CTL_DEL alone does not close it";
            uint64_t age = books.time - since(*entry);
            finding.cost.emplace_back("connections_leaked", static_cast<double>(entries.size()));
            finding.cost.emplace_back("stuck_s", seconds_of(age));
            add_fact(finding, "known", known(*entry, reset));
            add_fact(finding, "kept for", duration_text(age));
            out.push_back(std::move(finding));
        }
    }

    // shutdown() sends what close() would send, and keeps the descriptor.
    static constexpr const char* kBothEnded =
        "both sides have ended the connection, by shutdown() here, and the program keeps the socket";

    static const char* summary(Level level, bool reset)
    {
        if (reset)
            return "the connection was reset, the program was told, and keeps the socket";
        return level == Level::kConfirmed
                   ? "the program knows that its peers have closed and keeps the sockets: CLOSE_WAIT grows"
               : level == Level::kLikely ? "the program knows that its peers have closed and keeps the sockets"
                                         : "the program knows that the peer has closed and keeps the socket";
    }

    static std::string known(const Entry& entry, bool reset)
    {
        if (reset)
            return std::string(last_call(entry.file).kind == POSTING_WRITE ? "a write" : "a read") +
                   " failed: " + errno_text(last_call(entry.file).result);
        return entry.file.flags & FILE_TOLD_RDHUP ? "EPOLLRDHUP was delivered" : "read() returned 0";
    }

    Patience patience_;
    std::map<uint32_t, Members> kept_then_;
    std::set<uint32_t> late_;
    Growth growth_{kWindows, 0.9};
    Told told_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<CloseWaitLeak>(); }

}  // namespace epaudit::close_wait_leak
