// SPDX-License-Identifier: Apache-2.0
// What runtimes have written down about their containers: OCI bundles and their own lists, files only, never a socket.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/workload/workload.h"

namespace epaudit {

struct ContainerNames {
    std::string name;
    std::string image;
    std::string runtime;
    std::string pod;  // NAMESPACE/NAME
};

class ContainerFiles {
public:
    // `root`: where the machine's file system is seen; empty: where everybody sees it.
    explicit ContainerFiles(std::string root = "") : root_(std::move(root)) {}

    // `uid`: of the process, for containers that a user keeps without root.
    ContainerNames find(const std::string& id, uint32_t uid) const;
    // The container whose cgroup is one of these, for runtimes that leave the path to their caller; empty: none.
    Container of_cgroup(const std::vector<std::string>& paths) const;

private:
    std::string root_;
};

}  // namespace epaudit
