// SPDX-License-Identifier: Apache-2.0
// Unit, container and pod of processes: from /proc/PID/cgroup and the files of runtimes, each container's read once.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "src/workload/container_files.h"
#include "src/workload/workload.h"

namespace epaudit {

class Workloads {
public:
    // Empty roots: of this machine. Where epaudit is in a container that sees the machine's processes, the files of
    // runtimes are found through the first process.
    explicit Workloads(std::string proc = "/proc", std::string root = machine_root());

    Workload of(uint32_t pid);

private:
    static std::string machine_root();
    const ContainerNames& names(const std::string& id, uint32_t pid);

    std::string proc_;
    ContainerFiles files_;
    std::map<std::string, ContainerNames> known_;  // by id
};

}  // namespace epaudit
