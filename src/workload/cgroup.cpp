// SPDX-License-Identifier: Apache-2.0
#include "src/workload/cgroup.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "src/workload/workload.h"

namespace epaudit {
namespace {

std::vector<std::string_view> split(std::string_view text, char by)
{
    std::vector<std::string_view> parts;
    for (size_t at = 0; at <= text.size();) {
        const size_t end = std::min(text.find(by, at), text.size());
        if (end > at)
            parts.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool is_long_id(std::string_view text) { return text.size() == 64 && std::all_of(text.begin(), text.end(), is_hex); }

bool take_prefix(std::string_view& text, std::string_view prefix)
{
    const bool has = text.substr(0, prefix.size()) == prefix;
    if (has)
        text.remove_prefix(prefix.size());
    return has;
}

bool take_suffix(std::string_view& text, std::string_view suffix)
{
    const bool has = text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
    if (has)
        text.remove_suffix(suffix.size());
    return has;
}

struct Found {
    std::string runtime;
    std::string id;
};

using Naming = std::pair<std::string_view, std::string_view>;  // prefix of a name, and whose it is

// Ids of 64 digits. "libpod-conmon-ID" and "crio-conmon-ID" are their monitors, outside of the container.
constexpr std::array<Naming, 6> kLongIds{{{"docker-", "docker"},
                                          {"cri-containerd-", "containerd"},
                                          {"crio-", "cri-o"},
                                          {"libpod-payload-", "podman"},
                                          {"libpod-", "podman"},
                                          {"nerdctl-", "containerd"}}};
// The user of these runtimes chooses the id.
constexpr std::array<Naming, 2> kChosenIds{{{"crun-", "crun"}, {"runc-", "runc"}}};
// Directories of cgroupfs drivers, with the id of a container in them.
constexpr std::array<Naming, 5> kParents{{{"docker", "docker"},
                                          {"libpod_parent", "podman"},
                                          {"moby", "docker"},
                                          {"k8s.io", "containerd"},
                                          {"default", "containerd"}}};

// systemd writes what has a meaning of its own in unit names as \x2d.
std::string unescaped(std::string_view name)
{
    auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    std::string out;
    for (size_t at = 0; at < name.size(); at++) {
        const std::string_view code = name.substr(at, 4);
        if (code.size() == 4 && code.substr(0, 2) == "\\x" && is_hex(code[2]) && is_hex(code[3])) {
            out += static_cast<char>(digit(code[2]) * 16 + digit(code[3]));
            at += 3;
        } else {
            out += name[at];
        }
    }
    return out;
}

// A machine of systemd: what libvirt runs there are virtual machines, or its own containers.
std::optional<Found> nspawn(std::string_view segment)
{
    if (take_prefix(segment, "systemd-nspawn@") && take_suffix(segment, ".service"))
        return Found{"systemd-nspawn", unescaped(segment)};
    if (!take_prefix(segment, "machine-") || !take_suffix(segment, ".scope") || take_prefix(segment, "qemu"))
        return std::nullopt;
    return Found{"systemd-nspawn", unescaped(segment)};
}

// systemd's driver joins what the runtime gave it: "kubepods-pod12.slice:cri-containerd:ID", where systemd does not run.
std::string joined_name(std::string_view segment)
{
    const auto parts = split(segment, ':');
    return parts.size() == 3 ? std::string(parts[1]) + "-" + std::string(parts[2]) : std::string(segment);
}

std::optional<Found> container_in(std::string_view segment, std::string_view parent)
{
    const std::string name = joined_name(segment);
    std::string_view rest = name;
    const bool scope = take_suffix(rest, ".scope");
    for (const auto& [prefix, runtime] : kLongIds)
        if (std::string_view id = rest; take_prefix(id, prefix) && is_long_id(id))
            return Found{std::string(runtime), std::string(id)};
    for (const auto& [prefix, runtime] : kChosenIds)
        if (std::string_view id = rest; (scope || name != segment) && take_prefix(id, prefix) && !id.empty())
            return Found{std::string(runtime), std::string(id)};
    if (std::string_view id = segment; take_prefix(id, "lxc.payload.") && !id.empty())
        return Found{"lxc", std::string(id)};
    if (parent == "lxc" || parent == "lxc.payload")
        return Found{"lxc", std::string(segment)};
    if (is_long_id(rest)) {
        auto at = std::find_if(kParents.begin(), kParents.end(),
                               [&](const Naming& one) { return one.first == parent; });
        return Found{at == kParents.end() ? "" : std::string(at->second), std::string(rest)};
    }
    return nspawn(segment);
}

// "kubepods-burstable-pod0f3a_..._9c.slice", "pod0f3a-...-9c". Pods from files of the kubelet have 32 digits.
std::string pod_in(std::string_view segment)
{
    const size_t at = segment.find("pod", segment.find("kubepods") == std::string_view::npos
                                              ? 0
                                              : segment.find("kubepods") + std::string_view("kubepods").size());
    if (at == std::string_view::npos)
        return "";
    std::string uid;
    for (const char c : segment.substr(at + 3)) {
        if (!is_hex(c) && c != '-' && c != '_')
            break;
        uid += c == '_' ? '-' : c;
    }
    return uid.size() == 36 || uid.size() == 32 ? uid : "";
}

bool is_unit(std::string_view segment) { return take_suffix(segment, ".service") || take_suffix(segment, ".scope"); }

// Whoever starts containers is not their unit.
bool is_runtime_unit(std::string_view unit)
{
    return unit == "docker.service" || unit == "containerd.service" || unit == "crio.service" ||
           unit == "kubelet.service" || unit == "k3s.service" || unit == "k3s-agent.service" || unit == "lxc.service" ||
           unit == "snap.lxd.daemon.service";
}

struct PathPlace {
    std::string unit;
    Found container;
    std::string pod_uid;
};

PathPlace read_path(std::string_view path)
{
    PathPlace place;
    std::string_view parent;
    for (std::string_view segment : split(path, '/')) {
        if (std::string pod = pod_in(segment); !pod.empty())
            place.pod_uid = std::move(pod);
        if (auto found = container_in(segment, parent)) {
            place.container = std::move(*found);
        } else if (is_unit(segment)) {
            // A name that would be one of the kernel's files gets a '_' in front.
            place.unit = segment[0] == '_' ? segment.substr(1) : segment;
        }
        parent = segment;
    }
    return place;
}

}  // namespace

bool is_below(std::string_view path, std::string_view cgroup)
{
    if (cgroup.size() < 2 || path.size() < 2)
        return false;
    constexpr std::string_view kMount = "/sys/fs/cgroup/";
    if (cgroup.starts_with(kMount)) {
        cgroup.remove_prefix(kMount.size() - 1);
        if (!path.starts_with(cgroup))  // v1: the next part is the hierarchy's name
            cgroup.remove_prefix(std::min(cgroup.find('/', 1), cgroup.size()));
    }
    return cgroup.size() > 1 && path.starts_with(cgroup) &&
           (path.size() == cgroup.size() || path[cgroup.size()] == '/');
}

std::string container_text(const Container& container)
{
    std::string text = container.name.empty() ? container.id.substr(0, 12) : container.name;
    std::string more = container.image;
    if (!container.runtime.empty())
        more += (more.empty() ? "" : ", ") + container.runtime;
    return more.empty() ? text : text + " (" + more + ")";
}

CgroupPlace parse_cgroups(std::string_view text)
{
    CgroupPlace place;
    bool by_systemd = false;
    for (std::string_view line : split(text, '\n')) {
        const size_t first = line.find(':');
        const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos)
            continue;
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        const std::string_view path = line.substr(second + 1);
        if (std::find(place.paths.begin(), place.paths.end(), path) == place.paths.end())
            place.paths.emplace_back(path);
        PathPlace here = read_path(path);
        // The hierarchies that systemd keeps itself know the unit best.
        const bool kept = controllers.empty() || controllers == "name=systemd";
        if (!here.unit.empty() && (place.unit.empty() || (kept && !by_systemd))) {
            place.unit = std::move(here.unit);
            by_systemd = kept;
        }
        if (place.container.empty() || (place.runtime.empty() && here.container.id == place.container)) {
            place.container = std::move(here.container.id);
            place.runtime = std::move(here.container.runtime);
        }
        if (place.pod_uid.empty())
            place.pod_uid = std::move(here.pod_uid);
    }
    if (!place.container.empty() && is_runtime_unit(place.unit))
        place.unit.clear();
    return place;
}

}  // namespace epaudit
