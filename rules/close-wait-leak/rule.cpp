// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/growth.h"
#include "rules/spin.h"
#include "rules/stuck.h"
#include "src/books/describe.h"

namespace epaudit {
namespace {

constexpr uint8_t kCloseWait = 8;
constexpr uint32_t kWindows = 3;
constexpr uint32_t kSpins = 100;  // EP203's default; a spin that young is not yet a leak either

const RuleInfo kInfo{
    "EP302",
    "close-wait-leak",
    "EOF known, socket never closed; CLOSE_WAIT grows",
    Level::kConfirmed,
    {{"leak_s", 300, 2, "seconds since the program learnt of the peer's close, and since it last sent anything",
      kPatience},
     {"sockets", 10, 10, "such sockets in one process from which it is a leak"},
     {"window_s", 60, 1, "seconds of one window; the number must grow in 3 in a row while the old ones stay"}},
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
        return entry.state.sk_state == kCloseWait;
    return f.kind == FILE_UNIX && (entry.state.flags & STATE_STREAM) && (entry.state.flags & STATE_RCV_SHUTDOWN);
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

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        patience_.look(books);
        std::map<uint32_t, std::vector<const Entry*>> kept;
        std::map<uint32_t, Members> members;
        for (const auto& [pid, process] : books.processes)
            members[pid];
        for (std::span<const Entry> file : by_file(books.entries)) {
            const Entry& entry = file.front();
            if (!knows_and_keeps(entry) || spins(file) || books.stopped(entry.file.tgid) ||
                since(entry) + settings.ns("leak_s") > books.time)
                continue;
            members[entry.file.tgid].insert({entry.file_id, entry.file.ino});
            kept[entry.file.tgid].push_back(&entry);
        }
        for (auto& [pid, group] : members)
            growth_.note(pid, group, books.time, settings.ns("window_s"));
        for (auto& [pid, entries] : kept)
            report(books, pid, entries, settings, out);
    }

private:
    uint64_t since(const Entry& entry) const
    {
        return patience_.since(entry.file.tgid, std::max(entry.file.eof_at, entry.file.wrote_at));
    }

    void report(const Snapshot& books, uint32_t pid, const std::vector<const Entry*>& entries, const Settings& settings,
                std::vector<Finding>& out)
    {
        bool leak = static_cast<double>(entries.size()) >= settings["sockets"] && growth_.grew(pid);
        Level level = leak ? Level::kConfirmed : Level::kRisk;
        for (const Entry* entry : entries) {
            if (!told_.worth_saying({entry->file_id, entry->file.ino}, level, entry == entries.front()))
                continue;
            Finding finding = begin_finding(kInfo, books, *entry);
            finding.subject_epoll = 0;  // it is about the file; it may be in several epolls, or in none any more
            finding.trigger.clear();
            finding.level = level;
            finding.summary =
                leak ? "the program knows that its peers have closed and keeps the sockets: CLOSE_WAIT grows"
                     : "the program knows that the peer has closed and keeps the socket";
            finding.shape = entry->key.epoll ? "still registered" : "registered nowhere any more";
            finding.count = entries.size();
            finding.fix =
                "close() the fd once read() returned 0 or EPOLLRDHUP was reported and nothing is left to send; "
                "EPOLL_CTL_DEL alone does not close it";
            uint64_t age = books.time - since(*entry);
            finding.cost.emplace_back("connections_leaked", static_cast<double>(entries.size()));
            finding.cost.emplace_back("stuck_s", static_cast<double>(age) / NSEC_PER_SEC);
            add_fact(finding, "known",
                     entry->file.flags & FILE_TOLD_RDHUP ? "EPOLLRDHUP was delivered" : "read() returned 0");
            add_fact(finding, "kept for", duration_text(age));
            out.push_back(std::move(finding));
        }
    }

    Patience patience_;
    Growth growth_{kWindows, 0.9};
    Told told_;
};

}  // namespace

std::unique_ptr<Rule> make_close_wait_leak() { return std::make_unique<CloseWaitLeak>(); }

}  // namespace epaudit
