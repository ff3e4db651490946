// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "src/books/describe.h"

namespace epaudit::stale_event {
namespace {

constexpr Threshold kFailed{"failed",
                            {2, 2, Unit::kCount},
                            "calls on such an fd that failed with EBADF or ENOTSOCK, to be confirmed",
                            {"a single failed call confirms it", "real cases stay a risk"}};

const RuleInfo kInfo{
    "EP504",
    "stale-event",
    "an event of a batch is handled after its fd was closed",
    Level::kConfirmed,
    {kFailed},
    {},
    "stale pointers (data.ptr used after free), and a number that was reused for another socket in between",
    {StackRole::kStale, StackRole::kWait}};

const char* call_of(uint8_t kind)
{
    return kind == POSTING_WRITE ? "write" : kind == POSTING_ACCEPT ? "accept" : "read";
}

class StaleEvent : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        for (const auto& [id, e] : books.epolls) {
            if (e.stale_ios)
                out.push_back(describe(books, id, e, settings));
        }
    }

private:
    static Finding describe(const Snapshot& books, uint64_t id, const epoll_row& e, const Settings& settings)
    {
        const thread_row* thread = books.thread(e.stale_tid);
        Finding finding = begin_epoll_finding(kInfo, books, id, thread ? thread->tgid : e.tgid);
        finding.level = e.stale_ios >= settings[kFailed] ? Level::kConfirmed : Level::kRisk;
        finding.fd.number = e.stale_fd;
        finding.summary = "an event was handled after its fd had been closed earlier in the same batch";
        finding.shape = fmt::format("delivered, closed unhandled, then {} = {}", call_of(e.stale_kind),
                                    errno_text(e.stale_errno));
        finding.count = e.stale_ios;
        finding.cost.emplace_back("failed_calls", e.stale_ios);
        add_fact(finding, "danger", "had the number been reused meanwhile, the call would have hit another file");
        finding.timeline.push_back(moment(books, e.stale_told_at, e.stale_tid,
                                          fmt::format("epoll_wait returned, with an event for fd {}", e.stale_fd)));
        finding.timeline.push_back(
            moment(books, e.stale_closed_at, 0,
                   fmt::format("fd {} removed or closed, its event not yet handled", e.stale_fd)));
        finding.timeline.push_back(
            moment(books, e.stale_at, e.stale_tid,
                   fmt::format("{}({}) = {}", call_of(e.stale_kind), e.stale_fd, errno_text(e.stale_errno))));
        finding.fix =
            "when a handler closes another fd, forget its events in the rest of the batch: mark the connection dead "
            "and "
            "close it after the batch, or keep a generation number in epoll_event.data and compare it";
        return finding;
    }
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<StaleEvent>(); }

}  // namespace epaudit::stale_event
