// SPDX-License-Identifier: Apache-2.0
// What the paths of /proc/PID/cgroup tell of a process. One line per hierarchy: cgroup v2 has one ("0::/path"), v1 a dozen,
// and hybrid systems both, of which only some may name the container.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace epaudit {

struct CgroupPlace {
    std::string unit;       // the innermost systemd unit that is not the container's own scope
    std::string runtime;    // empty: the path does not tell
    std::string container;  // its id; empty: in none
    std::string pod_uid;
    std::vector<std::string> paths;  // of all hierarchies, each once
};

CgroupPlace parse_cgroups(std::string_view text);

// `path` as in /proc/PID/cgroup; `cgroup` as there, or below /sys/fs/cgroup: is it that one, or one inside of it?
bool is_below(std::string_view path, std::string_view cgroup);

}  // namespace epaudit
