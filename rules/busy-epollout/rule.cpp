// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "bpf/ledger_sweep.h"
#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "rules/spin.h"
#include "src/books/describe.h"
#include "src/books/duration.h"

namespace epaudit::busy_epollout {
namespace {

std::string summary(const Entry& entry, const Spin& spin)
{
    if (spin.between & BETWEEN_READ_EAGAIN)
        return "EPOLLOUT stays armed while the program only tries to read: the loop spins";
    if (spin.between & (BETWEEN_MOD | BETWEEN_MOD_SAME))
        return "EPOLLOUT is armed again and again with nothing to write: the loop spins";
    if (entry.file.writes == 0)
        return "EPOLLOUT is armed and nothing was ever written: the loop spins";
    return "EPOLLOUT stays armed with nothing left to write: the loop spins";
}

std::string fix(const Entry&, const Spin& spin)
{
    if (spin.between & BETWEEN_READ_EAGAIN)
        return "the handler waits for input (TLS does this in a handshake): epoll_ctl(EPOLL_CTL_MOD) to EPOLLIN when "
               "the library says WANT_READ, to EPOLLOUT only when it says WANT_WRITE";
    return "when the output buffer is empty, epoll_ctl(EPOLL_CTL_MOD) the fd to a mask without EPOLLOUT; arm EPOLLOUT "
           "only after a write() was cut short or returned EAGAIN";
}

constexpr Threshold kArmedS{"armed_s",
                            {60, 60, Unit::kSeconds},
                            "seconds of EPOLLOUT with nothing written, worth a remark; 60 at least",
                            {"less than 60 changes nothing", "it is mentioned later"}};

// Beside the spin: EPOLLOUT armed for long and nothing written. It rides along with useful events, or the loop is
// slow; a spin is only a matter of load.
class BusyEpollout : public SpinRule {
public:
    using SpinRule::SpinRule;

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        SpinRule::audit(books, settings, out);
        for (const Entry* one : books.neighbours().with(kTraitAsksForRoom)) {
            const Entry& entry = *one;
            const registration_row& r = entry.registration;
            bool in_vain = entry.key.epoll && entry.state.sk_state == SK_ESTABLISHED && (entry.live_mask & EV_OUT) &&
                           ledger_armed_in_vain(&r, &entry.file, &entry.state, books.time) &&
                           std::max(r.armed_at, entry.file.wrote_at) + settings.ns(kArmedS) <= books.time;
            if (in_vain)
                remark(books, entry, out);
        }
    }

private:
    void remark(const Snapshot& books, const Entry& entry, std::vector<Finding>& out) const
    {
        uint64_t age = books.time - std::max(entry.registration.armed_at, entry.file.wrote_at);
        Finding finding = begin_finding(info(), books, entry);
        finding.level = Level::kRisk;
        finding.summary =
            "EPOLLOUT has been armed for long and nothing was written: each return of epoll_wait reports it";
        finding.shape = "armed and nothing to write";
        finding.count = entry.registration.delivered_out;
        finding.cost.emplace_back("reported", entry.registration.delivered_out);
        finding.fix = fix(entry, {});
        add_fact(finding, "nothing written for", duration_text(age));
        out.push_back(std::move(finding));
    }
};

std::vector<Threshold> thresholds()
{
    std::vector<Threshold> all = spin_thresholds();
    all.push_back(kArmedS);
    return all;
}

}  // namespace

std::unique_ptr<Rule> make()
{
    RuleInfo info{"EP201",
                  "busy-epollout",
                  "level-triggered EPOLLOUT armed with nothing to write: the loop spins",
                  Level::kConfirmed,
                  thresholds(),
                  {},
                  "spins slower than per_s; output through io_uring on kinds other than tcp and pipe",
                  {StackRole::kArmed, StackRole::kWait}};
    return std::make_unique<BusyEpollout>(info, SpinAdvice{SpinShape::kOut, summary, fix});
}

}  // namespace epaudit::busy_epollout
