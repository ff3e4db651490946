// SPDX-License-Identifier: Apache-2.0
#include "rules/catalogue.h"
#include "rules/spin.h"

namespace epaudit::hup_err_spin {
namespace {

constexpr uint32_t kAsked = EV_IN | EV_OUT | EV_RDHUP | EV_RDNORM | EV_PRI;

bool error_queue(const Entry& entry) { return entry.state.aux >> 16; }

std::string summary(const Entry& entry, const Spin& spin)
{
    const char* what = spin.events & EV_ERR ? "EPOLLERR" : "EPOLLHUP";
    if (!(entry.registration.mask & kAsked))
        return std::string(what) + " is reported though the mask is empty, and ignored: the loop spins";
    if (spin.between & (BETWEEN_MOD | BETWEEN_MOD_SAME))
        return std::string(what) + " is answered by EPOLL_CTL_MOD, which reports it again: the loop spins";
    return std::string(what) + " is reported and ignored: the loop spins";
}

std::string fix(const Entry& entry, const Spin& spin)
{
    if ((spin.events & EV_ERR) && error_queue(entry))
        return "take the messages with recvmsg(MSG_ERRQUEUE) when EPOLLERR is reported; a plain recv() does not see "
               "them";
    if (!(entry.registration.mask & kAsked))
        return "EPOLLERR and EPOLLHUP cannot be masked: to switch an fd off use EPOLL_CTL_DEL (and ADD it later), not "
               "a "
               "mask of 0; on either event close() the fd";
    return "handle EPOLLERR and EPOLLHUP whatever was asked for: take the error with getsockopt(SO_ERROR), then "
           "close() "
           "or EPOLL_CTL_DEL the fd";
}

}  // namespace

std::unique_ptr<Rule> make()
{
    RuleInfo info{"EP204",
                  "hup-err-spin",
                  "HUP/ERR reported though nobody asked, and ignored",
                  Level::kConfirmed,
                  spin_thresholds(),
                  {},
                  "spins slower than per_s; errors of fd kinds it does not know (sysfs, GPIO, cgroup files)",
                  {StackRole::kArmed, StackRole::kWait}};
    return std::make_unique<SpinRule>(info, SpinAdvice{SpinShape::kHupErr, summary, fix});
}

}  // namespace epaudit::hup_err_spin
