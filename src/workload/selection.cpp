// SPDX-License-Identifier: Apache-2.0
#include "src/workload/selection.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <string_view>

#include "src/workload/cgroup.h"

namespace epaudit {
namespace {

constexpr By kKinds[] = {By::kComm, By::kExe, By::kUnit, By::kContainer, By::kCgroup, By::kPod, By::kPort, By::kUser};

bool fits(const std::string& pattern, const std::string& text)
{
    return fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

std::string file_name(const std::string& path)
{
    std::string_view name = path;
    constexpr std::string_view kDeleted = " (deleted)";  // after an upgrade
    if (name.ends_with(kDeleted))
        name.remove_suffix(kDeleted.size());
    return std::string(name.substr(name.find_last_of('/') + 1));
}

// The kernel keeps 15 bytes of a name.
bool fits_comm(const std::string& pattern, const SeenProcess& process)
{
    constexpr size_t kKept = 15;
    if (fits(pattern, process.comm) || (!process.exe.empty() && fits(pattern, file_name(process.exe))))
        return true;
    return pattern.size() > kKept && process.comm.size() == kKept && pattern.compare(0, kKept, process.comm) == 0;
}

bool fits_exe(const std::string& pattern, const SeenProcess& process)
{
    if (process.exe.empty())
        return false;
    if (pattern.find('/') == std::string::npos)
        return fits(pattern, file_name(process.exe));
    return fits(pattern, process.exe.substr(0, process.exe.rfind('/') + 1) + file_name(process.exe));
}

bool fits_unit(const std::string& pattern, const std::string& unit)
{
    if (unit.empty())
        return false;
    return fits(pattern, unit) || (pattern.find('.') == std::string::npos && fits(pattern + ".service", unit));
}

bool fits_container(const std::string& pattern, const Container& container)
{
    return (!container.name.empty() && fits(pattern, container.name)) ||
           (!container.id.empty() && (fits(pattern, container.id) || begins_id(pattern, container.id)));
}

bool fits_pod(const std::string& pattern, const std::string& pod)
{
    if (pod.empty())
        return false;
    return fits(pattern, pod) ||
           (pattern.find('/') == std::string::npos && fits(pattern, pod.substr(pod.find('/') + 1)));
}

bool is_in_cgroup(const std::string& cgroup, const SeenProcess& process)
{
    const std::string path = cgroup.starts_with('/') ? cgroup : "/" + cgroup;
    return path == "/" || std::any_of(process.cgroups.begin(), process.cgroups.end(),
                                      [&](const std::string& one) { return is_below(one, path); });
}

}  // namespace

const char* selector_name(By by)
{
    switch (by) {
    case By::kPid: return "pid";
    case By::kComm: return "comm";
    case By::kExe: return "exe";
    case By::kUnit: return "unit";
    case By::kContainer: return "container";
    case By::kCgroup: return "cgroup";
    case By::kPod: return "pod";
    case By::kPort: return "port";
    case By::kUser: return "user";
    }
    return "";
}

bool begins_id(const std::string& prefix, const std::string& id)
{
    constexpr size_t kShortest = 4;
    return prefix.size() >= kShortest && prefix.find_first_not_of("0123456789abcdef") == std::string::npos &&
           id.compare(0, prefix.size(), prefix) == 0;
}

bool has_wildcard(const std::string& pattern) { return pattern.find_first_of("*?[") != std::string::npos; }

bool matches(const Selector& selector, const SeenProcess& process)
{
    switch (selector.by) {
    case By::kPid: return process.pid == selector.number && (!selector.started || selector.started == process.started);
    case By::kComm: return fits_comm(selector.value, process);
    case By::kExe: return fits_exe(selector.value, process);
    case By::kUnit: return fits_unit(selector.value, process.workload.unit);
    case By::kContainer: return fits_container(selector.value, process.workload.container);
    case By::kCgroup: return is_in_cgroup(selector.value, process);
    case By::kPod: return fits_pod(selector.value, process.workload.pod);
    case By::kPort:
        return std::find(process.ports.begin(), process.ports.end(), selector.number) != process.ports.end();
    case By::kUser: return process.uid == selector.number;
    }
    return false;
}

bool Selection::matches(const SeenProcess& process) const
{
    auto any_of = [&](const std::vector<Selector>& selectors, By by) {
        return std::any_of(selectors.begin(), selectors.end(),
                           [&](const Selector& one) { return one.by == by && epaudit::matches(one, process); });
    };
    if (std::any_of(excluded.begin(), excluded.end(),
                    [&](const Selector& one) { return epaudit::matches(one, process); }))
        return false;
    if (any_of(wanted, By::kPid))
        return true;
    bool meant = all;
    for (By by : kKinds) {
        const bool asked = std::any_of(wanted.begin(), wanted.end(), [&](const Selector& one) { return one.by == by; });
        if (asked && !any_of(wanted, by))
            return false;
        meant |= asked;
    }
    return meant;
}

bool Selection::asks_for(By by) const
{
    auto has = [by](const std::vector<Selector>& selectors) {
        return std::any_of(selectors.begin(), selectors.end(), [by](const Selector& one) { return one.by == by; });
    };
    return has(wanted) || has(excluded);
}

bool Selection::is_open() const
{
    return all || std::any_of(wanted.begin(), wanted.end(), [](const Selector& one) { return one.by != By::kPid; });
}

std::string Selection::text() const
{
    std::string out = all ? "--all" : "";
    for (const Selector& one : wanted)
        out += fmt::format("{}--{} {}", out.empty() ? "" : " ", selector_name(one.by), one.value);
    for (const Selector& one : excluded)
        out += fmt::format("{}--exclude {}={}", out.empty() ? "" : " ", selector_name(one.by), one.value);
    return out;
}

}  // namespace epaudit
