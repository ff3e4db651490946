// SPDX-License-Identifier: Apache-2.0
// Two ways to know: calls on the file slept and came back, or one sleeps right now.
#include <fmt/format.h>

#include <algorithm>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/stuck.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit::et_blocking_fd {
namespace {

constexpr Threshold kSleeps{"sleeps",
                            {2, 2, Unit::kCount},
                            "calls on one fd that slept 10 ms and more, to be confirmed",
                            {"a single short sleep confirms it", "rare sleeps stay unconfirmed"}};
constexpr Threshold kHangS{"hang_s",
                           {1, 1, Unit::kSeconds},
                           "seconds that a single call must sleep, to be confirmed by itself",
                           {"one short sleep confirms it", "hangs are confirmed later"},
                           kPatience};

const RuleInfo kInfo{
    "EP103",
    "et-blocking-fd",
    "edge-triggered on a blocking fd: the drain loop hangs the thread",
    Level::kConfirmed,
    {kSleeps, kHangS},
    {},
    "calls by threads that do not wait on the fd's epoll; with trampoline probes also Unix streams and pipes",
    {StackRole::kRead, StackRole::kArmed}};

constexpr const char* kFix =
    "make the fd non-blocking before EPOLL_CTL_ADD with EPOLLET: accept4(SOCK_NONBLOCK), socket(SOCK_NONBLOCK) or "
    "fcntl(F_SETFL, O_NONBLOCK); or drop EPOLLET and make one call per event";

struct Hang {
    uint64_t ns = 0;
    uint32_t tid = 0;
};

class EtBlockingFd : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        patience_.look(books);
        for (const Entry* entry : books.neighbours().with(kTraitSlept))
            judge(books, *entry, hang_of(books, *entry), settings, out);
        for (const Entry& entry : books.buried)
            judge(books, entry, {}, settings, out);
    }

private:
    Hang hang_of(const Snapshot& books, const Entry& entry) const
    {
        Hang worst;
        for (const uint32_t tid : books.loops().in_call(entry.file_id)) {
            const thread_row& t = *books.thread(tid);
            if (t.epoll != entry.key.epoll || books.stopped(t.tgid))
                continue;
            uint64_t since = patience_.since(t.tgid, t.call_at);
            if (books.time > since && books.time - since > worst.ns)
                worst = {books.time - since, tid};
        }
        return worst;
    }

    // A pool in which each thread has its fd to itself and the others go on waiting may well read at leisure.
    static bool others_serve(const Snapshot& books, const Entry& entry)
    {
        return books.loops().of(entry.key.epoll).threads > 1;
    }

    static void judge(const Snapshot& books, const Entry& entry, const Hang& hang, const Settings& settings,
                      std::vector<Finding>& out)
    {
        const file_row& f = entry.file;
        const fault_row& x = entry.fault;
        bool hangs = hang.ns >= settings.ns(kHangS);  // one that began just now may still find data
        if (!x.sleep_calls || !(entry.registration.mask & EV_ET) || entry.key.epoll != f.home ||
            (f.flags & FILE_NONBLOCK))
            return;
        uint64_t longest = std::max(x.slept_ns, hangs ? hang.ns : 0);
        uint64_t sleeps = x.sleeps + hangs;
        bool filled = f.last_read > 0 && static_cast<uint32_t>(f.last_read) == f.last_asked;
        if (!sleeps && !filled)
            return;
        bool owned = (entry.registration.mask & EV_ONESHOT) && others_serve(books, entry);
        const Loop& loop = books.loops().of(entry.key.epoll);
        // One that has not waited since the observation began was taken for the loop because nobody else was there.
        bool elsewhere = loop.polled && loop.guessed;
        bool guessed = (f.flags & FILE_SEEDED) && !loop.polled;
        Level sure = sleeps >= settings[kSleeps] || longest >= settings.ns(kHangS) ? Level::kConfirmed : Level::kLikely;
        Finding finding = begin_finding(kInfo, books, entry);
        finding.level = !sleeps || owned || elsewhere ? Level::kRisk : guessed ? Level::kLikely : sure;
        describe(finding, books, entry, sleeps, longest, hangs ? hang.tid : 0);
        if (owned)
            add_fact(finding, "possible explanation",
                     "EPOLLONESHOT: the thread has the fd to itself, and others wait meanwhile");
        else if (elsewhere)
            add_fact(finding, "possible explanation",
                     "its thread was never seen to wait on the epoll, and another one does");
        out.push_back(std::move(finding));
    }

    static void describe(Finding& finding, const Snapshot& books, const Entry& entry, uint64_t sleeps, uint64_t longest,
                         uint32_t asleep)
    {
        bool accepts = entry.file.kind == FILE_LISTENER;
        finding.summary = !sleeps   ? "the fd is edge-triggered and blocking: a call too many will hang the loop"
                          : accepts ? "accept() on a blocking, edge-triggered listener hangs the loop"
                                    : "a call on a blocking, edge-triggered fd hangs the loop";
        finding.shape = asleep   ? "asleep in a call on it at the last look"
                        : sleeps ? "calls on it sleep until more arrives"
                                 : "a read filled its buffer: the next one may sleep";
        finding.count = sleeps;
        finding.fix = kFix;
        finding.cost.emplace_back("longest_hang_s", seconds_of(longest));
        add_fact(finding, "O_NONBLOCK", "not set");
        if (sleeps)
            add_fact(finding, "slept",
                     fmt::format("{} call{} of at least 10 ms, the longest {}", sleeps, sleeps == 1 ? "" : "s",
                                 duration_text(longest)));
        const thread_row* t = asleep ? books.thread(asleep) : nullptr;
        if (t)
            add_fact(finding, "hangs now",
                     fmt::format("tid {} for {}", asleep, duration_text(books.time - t->call_at)));
    }

    Patience patience_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<EtBlockingFd>(); }

}  // namespace epaudit::et_blocking_fd
