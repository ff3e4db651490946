// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "rules/catalogue.h"
#include "rules/spin.h"
#include "src/books/describe.h"

namespace epaudit::unread_spin {
namespace {

// The byte that was sent with MSG_OOB, which no plain read takes.
bool urgent_only(const Entry& entry, const Spin& spin)
{
    return entry.file.kind == FILE_TCP && (spin.events & (EV_IN | EV_RDNORM | EV_PRI)) == EV_PRI;
}

std::string summary(const Entry& entry, const Spin& spin)
{
    if (urgent_only(entry, spin))
        return "urgent data (EPOLLPRI) is reported and never taken: the loop spins";
    switch (entry.file.kind) {
    case FILE_EVENTFD: return "the eventfd's count is never read: the loop spins";
    case FILE_TIMERFD: return "the timerfd's expirations are never read: the loop spins";
    case FILE_SIGNALFD: return "the signalfd is never read: the loop spins";
    case FILE_LISTENER: return "a waiting connection is never accepted: the loop spins";
    case FILE_PIDFD: return "the process has ended and its pidfd stays registered: the loop spins";
    case FILE_EPOLL: return "nobody waits on the epoll that is registered in this one: the loop spins";
    default: return "input is reported and never consumed: the loop spins";
    }
}

std::string fix(const Entry& entry, const Spin& spin)
{
    switch (entry.file.kind) {
    case FILE_EVENTFD: return "read() 8 bytes from the eventfd when it is reported, before acting on it";
    case FILE_TIMERFD:
        return "read() 8 bytes from the timerfd when it is reported (fewer is EINVAL), or timerfd_settime() it anew";
    case FILE_SIGNALFD: return "read() a struct signalfd_siginfo from the signalfd each time it is reported";
    case FILE_LISTENER:
        return "accept4() when the listener is reported; to stop accepting for a while, EPOLL_CTL_DEL the listener";
    case FILE_INOTIFY: return "read() the events from the inotify fd each time it is reported";
    case FILE_PIDFD:
        return "waitid(P_PIDFD) the process and close() its pidfd, or EPOLL_CTL_DEL it: a pidfd stays readable for "
               "good "
               "once its process has ended";
    case FILE_EPOLL:
        return "epoll_wait() on the inner epoll, with timeout 0, when it is reported, and handle its events; it stays "
               "ready as "
               "long as one of its files is";
    default: break;
    }
    if (urgent_only(entry, spin))
        return "take the urgent byte with recv(MSG_OOB) when EPOLLPRI is reported, which a plain read() does not, or "
               "leave EPOLLPRI out of the mask";
    if (spin.events & EV_RDHUP)
        return "the peer has closed: when EPOLLRDHUP is reported, read() what is left until it returns 0 and close() "
               "the fd, or EPOLL_CTL_DEL it until its turn comes";
    if (spin.between & BETWEEN_READ_EAGAIN)
        return "reads end in EAGAIN while input is reported: check that the reported fd is the one that is read";
    return "read() the fd when it is reported; to leave input for later, epoll_ctl(EPOLL_CTL_MOD) to a mask without "
           "EPOLLIN until it is wanted";
}

}  // namespace

std::unique_ptr<Rule> make()
{
    RuleInfo info{"EP202",
                  "unread-spin",
                  "readiness never consumed (data, eventfd, timerfd, signalfd, pipe, inner epoll): the loop spins",
                  Level::kConfirmed,
                  spin_thresholds(),
                  {},
                  "spins slower than per_s; fd kinds it does not know (devices, io_uring rings)",
                  {StackRole::kRead, StackRole::kArmed, StackRole::kWait}};
    return std::make_unique<SpinRule>(info, SpinAdvice{SpinShape::kUnread, summary, fix});
}

}  // namespace epaudit::unread_spin
