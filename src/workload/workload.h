// SPDX-License-Identifier: Apache-2.0
// As what a process runs on this machine: the systemd unit, the container and the pod it belongs to.
#pragma once

#include <string>

namespace epaudit {

struct Container {
    std::string id;       // as the runtime has it; LXC and systemd-nspawn have names alone
    std::string name;     // empty: not known
    std::string image;    // likewise
    std::string runtime;  // docker, containerd, cri-o, podman, lxc, ...

    bool operator==(const Container&) const = default;
};

struct Workload {
    std::string unit;  // nginx.service, session-3.scope
    Container container;
    std::string pod;  // NAMESPACE/NAME, or its uid where the name is not known

    bool in_container() const { return !container.id.empty() || !container.name.empty(); }
    bool operator==(const Workload&) const = default;
};

// "web (nginx:1.25, docker)"; empty: in none.
std::string container_text(const Container& container);

}  // namespace epaudit
