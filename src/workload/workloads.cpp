// SPDX-License-Identifier: Apache-2.0
#include "src/workload/workloads.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "src/support/proc.h"
#include "src/workload/cgroup.h"

namespace epaudit {
namespace {

// Containers come and go; what is known of them may not grow for ever.
constexpr size_t kMostKnown = 4096;

}  // namespace

Workloads::Workloads(std::string proc, std::string root) : proc_(std::move(proc)), files_(std::move(root)) {}

std::string Workloads::machine_root()
{
    struct stat own {
    }, first{}, root{};
    if (stat("/proc/self/ns/mnt", &own) || stat("/proc/1/ns/mnt", &first) || own.st_ino == first.st_ino)
        return "";
    return stat("/proc/1/root/", &root) == 0 ? "/proc/1/root" : "";
}

const ContainerNames& Workloads::names(const std::string& id, uint32_t pid)
{
    auto at = known_.find(id);
    if (at != known_.end())
        return at->second;
    if (known_.size() >= kMostKnown)
        known_.clear();
    struct stat owner {};
    const bool known = stat(fmt::format("{}/{}", proc_, pid).c_str(), &owner) == 0;
    return known_[id] = files_.find(id, known ? owner.st_uid : 0);
}

Workload Workloads::of(uint32_t pid)
{
    CgroupPlace place = parse_cgroups(read_proc_file(fmt::format("{}/{}/cgroup", proc_, pid)));
    Workload out;
    out.unit = std::move(place.unit);
    out.container.id = std::move(place.container);
    out.container.runtime = std::move(place.runtime);
    if (out.container.id.empty())
        out.container = files_.of_cgroup(place.paths);
    out.pod = std::move(place.pod_uid);
    if (out.container.id.empty())
        return out;
    const ContainerNames& names = this->names(out.container.id, pid);
    out.container.name = names.name;
    out.container.image = names.image;
    if (!names.runtime.empty() && (out.container.runtime.empty() || names.runtime == "docker"))
        out.container.runtime = names.runtime;
    if (!names.pod.empty())
        out.pod = names.pod;
    if (out.container.name.empty() && out.container.id.size() != 64)  // chosen by people
        out.container.name = out.container.id;
    return out;
}

}  // namespace epaudit
