// SPDX-License-Identifier: Apache-2.0
#include "src/support/signals.h"

#include <sys/signalfd.h>

#include <csignal>

namespace epaudit {

Descriptor take_signals(std::initializer_list<int> signals)
{
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : signals)
        sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    return Descriptor(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace epaudit
