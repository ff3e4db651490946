// SPDX-License-Identifier: Apache-2.0
// Work that is done in a child without privileges, because it reads what a watched program has made. And the broker: the
// one process of ours that keeps privileges while programs are watched. It is made before anything of them is read, reads
// nothing but the orders of this header, and does them: it makes such children, has the kernel measure the probes, and
// gives outputs their names.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "src/support/channel.h"
#include "src/support/descriptor.h"

namespace epaudit {

enum class ApartWork : uint64_t { kSourceText, kSymbols };

// What a child for symbols says instead of any answer when it could not become its user; errno follows.
constexpr uint64_t kNotThatUser = ~2ULL;

// Does the work for whoever is at the other end of the socket; the child ends with it.
using Worker = void (*)(Channel channel);
// Once for each kind, before main() begins.
bool set_worker(ApartWork work, Worker worker);

// A child that does it as that user, when we are root, without capabilities or groups. Nothing: it cannot be made.
Descriptor start_apart(ApartWork work, uid_t uid, gid_t gid);

// From now on there is a broker, if there are privileges that it could keep. Call it while there is one thread.
void start_broker();
// Files that it may give names to, and take away, when we may not any more.
void tell_broker_of_output(const std::string& beside, const std::string& target);
// No more are told. This thread keeps these capabilities only; other threads do that for themselves.
void give_up_privileges(uint64_t kept);

// As the system calls are, by the broker where we may not ourselves. 0, or errno.
int rename_output(const std::string& beside, const std::string& target);
int unlink_output(const std::string& path);
// BPF_ENABLE_STATS: the kernel measures as long as this is open. Nothing: it may not.
Descriptor measure_programs();

}  // namespace epaudit
