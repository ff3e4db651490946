// SPDX-License-Identifier: Apache-2.0
#include "rules/catalogue.h"
#include "rules/spin.h"

namespace epaudit {
namespace {

std::string summary(const Entry& entry, const Spin& spin)
{
    if (spin.between_known && (spin.between & BETWEEN_READ_EAGAIN))
        return "EPOLLOUT stays armed while the program only tries to read: the loop spins";
    if (spin.between_known && (spin.between & BETWEEN_MOD))
        return "EPOLLOUT is armed again and again with nothing to write: the loop spins";
    if (entry.file.writes == 0)
        return "EPOLLOUT is armed and nothing was ever written: the loop spins";
    return "EPOLLOUT stays armed with nothing left to write: the loop spins";
}

std::string fix(const Entry&, const Spin& spin)
{
    if (spin.between_known && (spin.between & BETWEEN_READ_EAGAIN))
        return "the handler waits for input (TLS does this in a handshake): epoll_ctl(EPOLL_CTL_MOD) to EPOLLIN when "
               "the library says WANT_READ, to EPOLLOUT only when it says WANT_WRITE";
    return "when the output buffer is empty, epoll_ctl(EPOLL_CTL_MOD) the fd to a mask without EPOLLOUT; arm EPOLLOUT "
           "only after a write() was cut short or returned EAGAIN";
}

}  // namespace

std::unique_ptr<Rule> make_busy_epollout()
{
    RuleInfo info{"EP201",
                  "busy-epollout",
                  "level-triggered EPOLLOUT armed with nothing to write: the loop spins",
                  Level::kConfirmed,
                  spin_thresholds(),
                  {},
                  "spins slower than per_s; output through io_uring on kinds other than tcp and pipe"};
    return std::make_unique<SpinRule>(info, SpinAdvice{SpinShape::kOut, summary, fix});
}

}  // namespace epaudit
