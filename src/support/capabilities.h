// SPDX-License-Identifier: Apache-2.0
// Our own capabilities. They belong to a thread, not to a process.
#pragma once

#include <cstdint>

namespace epaudit {

// Bit numbers from linux/capability.h.
enum Capability {
    kCapDacOverride = 1,
    kCapDacReadSearch = 2,
    kCapFowner = 3,
    kCapKill = 5,
    kCapSetgid = 6,
    kCapSetuid = 7,
    kCapSysPtrace = 19,
    kCapSysAdmin = 21,
    kCapPerfmon = 38,
    kCapBpf = 39,
    kCapCheckpointRestore = 40,
};

constexpr uint64_t capability_bit(Capability capability) { return 1ULL << capability; }

class Capabilities {
public:
    // The effective ones of this thread.
    static Capabilities own();

    bool has(Capability capability) const { return (bits_ & capability_bit(capability)) != 0; }
    // Enough to load and attach probes.
    bool can_observe() const { return has(kCapSysAdmin) || (has(kCapBpf) && has(kCapPerfmon)); }

private:
    uint64_t bits_ = 0;
};

// This thread has none but these from now on, of those that it has: for good, and whatever it executes.
void keep_capabilities(uint64_t bits);
// Only what is effective changes, and can be had again. False: the kernel refuses.
bool use_capabilities(uint64_t bits);

}  // namespace epaudit
