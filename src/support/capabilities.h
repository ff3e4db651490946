// SPDX-License-Identifier: Apache-2.0
// Our own effective capabilities.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>

namespace epaudit {

// Bit numbers from linux/capability.h.
enum Capability { kCapSysPtrace = 19, kCapSysAdmin = 21, kCapPerfmon = 38, kCapBpf = 39 };

class Capabilities {
public:
    static Capabilities own()
    {
        std::ifstream status("/proc/self/status");
        std::string word;
        Capabilities own;
        while (status >> word)
            if (word == "CapEff:")
                status >> std::hex >> own.bits_;
        return own;
    }

    bool has(Capability capability) const { return (bits_ >> capability & 1) != 0; }
    // Enough to load and attach probes.
    bool can_observe() const { return has(kCapSysAdmin) || (has(kCapBpf) && has(kCapPerfmon)); }

private:
    uint64_t bits_ = 0;
};

}  // namespace epaudit
