// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/stuck.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit::failed_epoll_ctl {
namespace {

constexpr uint32_t kInputBits = EV_IN | EV_RDNORM | EV_RDHUP;

constexpr Threshold kUnseenS{
    "unseen_s",
    {5, 1, Unit::kSeconds},
    "seconds for which readiness that was asked for in vain must have been there",
    {"a program about to try again is accused", "it is told later, and short outages not at all"},
    kPatience};
constexpr Threshold kAtOnceS{"at_once_s",
                             {1, 0.2, Unit::kSeconds},
                             "seconds after ENOSPC or ENOMEM, with the fd still open and nothing done about it",
                             {"a program about to make room is accused", "it is told later"}};
constexpr Threshold kRefusals{"refusals",
                              {100, 100, Unit::kCount},
                              "failures in a row, none of them made up for, from which it is a risk without harm",
                              {"a program that copes with failures is remarked on", "rows of failures go unmentioned"}};

const RuleInfo kInfo{"EP601",
                     "failed-epoll-ctl",
                     "an epoll_ctl failed, was not recovered from, and the fd is not reported any more",
                     Level::kConfirmed,
                     {kUnseenS, kAtOnceS, kRefusals},
                     {Seam::kState},
                     "failures on fds that are of no known kind; an fd that a thread takes up later without epoll",
                     {StackRole::kRefused, StackRole::kArmed}};

bool no_room(const fault_row& x) { return x.refused_errno == ENOSPC || x.refused_errno == ENOMEM; }

class FailedEpollCtl : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        patience_.look(books);
        repeats_.begin();
        for (std::span<const Entry> file : books.neighbours().files_with(kTraitRefused)) {
            const file_row& f = file.front().file;
            if (f.refused_at && !books.stopped(f.tgid))
                judge(books, file, settings, out);
        }
        for (const auto& [id, epoll] : books.epolls)
            judge_empty(books, id, epoll, settings, out);
    }

    Coverage coverage(const Sight& sight) const override
    {
        if (!sight.kernel_state)
            return {Status::kDegraded, "only ENOSPC, ENOMEM and repeated failures are detected: " + sight.why};
        return {};
    }

