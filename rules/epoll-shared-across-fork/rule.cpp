// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "src/books/describe.h"

namespace epaudit::epoll_shared_across_fork {
namespace {

constexpr Threshold kAliveS{
    "alive_s",
    {2, 0.5, Unit::kSeconds},
    "seconds after the first such deed for which who registered it must still live (a parent that "
    "forks and exits is fine)",
    {"a parent about to exit is accused", "short-lived parents are missed"}};
constexpr Threshold kBothS{"both_s",
                           {10, 1, Unit::kSeconds},
                           "seconds for which both must wait on the epoll and get events, to be likely",
                           {"a hand-over between processes is accused", "it is told later"},
                           kPatience};

const RuleInfo kInfo{
    "EP503",
    "epoll-shared-across-fork",
    "parent and child change one another's registrations",
    Level::kConfirmed,
    {kAliveS, kBothS},
    {},
    "a child that is not watched (attach without --follow-forks); registrations made before the audit began",
    {StackRole::kChanged, StackRole::kWait}};

class EpollSharedAcrossFork : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        for (const auto& [id, epoll] : books.epolls) {
            if (!judge_deed(books, id, epoll, settings, out))
                judge_waiting(books, id, epoll, settings, out);
        }
        std::erase_if(both_since_, [&](const auto& s) { return !books.epoll(s.first); });
        std::erase_if(deeds_, [&](const auto& d) {
            return !books.epoll(d.first.epoll) || !alive(books, d.first.owner) ||
                   (d.first.doer && !alive(books, d.first.doer));
        });
    }

private:
    static bool alive(const Snapshot& books, uint32_t pid)
    {
        auto at = books.processes.find(pid);
        if (!books.state_known)  // a log tells of ends, not of lives
            return at == books.processes.end() || at->second.state != RunState::kGone;
        return at != books.processes.end() &&
               (at->second.state == RunState::kAlive || at->second.state == RunState::kStopped);
    }

    struct Deed {
        uint64_t epoll = 0;
        uint32_t owner = 0, doer = 0;  // doer 0: children that are gone
        auto operator<=>(const Deed&) const = default;
    };

    // A child that has tidied up what it inherited may be gone at once: what it removed stays removed.
    static bool is_gone(const Snapshot& books, const epoll_row& e) { return !alive(books, e.foreign_tgid); }

    // How long has who registered it lived since, and who changed it? Counted from the first deed that was seen: the books
    // keep the newest, and a busy program does it all the time.
    bool outlived(const Snapshot& books, uint64_t id, const epoll_row& e, const Settings& settings)
    {
        const bool gone = is_gone(books, e);
        if (!e.foreign_at || !alive(books, e.foreign_owner) || (gone && e.foreign_kind == POSTING_DELIVERED))
            return false;
        const Deed deed{id, e.foreign_owner, gone ? 0 : e.foreign_tgid};
        return deeds_.emplace(deed, e.foreign_at).first->second + settings.ns(kAliveS) <= books.time;
    }

    // One process changed what the other had registered, or was told of a file that it does not have there.
    bool judge_deed(const Snapshot& books, uint64_t id, const epoll_row& e, const Settings& settings,
                    std::vector<Finding>& out)
    {
        if (!outlived(books, id, e, settings))
            return false;
        bool told = e.foreign_kind == POSTING_DELIVERED;
        const char* deed = e.foreign_kind == POSTING_DEL ? "removed" : "changed";
        Finding finding = begin_epoll_finding(kInfo, books, id, e.foreign_tgid);
        finding.level = is_gone(books, e) ? Level::kLikely : Level::kConfirmed;
        finding.fd.number = e.foreign_fd;
        finding.fd.kind = kind_name(e.foreign_file_kind);
        finding.summary = told ? "events of one process's file are delivered to another process, in which the fd leads "
                                 "elsewhere or nowhere"
                               : fmt::format("a process {} a registration that another process made and still uses",
                                             deed);
        finding.shape = told ? "both wait on an inherited epoll"
                             : fmt::format("epoll_ctl({}) on an inherited epoll",
                                           e.foreign_kind == POSTING_DEL ? "DEL" : "MOD");
        finding.count = e.foreign_ctls + e.strangers;
        finding.cost.emplace_back(told ? "events_lost" : "registrations_disturbed",
                                  told ? e.strangers : e.foreign_ctls);
        describe(finding, books, e);
        add_fact(finding, "registered by", name(books, e.foreign_owner));
        add_fact(finding, told ? "delivered to" : fmt::format("{} by", deed), name(books, e.foreign_tgid));
        finding.timeline.push_back(
            moment(books, e.foreign_at, e.foreign_tgid,
                   told ? fmt::format("delivered {} of fd {} of process {}", mask_text(e.foreign_result), e.foreign_fd,
                                      e.foreign_owner)
                        : fmt::format("epoll_ctl({}) on fd {}, registered by process {}",
                                      e.foreign_kind == POSTING_DEL ? "DEL" : "MOD", e.foreign_fd, e.foreign_owner)));
        out.push_back(std::move(finding));
        return true;
    }

    void judge_waiting(const Snapshot& books, uint64_t id, const epoll_row& e, const Settings& settings,
                       std::vector<Finding>& out)
    {
        std::set<uint32_t> waiting;
        for (const auto& [tid, t] : books.threads) {
            bool recent = t.waiting || t.return_at + settings.ns(kBothS) > books.time;
            if (t.epoll == id && recent && alive(books, t.tgid))
                waiting.insert(t.tgid);
        }
        if (waiting.size() < 2 || !waiting.count(e.tgid) || !e.foreign_returns || e.returns == e.foreign_returns) {
            both_since_.erase(id);
            return;
        }
        uint64_t since = both_since_.emplace(id, books.time).first->second;
        if (since + settings.ns(kBothS) > books.time)
            return;
        Finding finding = begin_epoll_finding(kInfo, books, id, e.tgid);
        finding.level = Level::kLikely;
        finding.summary = "several processes wait on one inherited epoll: each gets a part of the events of all";
        finding.shape = "both wait on an inherited epoll";
        finding.count = e.foreign_returns;
        finding.cost.emplace_back("processes_waiting", static_cast<double>(waiting.size()));
        describe(finding, books, e);
        finding.timeline.push_back(moment(books, e.created_at, 0, fmt::format("created by process {}", e.tgid)));
        finding.timeline.push_back(moment(books, since, 0, fmt::format("{} processes wait on it", waiting.size())));
        out.push_back(std::move(finding));
    }

    static std::string name(const Snapshot& books, uint32_t pid)
    {
        auto at = books.processes.find(pid);
        return fmt::format("{}[{}]", at == books.processes.end() ? "?" : at->second.comm, pid);
    }

    static void describe(Finding& finding, const Snapshot& books, const epoll_row& e)
    {
        add_fact(finding, "epoll created by", name(books, e.tgid));
        add_fact(finding, "returns with events",
                 fmt::format("{} in that process, {} in others", e.returns - e.foreign_returns, e.foreign_returns));
        finding.fix =
            "fork() first and let each process epoll_create1() its own instance; a child that inherits one close()s "
            "it and never calls epoll_ctl() or epoll_wait() on it: the interest list is shared, not copied";
    }

    std::map<uint64_t, uint64_t> both_since_;
    std::map<Deed, uint64_t> deeds_;  // when the first was seen
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<EpollSharedAcrossFork>(); }

}  // namespace epaudit::epoll_shared_across_fork
