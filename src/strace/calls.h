// SPDX-License-Identifier: Apache-2.0
// Which calls in a log matter: those the probes look at (call_class in bpf/probes.h), and those that tell what
// the kernel would know anyway: what a descriptor is, who shares it, who is whose thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "bpf/probes.h"

namespace epaudit {

enum log_call : uint8_t {
    LOG_SOCKET = CALL_CLASSES,
    LOG_SOCKETPAIR,
    LOG_LISTEN,
    LOG_BIND,
    LOG_PIPE,
    LOG_EVENTFD,
    LOG_TIMERFD,
    LOG_SIGNALFD,
    LOG_OPEN,      // a file, a device: known to be none of those we judge
    LOG_OTHER_FD,  // inotify_init, pidfd_open, ...: likewise
    LOG_FORK,
    LOG_EXEC,
    LOG_URING,
    LOG_EVERYDAY,  // has nothing to do with descriptors: who sees it traces everything
    LOG_AT,        // reads or writes a file at a position
    LOG_MQ,        // mq_timedreceive: read(), of a message that may be empty
};

// CALL_NONE for calls that do not matter.
uint8_t call_by_name(std::string_view name);

// It takes input, or gives output, by one descriptor.
bool takes_input(uint8_t call);
bool gives_output(uint8_t call);

// What only sockets have: to receive and send by one, and all else (-e trace=%network).
bool of_socket(uint8_t call);
bool is_of_network(uint8_t call);

// What strace should be told to trace: all of these but what says nothing, and those that a thread may sleep in.
std::vector<std::string_view> calls_worth_tracing();

// Does the result come with a descriptor that did not exist before?
bool opens_descriptor(uint8_t call);

}  // namespace epaudit