private:
    // What was asked for and no registration of the file, in whichever epoll, reports.
    static uint32_t unheard(std::span<const Entry> file)
    {
        uint32_t missing = file.front().fault.refused_mask & (kInputBits | EV_OUT);
        for (const Entry& entry : file) {
            if (!entry.key.epoll)
                continue;
            missing &= ~entry.live_mask;
            if (entry.live_mask & (EV_IN | EV_RDNORM))  // the end of the stream is reported there as well
                missing &= ~kInputBits;
        }
        return missing;
    }

    // Since when it has been true; 0: it is not.
    static uint64_t true_since(const Entry& entry, uint32_t missing)
    {
        const file_row& f = entry.file;
        if ((missing & kInputBits) && f.stuck_at && input_waits(entry))
            return std::max(f.stuck_at, f.refused_at);
        if ((missing & EV_OUT) && f.out_cut_at && (entry.state.flags & STATE_WRITABLE))
            return std::max(f.out_cut_at, f.refused_at);
        return 0;
    }

    void judge(const Snapshot& books, std::span<const Entry> file, const Settings& settings, std::vector<Finding>& out)
    {
        const Entry& entry = file.front();
        const fault_row& x = entry.fault;
        bool exclusive = x.refused_mask & EV_EXCLUSIVE;
        bool fired = false;
        for (const Entry& e : file) {
            exclusive = exclusive || (e.registration.mask & EV_EXCLUSIVE);
            fired = fired || (e.registration.flags & REGISTRATION_FIRED);
        }
        if ((x.refused_errno == EINVAL && exclusive) || fired)  // EP403, EP104
            return;
        uint32_t missing = unheard(file);
        // Registrations that the sweep did not show (it always does for such files) would be unknown.
        if (!missing || entry.chain > file.size())
            return;
        const std::optional<Level> level = level_of(books, entry, missing, settings);
        const uint64_t more = uint64_t{x.refusals} << 32 | missing;
        if (level && !repeats_.same(books, entry, *level, {}, more))
            out.push_back(describe(books, entry, missing, *level));
    }

    std::optional<Level> level_of(const Snapshot& books, const Entry& entry, uint32_t missing,
                                  const Settings& settings) const
    {
        const file_row& f = entry.file;
        uint64_t refused = patience_.since(f.tgid, f.refused_at);
        if (no_room(entry.fault) && refused + settings.ns(kAtOnceS) <= books.time)
            return Level::kConfirmed;
        uint64_t since = true_since(entry, missing);
        if (since && patience_.since(f.tgid, since) + settings.ns(kUnseenS) <= books.time)
            return Level::kConfirmed;
        return entry.fault.refusals >= settings[kRefusals] ? std::optional(Level::kRisk) : std::nullopt;
    }

    // Nothing ever got into the epoll, and its threads wait for that without end. A signal may be what they wait for, or
    // another thread that adds something later.
    void judge_empty(const Snapshot& books, uint64_t id, const epoll_row& e, const Settings& settings,
                     std::vector<Finding>& out) const
    {
        if (!books.state_known || !e.ctl_errors || e.registrations || e.removed_at || e.interrupts ||
            books.stopped(e.tgid))
            return;
        uint64_t since = 0;
        for (const auto& [tid, t] : books.threads) {
            if (t.epoll != id)
                continue;
            if (!t.waiting || t.timeout_ms >= 0)
                return;
            since = std::max(since, t.wait_at);
        }
        if (!since || patience_.since(e.tgid, since) + settings.ns(kUnseenS) > books.time)
            return;
        Finding finding = begin_epoll_finding(kInfo, books, id, e.tgid);
        finding.level = Level::kRisk;
        finding.summary = "every epoll_ctl failed, and the loop waits without a timeout on an epoll that holds nothing";
        finding.shape = finding.trigger = "waits on an empty epoll";
        finding.count = e.ctl_errors;
        finding.cost.emplace_back("waits_s", seconds_of(books.time - since));
        finding.fix =
            "check the result of epoll_ctl: EPERM says that the fd (a regular file, a directory) is always ready "
            "and needs no epoll";
        out.push_back(std::move(finding));
    }

    static Finding describe(const Snapshot& books, const Entry& entry, uint32_t missing, Level level)
    {
        const file_row& f = entry.file;
        const fault_row& x = entry.fault;
        const char* call = x.refused_kind == POSTING_ADD ? "ADD" : "MOD";
        Finding finding = begin_finding(kInfo, books, entry);
        finding.subject_epoll = 0;  // it is about the file
        finding.level = level;
        if (const epoll_row* epoll = books.epoll(x.refused_epoll))
            finding.epoll_fd = epoll->fd;
        finding.summary = fmt::format(
            "epoll_ctl({}) failed with {} and nothing made up for it: {} will never be reported", call,
            errno_text(x.refused_errno), missing & kInputBits ? "the fd's input" : "that there is room to write");
        finding.shape = fmt::format("{} = {}, {}", call, errno_text(x.refused_errno),
                                    entry.key.epoll ? "registered with a smaller mask" : "registered nowhere");
        finding.trigger = finding.shape;
        finding.count = x.refusals;
        finding.cost.emplace_back("deaf_s", seconds_of(books.time - f.refused_at));
        if (entry.state.unread)
            finding.cost.emplace_back("unread_bytes", entry.state.unread);
        add_fact(finding, "asked for", mask_text(x.refused_mask));
        add_fact(finding, "unheard", mask_text(missing));
        finding.fix = fix_for(x.refused_errno);
        return finding;
    }

    static const char* fix_for(uint16_t error)
    {
        switch (error) {
        case ENOENT: return "the fd is not in this epoll: EPOLL_CTL_ADD it (or fall back to ADD when MOD says ENOENT)";
        case EEXIST:
            return "the fd is in this epoll already: change its mask with EPOLL_CTL_MOD (or fall back to MOD when ADD "
                   "says EEXIST)";
        case ENOSPC: return "check the result of epoll_ctl and close the connection; raise fs.epoll.max_user_watches";
        case EBADF:
            return "the epoll fd is not open any more: look for who closed it, and check the result of epoll_ctl";
        default: return "check the result of epoll_ctl, and close the fd or serve it in another way when it fails";
        }
    }

    Patience patience_;
    Repeats repeats_;
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<FailedEpollCtl>(); }

}  // namespace epaudit::failed_epoll_ctl
