// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "rules/catalogue.h"
#include "rules/evidence.h"

namespace epaudit::epoll_fd_leaked {
namespace {

// Many programs close what they were not meant to have as the first thing they do, and only a look tells.
constexpr uint64_t kGraceNs = 500 * NSEC_PER_MSEC;

constexpr Threshold kLeaks{"leaks",
                           {1, 1, Unit::kCount},
                           "programs that were started with the epoll fd open",
                           {"below 1 is the same as 1", "a program that starts few others goes unmentioned"}};

const RuleInfo kInfo{"EP603",
                     "epoll-fd-leaked",
                     "epoll fd without CLOEXEC survived exec",
                     Level::kRisk,
                     {kLeaks},
                     {},
                     "children that are not watched (attach without --follow-forks)",
                     {StackRole::kCreated}};

class EpollFdLeaked : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        for (const auto& [id, e] : books.epolls) {
            uint32_t asked = e.leaks && e.leaked_at + kGraceNs > books.time ? e.leaks - 1 : e.leaks;
            if (!asked || asked < settings[kLeaks])
                continue;
            auto heir = books.processes.find(e.leaked_tgid);
            std::string program = heir == books.processes.end() ? "" : heir->second.comm;
            Finding finding = begin_epoll_finding(kInfo, books, id, e.tgid);
            finding.level = Level::kRisk;
            finding.summary =
                "the epoll fd stayed open across exec: another program was given it, and with it every registration";
            finding.shape = "created without EPOLL_CLOEXEC";
            finding.count = e.leaks;
            finding.cost.emplace_back("programs_holding_it", e.leaks);
            add_fact(finding, "inherited by",
                     fmt::format("{}[{}], as fd {}", program.empty() ? "?" : program, e.leaked_tgid, e.leaked_fd));
            finding.timeline.push_back(moment(books, e.created_at, 0, fmt::format("created by process {}", e.tgid)));
            finding.timeline.push_back(
                moment(books, e.leaked_at, e.leaked_tgid,
                       fmt::format("exec in process {}, with the epoll open as fd {}", e.leaked_tgid, e.leaked_fd)));
            finding.fix = "create it with epoll_create1(EPOLL_CLOEXEC)";
            out.push_back(std::move(finding));
        }
    }
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<EpollFdLeaked>(); }

}  // namespace epaudit::epoll_fd_leaked
