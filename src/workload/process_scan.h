// SPDX-License-Identifier: Apache-2.0
// Looks through /proc for the processes of a selection, again and again. A process that has not changed since the last look
// (no exec, no other name) costs one small file, or nothing where somebody tells of changes; of the others only what the
// selection asks for is read. Descriptors are looked through only for those that match, until an epoll is among them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "src/workload/selection.h"
#include "src/workload/workloads.h"

namespace epaudit {

struct EpollUse {
    unsigned epolls = 0;       // descriptors
    unsigned descriptors = 0;  // all
    bool readable = true;      // false: they may not be looked at
};

struct SelectedProcess {
    const SeenProcess* process;  // until the next look
    EpollUse use;                // not known of those that the caller watches
};

class ProcessScan {
public:
    // Empty: this machine's. `self` is never selected, nor is any other epaudit.
    explicit ProcessScan(Selection selection, const std::string& proc = "/proc");
    ProcessScan(Selection selection, const std::string& proc, const std::string& machine_root, uint32_t self);

    // All that match now, by number. `now`: CLOCK_MONOTONIC ns; `watched`: it need not be known what these hold.
    std::vector<SelectedProcess> look(uint64_t now, const std::set<uint32_t>& watched = {});
    // From now on `changes` tells by number: what it returns moves when a process begins, becomes another program or ends.
    // Those of which it tells nothing are looked at every few seconds, for the names that they give themselves.
    void told_by(std::function<uint32_t(uint32_t)> changes);
    // Is this one excluded, as far as the last look saw?
    bool excluded(uint32_t pid) const;
    // Everything about every process, to say what there is. No look of its own.
    std::vector<SeenProcess> everybody();

    const Selection& selection() const { return selection_; }

private:
    struct Known {
        SeenProcess seen;
        uint64_t program = 0;
        uint64_t changed_at = 0;
        std::string network;  // its network namespace
        EpollUse use;
        uint64_t next_use = 0;              // when its descriptors are looked through again
        std::optional<uint32_t> changes{};  // as they were told when it was read
        std::optional<bool> epaudit{};      // is it one? Once it is not young any more
    };
    struct Network {
        std::map<uint64_t, uint64_t> sockets;  // inode -> port, of those asked for
        bool changed = false;
    };

    std::string path(uint32_t pid, const char* what) const;
    void fill(Known& known, bool everything);
    void look_at_ports(uint64_t now);
    void look_at_use(Known& known, uint64_t now);
    bool is_epaudit(uint32_t pid) const;
    bool is_epaudit(Known& known, uint64_t now) const;
    void read(uint32_t pid, uint64_t now, bool first, std::set<uint32_t>& alive);

    Selection selection_;
    std::string proc_;
    Workloads workloads_;
    uint32_t self_;
    std::function<uint32_t(uint32_t)> changes_{};
    uint64_t next_complete_ = 0;                // when all are read again
    std::map<uint32_t, uint32_t> passed_over_;  // those of the kernel and those that have ended, with their changes
    std::map<uint32_t, Known> known_;
    std::map<std::string, Network> networks_;
};

// Registrations that fdinfo lists of its epolls; nothing where there may be so many that asking disturbs (proc.h).
bool count_registrations(const std::string& proc, uint32_t pid, const EpollUse& use, unsigned& registrations);

}  // namespace epaudit
