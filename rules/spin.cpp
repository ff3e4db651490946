// SPDX-License-Identifier: Apache-2.0
#include "rules/spin.h"

#include <algorithm>

#include "bpf/ledger_limits.h"
#include "rules/evidence.h"
#include "src/books/duration.h"

namespace epaudit {
namespace {

constexpr uint32_t kInput = EV_IN | EV_RDNORM | EV_PRI;

// CPU time is the thread's own; in a run shared by several threads it cannot be compared.
bool one_thread_waits(const Snapshot& books, uint64_t epoll) { return books.loops().of(epoll).threads <= 1; }

// The end of the stream is what is reported: there is nothing else to read.
bool told_of_end(const Spin& spin)
{
    return (spin.events & (EV_IN | EV_RDNORM | EV_RDHUP)) && (spin.between & RETURN_AT_END);
}

// Most of what was reported came to a process in which the number leads elsewhere: nothing that could be done there answers
// it. That is EP503.
bool told_to_strangers(const Snapshot& books, const Entry& entry, const Spin& spin)
{
    const epoll_row* epoll = books.epoll(entry.key.epoll);
    return epoll && epoll->strangers >= LEDGER_RUN && epoll->strangers * 2ULL >= spin.returns;
}

SpinShape shape_of(const Snapshot& books, const Entry& entry, const Spin& spin)
{
    if (is_ghost(entry) && !entry.fault.ghost_used && !may_be_anothers(books, entry))
        return SpinShape::kNone;  // nobody can consume or remove it: EP303
    if (told_to_strangers(books, entry, spin))
        return SpinShape::kNone;
    if (spin.between &
        BETWEEN_READ_EOF)  // the program has read the end, again and again: what came later is the same spin
        return SpinShape::kEof;
    if (spin.events & EV_ERR)
        return SpinShape::kHupErr;
    if (told_of_end(spin))
        return SpinShape::kEof;
    if ((spin.events & EV_HUP) && !(spin.events & kInput))
        return SpinShape::kHupErr;
    if (spin.events & kInput) {
        bool starved = entry.file.kind == FILE_LISTENER && (spin.between & BETWEEN_ACCEPT_ERROR);
        return starved ? SpinShape::kNone : SpinShape::kUnread;
    }
    if (spin.events & EV_OUT)
        return SpinShape::kOut;
    return spin.events & EV_RDHUP ? SpinShape::kEof : SpinShape::kNone;
}

bool is_spin(const Snapshot& books, const Spin& spin, const Settings& settings)
{
    // Without time stamps the run itself must do: nothing legitimate was ever seen above 3 returns.
    if (!books.times_known)
        return spin.returns >= settings[kSpinReturns];
    return spin.returns >= settings[kSpinReturns] && spin.seconds >= settings[kSpinS] && spin.per_s >= settings[kPerS];
}

// Input that comes ends a run on EPOLLOUT, and so does the error of a peer that goes away: reported once, it is not
// what the loop spins on. A row counts over its life, never less than in a run.
uint32_t usual_events(const registration_row& r, const Spin& spin)
{
    auto rare = [&](uint64_t reported) { return reported * 10 < spin.returns; };
    uint32_t usual = spin.events;
    if (rare(r.delivered_in))
        usual &= ~kInput;
    if (rare(r.delivered_hup))
        usual &= ~(EV_HUP | EV_ERR);
    if (rare(r.delivered_out))
        usual &= ~EV_OUT;
    return usual ? usual : spin.events;  // a counter has wrapped
}

void measure(Spin& spin, uint64_t returns, uint64_t ns)
{
    spin.returns = returns;
    spin.seconds = seconds_of(ns);
    spin.per_s = ns ? static_cast<double>(returns) / spin.seconds : 0;
}

void describe(Spin& spin, uint64_t at, uint32_t events, const run_calls& calls)
{
    spin.at = at;
    spin.events = events;
    spin.calls = calls;
    spin.between = usual_calls(calls);
}

double share_of(uint64_t spent, uint64_t ns)
{
    const double share = ns ? static_cast<double>(spent) / static_cast<double>(ns) : 0;
    return share < 1.1 ? std::min(share, 1.0) : 0;
}

uint64_t lasted(const run_row& run) { return run.last_at > run.at ? run.last_at - run.at : 0; }

// CPU time of the thread in the newest run, as a share of a core; 0: not known.
double cpu_share(const run_row& run) { return share_of(run.spent, lasted(run)); }

void set_cpu_share(Spin& spin, const Snapshot& books, const Entry& entry, double share)
{
    if (share > 0 && one_thread_waits(books, entry.key.epoll))
        spin.cpu_share = share;
}

// run_row.at and what belongs to it stay as they were when a run ends, until the next one begins.
Spin newest_run(const Snapshot& books, const Entry& entry, uint64_t returns)
{
    const run_row& x = entry.runs;
    Spin spin;
    measure(spin, returns, lasted(x));
    describe(spin, x.at, x.events, x.calls);
    spin.running = entry.registration.run != 0;
    set_cpu_share(spin, books, entry, cpu_share(x));
    return spin;
}

Spin best_ended_run(const Snapshot& books, const Entry& entry)
{
    const registration_row& r = entry.registration;
    const run_row& x = entry.runs;
    Spin spin;
    if (!r.run && x.best_at == x.at)  // none since: its CPU time is known as well
        spin = newest_run(books, entry, r.best_run);
    measure(spin, r.best_run, x.best_ns);
    describe(spin, x.best_at, x.best_events, x.best_calls);
    spin.running = false;
    return spin;
}

// Useful work now and then (a tick, another client) breaks one spin into many runs; together they count.
Spin all_runs(const Snapshot& books, const Entry& entry)
{
    const registration_row& r = entry.registration;
    const run_row& x = entry.runs;
    Spin spin;
    measure(spin, x.futile, x.futile_ns);
    bool newest = r.run >= LEDGER_RUN || !r.best_run;
    if (newest)
        describe(spin, x.at, x.events, x.calls);
    else
        describe(spin, x.best_at, x.best_events, x.best_calls);
    spin.running = r.run != 0;
    set_cpu_share(spin, books, entry, share_of(x.futile_cpu, x.futile_ns));
    return spin;
}

Spin shaped(const Snapshot& books, const Entry& entry, Spin spin)
{
    spin.events = usual_events(entry.registration, spin);
    spin.shape = shape_of(books, entry, spin);
    return spin;
}

}  // namespace

void add_cpu_share(Finding& finding, const Entry& entry)
{
    if (double share = cpu_share(entry.runs); entry.registration.run >= LEDGER_RUN && share > 0)
        finding.cost.emplace_back("cpu_share", share);
}

std::optional<Spin> find_spin(const Snapshot& books, const Entry& entry, const Settings& settings)
{
    // Asked of each registration at each look, by several rules: of most it is plain.
    const registration_row& r = entry.registration;
    if (!entry.key.epoll || std::max<uint64_t>({r.run, r.best_run, entry.runs.futile}) < settings[kSpinReturns])
        return std::nullopt;
    Spin now = newest_run(books, entry, entry.registration.run);
    Spin spin = is_spin(books, now, settings) ? now : best_ended_run(books, entry);
    if (!is_spin(books, spin, settings))
        spin = all_runs(books, entry);
    if (!is_spin(books, spin, settings))
        return std::nullopt;
    return shaped(books, entry, spin);
}

std::optional<Spin> find_passing_spin(const Snapshot& books, const Passed& sum, const Settings& settings)
{
    if (!sum.is_habit(books))
        return std::nullopt;
    Spin spin = all_runs(books, sum.example);
    measure(spin, static_cast<uint64_t>(sum.returns), sum.ns);
    spin.running = false;
    spin.ones = sum.ones;
    if (spin.cpu_share >= 0 && sum.ns)
        spin.cpu_share = std::min(static_cast<double>(sum.cpu_ns) / static_cast<double>(sum.ns), 1.0);
    return is_spin(books, spin, settings) ? std::optional(shaped(books, sum.example, spin)) : std::nullopt;
}

namespace {

// So many times what makes a run, and nearly all the time that was watched: a spin, if it had been watched for longer.
constexpr double kManyRuns = 10, kBriefWatch = 3;

}  // namespace

std::optional<Spin> find_brief_spin(const Snapshot& books, const Entry& entry, const Settings& settings)
{
    if (!entry.key.epoll || books.more_follow || !books.times_known || books.time <= books.began)
        return std::nullopt;
    Spin spin = all_runs(books, entry);
    const double watched = seconds_of(books.time - books.began);
    if (watched > kBriefWatch * settings[kSpinS] || spin.returns < kManyRuns * settings[kSpinReturns] ||
        spin.returns < settings[kPerS] * watched)
        return std::nullopt;
    return shaped(books, entry, spin);
}

SpinShape shape_so_far(const Snapshot& books, const Entry& entry)
{
    return shaped(books, entry, all_runs(books, entry)).shape;
}

}  // namespace epaudit
