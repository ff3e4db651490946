// SPDX-License-Identifier: Apache-2.0
#include "src/workload/container_files.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "src/support/regular_file.h"
#include "src/workload/cgroup.h"

namespace epaudit {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr off_t kMostBytes = 8 << 20;

// Nothing: it is not there, no regular file (containers without root are their user's), no JSON, or larger than such files
// are.
std::optional<Json> read_json(const std::string& path)
{
    const Descriptor file = open_regular(path);
    struct stat about {};
    if (!file || fstat(file.get(), &about) || about.st_size > kMostBytes)
        return std::nullopt;
    std::string text(static_cast<size_t>(about.st_size), '\0');
    const ssize_t got = read(file.get(), text.data(), text.size());
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    Json json = Json::parse(text, nullptr, false);
    return json.is_discarded() ? std::nullopt : std::optional(std::move(json));
}

std::string text_of(const Json& json, std::initializer_list<const char*> keys)
{
    for (const char* key : keys)
        if (json.is_object() && json.contains(key) && json[key].is_string() &&
            !json[key].get_ref<const std::string&>().empty())
            return json[key];
    return "";
}

std::vector<std::string> entries_of(const std::string& directory)
{
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(directory, ignored))
        names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
}

void take(std::string& into, std::string value)
{
    if (into.empty())
        into = std::move(value);
}

// config.json of an OCI bundle: containerd, CRI-O and nerdctl write there what Kubernetes and people call it.
bool read_bundle(const std::string& path, ContainerNames& names)
{
    const auto config = read_json(path);
    if (!config || !config->is_object())
        return false;
    const Json notes = config->value("annotations", Json::object());
    take(names.name,
         text_of(notes, {"io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name"}));
    take(names.image, text_of(notes, {"io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName",
                                      "org.opencontainers.image.ref.name"}));
    const std::string in = text_of(notes, {"io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"});
    const std::string pod = text_of(notes, {"io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"});
    if (!pod.empty())
        take(names.pod, in.empty() ? pod : in + "/" + pod);
    if (notes.is_object() && notes.contains("io.kubernetes.cri-o.ContainerID"))
        take(names.runtime, "cri-o");
    return true;
}

void read_containerd(const std::string& tasks, const std::string& id, ContainerNames& names)
{
    for (const std::string& space : entries_of(tasks))
        if (read_bundle(fmt::format("{}/{}/{}/config.json", tasks, space, id), names))
            take(names.runtime, space == "moby" ? "docker" : "containerd");
}

// podman and CRI-O keep bundles and lists by storage driver: overlay-containers, vfs-containers.
void read_storage(const std::string& storage, const std::string& id, ContainerNames& names)
{
    for (const std::string& entry : entries_of(storage)) {
        if (!entry.ends_with("-containers"))
            continue;
        read_bundle(fmt::format("{}/{}/{}/userdata/config.json", storage, entry, id), names);
        const auto list = read_json(fmt::format("{}/{}/containers.json", storage, entry));
        for (const Json& one : list && list->is_array() ? *list : Json::array()) {
            if (text_of(one, {"id"}) != id)
                continue;
            const Json more = Json::parse(text_of(one, {"metadata"}), nullptr, false);
            take(names.name, text_of(more, {"name"}));
            take(names.image, text_of(more, {"image-name"}));
            if (one.contains("names") && one["names"].is_array() && !one["names"].empty() &&
                one["names"][0].is_string())
                take(names.name, one["names"][0]);
        }
    }
}

void read_docker(const std::string& file, ContainerNames& names)
{
    const auto config = read_json(file);
    if (!config)
        return;
    std::string name = text_of(*config, {"Name"});
    if (name.starts_with('/'))
        name.erase(0, 1);
    take(names.name, std::move(name));
    if (config->is_object() && config->contains("Config"))
        take(names.image, text_of((*config)["Config"], {"Image"}));
    take(names.runtime, "docker");
}

std::string home_of(uint32_t uid)
{
    const passwd* user = getpwuid(uid);
    return user && user->pw_dir ? user->pw_dir : "";
}

// crun keeps "status", runc "state.json", in a directory named by the id.
struct RuntimeState {
    std::string bundle;
    std::vector<std::string> cgroups;
};

RuntimeState read_state(const std::string& directory)
{
    RuntimeState state;
    if (const auto crun = read_json(directory + "/status")) {
        state.bundle = text_of(*crun, {"bundle"});
        state.cgroups.push_back(text_of(*crun, {"cgroup-path"}));
    }
    const auto runc = read_json(directory + "/state.json");
    if (!runc || !runc->is_object())
        return state;
    for (const Json& path : runc->value("cgroup_paths", Json::object()))
        if (path.is_string())
            state.cgroups.push_back(path);
    const Json config = runc->value("config", Json::object());
    for (const Json& label : config.is_object() ? config.value("labels", Json::array()) : Json::array())
        if (label.is_string() && label.get_ref<const std::string&>().starts_with("bundle="))
            state.bundle = label.get_ref<const std::string&>().substr(7);
    return state;
}

constexpr const char* kRuntimes[] = {"crun", "runc"};

}  // namespace

ContainerNames ContainerFiles::find(const std::string& id, uint32_t uid) const
{
    ContainerNames names;
    if (id.empty() || id.find('/') != std::string::npos || id[0] == '.')
        return names;
    read_containerd(root_ + "/run/containerd/io.containerd.runtime.v2.task", id, names);
    read_containerd(root_ + "/run/docker/containerd/daemon/io.containerd.runtime.v2.task", id, names);
    read_storage(root_ + "/run/containers/storage", id, names);
    read_storage(root_ + "/var/lib/containers/storage", id, names);
    read_docker(fmt::format("{}/var/lib/docker/containers/{}/config.v2.json", root_, id), names);
    if (uid) {
        read_storage(fmt::format("{}/run/user/{}/containers", root_, uid), id, names);
        if (const std::string home = home_of(uid); !home.empty())
            read_storage(fmt::format("{}{}/.local/share/containers/storage", root_, home), id, names);
    }
    for (const char* runtime : kRuntimes) {
        const RuntimeState state = read_state(fmt::format("{}/run/{}/{}", root_, runtime, id));
        if (!state.bundle.empty() && read_bundle(root_ + state.bundle + "/config.json", names))
            take(names.runtime, runtime);
    }
    return names;
}

Container ContainerFiles::of_cgroup(const std::vector<std::string>& paths) const
{
    for (const char* runtime : kRuntimes)
        for (const std::string& id : entries_of(fmt::format("{}/run/{}", root_, runtime)))
            for (const std::string& cgroup : read_state(fmt::format("{}/run/{}/{}", root_, runtime, id)).cgroups)
                if (std::any_of(paths.begin(), paths.end(),
                                [&](const std::string& path) { return is_below(path, cgroup); }))
                    return {id, "", "", runtime};
    return {};
}

}  // namespace epaudit
