// SPDX-License-Identifier: Apache-2.0
#include "rules/stuck.h"

#include <fmt/format.h>

#include <algorithm>

#include "rules/evidence.h"
#include "src/books/describe.h"

namespace epaudit {
namespace {

// Entries that no audit has asked about for this long are forgotten.
constexpr uint64_t kForgetNs = 60 * NSEC_PER_SEC;

constexpr const char* kUnanswered = "the program leaves edges unanswered on purpose";

// Healthy files are not in the snapshot: what cannot be seen to have answered has not.
bool answered(const Snapshot& books, uint64_t file, uint64_t asked_at)
{
    const std::vector<const Entry*> all = books.of_file(file);
    return std::any_of(all.begin(), all.end(), [&](const Entry* e) { return e->file.consumed_at > asked_at; });
}

}  // namespace

void doubt_ignored_edges(const Snapshot& books, const Entry& entry, Doubts& doubts)
{
    if (entry.file.ignored_edges)
        doubts.push_back(kUnanswered);
    else
        doubt_others_ignored(books, entry, doubts);
}

void doubt_others_ignored(const Snapshot& books, const Entry& entry, Doubts& doubts)
{
    if (books.neighbours().others_ignored(entry.key.epoll, entry.file_id))
        doubts.push_back(kUnanswered);
}

void doubt_eventless_io(const Snapshot& books, const Entry& entry, Doubts& doubts)
{
    const epoll_row* epoll = books.epoll(entry.key.epoll);
    if (!epoll || epoll->eventless_io || entry.file.eventless_io)
        doubts.push_back("the program reads without being told: it remembers readiness by itself");
}

void doubt_blocked_output(const Snapshot& books, const Entry& entry, Doubts& doubts)
{
    if (books.neighbours().output_pending_in(entry.file.tgid))
        doubts.push_back("output of the process is blocked: it may be holding input back");
}

void doubt_handoff(const thread_row& thread, uint64_t touched, uint64_t turn, Doubts& doubts)
{
    if (thread.handoff_at >= touched && thread.handoff_at - touched <= turn)
        doubts.push_back("its thread woke another thread since, which may hold the fd");
}

void doubt_timer(bool timer_gone, Doubts& doubts)
{
    if (!timer_gone)
        doubts.push_back("the loop waits with a timeout: a timer may come back for it");
}

void doubt_dependency(const Snapshot& books, const Entry& entry, uint64_t touched, uint64_t turn, Doubts& doubts)
{
    const thread_row* thread = books.thread(last_reader(entry));
    if (!thread) {
        doubts.push_back("what the thread that last handled it is doing is not known");
        return;
    }
    doubt_handoff(*thread, touched, turn, doubts);
    if (thread->wrote_at >= touched && thread->wrote_at - touched <= turn && thread->wrote_file != entry.file_id &&
        !answered(books, thread->wrote_file, thread->wrote_at))
        doubts.push_back("its thread wrote to another fd since, and may be waiting for the answer");
}

void doubt_peeked(const Entry& entry, Doubts& doubts)
{
    if (entry.file.flags & FILE_PEEKED)
        doubts.push_back("the program looked at the input and left it");
}

std::string doubts_text(const Doubts& doubts) { return fmt::format("{}", fmt::join(doubts, "; ")); }

uint32_t last_reader(const Entry& entry)
{
    return entry.file.attempt_at ? entry.file.last_read_tid : entry.registration.delivered_tid;
}

uint32_t last_toucher(const Entry& entry)
{
    const file_row& f = entry.file;
    if (std::max(f.attempt_at, f.wrote_at) <= f.armed_at)
        return entry.registration.ctl_tid;
    return f.attempt_at >= f.wrote_at ? f.last_read_tid : f.last_write_tid;
}

bool serves_loop(const Snapshot& books, uint32_t tid, uint64_t epoll)
{
    const thread_row* thread = books.thread(tid);
    return thread && thread->epoll == epoll;
}

bool past_known(const Entry& entry) { return entry.registration.tgid || entry.registration.delivered_at; }

bool untouched_from_start(const Entry& entry)
{
    const registration_row& r = entry.registration;
    const file_row& f = entry.file;
    return (r.flags & REGISTRATION_SEEDED) && !r.delivered_at && !r.mods && !f.attempt_at && !f.wrote_at;
}

bool asks_for_edges(const Entry& entry) { return (entry.live_mask & EV_ET) && (entry.live_mask & (EV_IN | EV_RDNORM)); }

bool sole_registration(const Snapshot& books, const Entry& entry)
{
    if (entry.chain == 1)
        return true;  // the kernel knows no other, and hardly any file has one
    size_t seen = 0;
    uint32_t chain = 0;
    for (const Entry* other : books.of_file(entry.file_id)) {
        seen++;
        chain = std::max(chain, other->chain);
    }
    return seen == 1 && chain <= 1;
}

bool none_tells_again(const Snapshot& books, const Entry& entry)
{
    if (entry.chain == 1)
        return entry.key.epoll != 0;
    const std::vector<const Entry*> all = books.of_file(entry.file_id);
    auto has_told = [&](const Entry& other) {
        const epoll_row* epoll = books.epoll(other.key.epoll);
        const uint64_t told = other.registration.delivered_at;
        return told && epoll && (epoll->polled_at > told || books.waiters(other.key.epoll));
    };
    return std::all_of(all.begin(), all.end(), [&](const Entry* other) {
        if (!other->key.epoll || other->chain > all.size())
            return false;
        return other == &entry || ((other->live_mask & EV_ET) && !other->ready &&
                                   !(other->registration.flags & REGISTRATION_FIRED) && has_told(*other));
    });
}

void Stalls::remember(const Entry& entry)
{
    subjects_.try_emplace({entry.key.epoll, entry.file_id}, next_++);
    if (subjects_.size() <= kMost)
        return;
    std::vector<uint64_t> ages;
    ages.reserve(subjects_.size());
    for (const auto& [subject, age] : subjects_)
        ages.push_back(age);
    const auto middle = ages.begin() + static_cast<std::ptrdiff_t>(ages.size() / 2);
    std::nth_element(ages.begin(), middle, ages.end());
    std::erase_if(subjects_, [&](const auto& subject) { return subject.second < *middle; });
}

void Stalls::take_back(const RuleInfo& rule, const Snapshot& books, std::vector<Finding>& out, bool writes)
{
    // Epoll by epoll: there may be thousands of one.
    for (auto at = subjects_.begin(); at != subjects_.end();) {
        const uint64_t id = at->first.first;
        const auto end = subjects_.upper_bound({id, UINT64_MAX});
        const epoll_row* epoll = books.epoll(id);  // none: nobody can prove anything on it any more
        const bool proven = epoll && (writes ? epoll->eventless_writes : epoll->eventless_io);
        if (proven)
            for (auto one = at; one != end; ++one)
                out.push_back(withdrawal(rule, id, one->first.second));
        at = !epoll || proven ? subjects_.erase(at, end) : end;
    }
}

void Stalls::take_back(const RuleInfo& rule, uint64_t epoll, std::vector<Finding>& out)
{
    const auto from = subjects_.lower_bound({epoll, 0}), to = subjects_.upper_bound({epoll, UINT64_MAX});
    for (auto one = from; one != to; ++one) {
        out.push_back(withdrawal(rule, epoll, one->first.second));
        out.back().level = Level::kConfirmed;
    }
    subjects_.erase(from, to);
}

namespace {

size_t mixed(size_t hash, uint64_t with) { return (hash ^ std::hash<uint64_t>()(with)) * 0x9e3779b97f4a7c15ULL; }

}  // namespace

size_t Repeats::Hash::operator()(const Subject& subject) const
{
    const auto& [epoll, file, inode, pid] = subject;
    return mixed(mixed(mixed(mixed(0, epoll), file), inode), pid);
}

void Repeats::begin()
{
    if (said_.size() > 2 * now_ + 64)
        said_.erase_if([this](const Said& said) { return said.audit != audit_; });
    said_.begin();
    audit_++;
    now_ = 0;
}

bool Repeats::same(const Snapshot& books, const Entry& entry, Level level, const Doubts& doubts, uint64_t more)
{
    const auto process = books.processes.find(entry.file.tgid);
    size_t said = mixed(mixed(static_cast<size_t>(level), entry.state.unread), more);
    said = mixed(mixed(said, entry.file.rescues), entry.live_mask);
    said = mixed(said, process != books.processes.end() && !process->second.exe.empty());
    for (const std::string& doubt : doubts)
        said = mixed(said, std::hash<std::string>()(doubt));
    const Subject subject{entry.key.epoll, entry.file_id, entry.file.ino, entry.file.tgid};
    Said& last = said_[subject];
    if (last.audit != audit_) {  // a file may be registered under several numbers
        last = {0, last.what, last.audit + 1 == audit_, audit_};
        now_++;
    }
    last.what = said;
    return books.more_follow && last.was_said && last.before == said;
}

void FromStart::mark(Finding& finding, const Entry& entry, const char* has)
{
    still(entry);
    std::string waits = has ? has : waiting_text(entry);
    finding.inconclusive = {
        Inconclusive::kHungFromStart,
        fmt::format("fd {} ({}) has {}, untouched since the observation began ({})", entry.key.fd,
                    kind_name(entry.file.kind), waits.empty() ? "a peer that closed" : waits, finding.rule),
        "watch the program from its start by `epaudit run`, or attach before it hangs"};
}

void FromStart::settle(const RuleInfo& rule, const Snapshot& books, size_t first, std::vector<Finding>& out)
{
    std::vector<Finding> over;
    for (const auto& [epoll, file, pid] : before_) {
        auto process = books.processes.find(pid);  // one that ends does not wake up by it
        bool lives = process != books.processes.end() && process->second.state != RunState::kGone;
        if (lives && !marked_.count({epoll, file, pid}))
            over.push_back(withdrawal(rule, epoll, file));
    }
    out.insert(out.begin() + static_cast<std::ptrdiff_t>(first), std::make_move_iterator(over.begin()),
               std::make_move_iterator(over.end()));
    before_ = std::exchange(marked_, {});
}

size_t Patience::Hash::operator()(const Place& place) const
{
    const auto& [epoll, file, fd] = place;
    return mixed(mixed(mixed(0, epoll), file), static_cast<uint64_t>(fd));
}

void Patience::look(const Snapshot& books)
{
    for (const auto& [pid, process] : books.processes) {
        if (process.state == RunState::kStopped)
            stopped_at_[pid] = books.time;
    }
    std::set<uint32_t> known;
    for (const auto& [tid, thread] : books.threads) {
        known.insert(thread.tgid);
        if (thread.stopped_at)
            stopped_at_[thread.tgid] = std::max(stopped_at_[thread.tgid], thread.stopped_at);
    }
    std::erase_if(stopped_at_, [&](const auto& stopped) {
        return !books.processes.count(stopped.first) && !known.count(stopped.first);
    });
    sights_.begin();
    if (forgot_at_ + kForgetNs / 4 > books.time)
        return;
    forgot_at_ = books.time;
    sights_.erase_if([&](const Sight& sight) { return sight.seen_at + kForgetNs < books.time; });
}

uint64_t Patience::since(uint32_t tgid, uint64_t at) const
{
    auto stopped = stopped_at_.find(tgid);
    return stopped == stopped_at_.end() ? at : std::max(at, stopped->second);
}

bool Patience::no_timer_pending(const Snapshot& books, const Entry& entry, uint64_t mark)
{
    const epoll_row* epoll = books.epoll(entry.key.epoll);
    if (!epoll)
        return false;
    Sight& sight = sights_[Place{entry.key.epoll, entry.file_id, entry.key.fd}];
    if (sight.mark != mark)
        sight = {mark, epoll->waits, 0};
    sight.seen_at = books.time;
    if (epoll->waits > sight.waits)
        return true;
    return !books.loops().of(entry.key.epoll).timed;
}

}  // namespace epaudit
