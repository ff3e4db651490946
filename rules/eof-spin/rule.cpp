// SPDX-License-Identifier: Apache-2.0
#include "rules/catalogue.h"
#include "rules/spin.h"

namespace epaudit::eof_spin {
namespace {

std::string summary(const Entry& entry, const Spin& spin)
{
    if (entry.file.eofs > 0)
        return "read() returned 0 and the fd stays registered: the loop spins on the end of the stream";
    if (spin.events & EV_RDHUP)
        return "EPOLLRDHUP is reported and ignored: the loop spins on the peer's close";
    return "the peer closed and nobody reads the end of the stream: the loop spins";
}

std::string fix(const Entry& entry, const Spin&)
{
    if (entry.file.eofs > 0)
        return "treat read() == 0 as the end: close() the fd, or EPOLL_CTL_DEL it if you still have output to send";
    return "on EPOLLRDHUP, or read() == 0, close() the fd, or EPOLL_CTL_MOD it to a mask without EPOLLIN and "
           "EPOLLRDHUP "
           "while output is still to be sent";
}

}  // namespace

std::unique_ptr<Rule> make()
{
    RuleInfo info{"EP203",
                  "eof-spin",
                  "read()==0 ignored: the loop spins on EOF",
                  Level::kConfirmed,
                  spin_thresholds(),
                  {},
                  "spins slower than per_s",
                  {StackRole::kRead, StackRole::kWait}};
    return std::make_unique<SpinRule>(info, SpinAdvice{SpinShape::kEof, summary, fix});
}

}  // namespace epaudit::eof_spin
