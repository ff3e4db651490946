// SPDX-License-Identifier: Apache-2.0
#include "src/cli/who.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <pwd.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "src/session/target.h"
#include "src/support/caller.h"
#include "src/support/clock.h"
#include "src/support/nearest.h"
#include "src/support/say.h"

namespace epaudit {
namespace {

bool is_number(const std::string& word)
{
    return !word.empty() && word.find_first_not_of("0123456789,") == std::string::npos;
}

std::vector<std::string> user_names()
{
    std::vector<std::string> names;
    setpwent();
    while (const passwd* user = getpwent())
        names.push_back(user->pw_name);
    endpwent();
    return names;
}

// Fills in the number that a user or a port is known by.
Result<> complete(Selector& selector)
{
    if (selector.value.empty())
        return usage_error(fmt::format("--{}: nothing is named", selector_name(selector.by)));
    if (selector.by == By::kUser) {
        const auto user = user_named(selector.value);
        if (!user)
            return usage_error(fmt::format("no user '{}'", selector.value),
                               did_you_mean(selector.value, user_names(), "getent passwd lists them"));
        selector.number = user->uid;
    }
    if (selector.by == By::kPort) {
        const std::string& text = selector.value;
        const bool digits = text.size() <= 5 && text.find_first_not_of("0123456789") == std::string::npos;
        selector.number = digits ? std::stoul(text) : 0;
        if (selector.number < 1 || selector.number > 65535)
            return usage_error(fmt::format("'{}' is no port", text), "give a number from 1 to 65535");
    }
    return Done{};
}

// "nginx", "/usr/bin/*", "4711", or "unit=ssh.service".
Selector exclusion(const std::string& word)
{
    constexpr By kKinds[] = {By::kPid,    By::kComm, By::kExe,  By::kUnit, By::kContainer,
                             By::kCgroup, By::kPod,  By::kPort, By::kUser};
    for (By by : kKinds)
        if (const std::string head = std::string(selector_name(by)) + "="; word.starts_with(head))
            return {by, word.substr(head.size())};
    if (!word.empty() && word.find_first_not_of("0123456789") == std::string::npos)
        return {By::kPid, word};
    return {word.find('/') == std::string::npos ? By::kComm : By::kExe, word};
}

Result<> add_excluded(const std::vector<std::string>& words, Selection& selection)
{
    for (const std::string& word : words) {
        Selector one = exclusion(word);
        if (auto ok = complete(one); !ok)
            return ok;
        if (one.by == By::kPid) {
            if (one.value.size() > 9 || one.value.find_first_not_of("0123456789") != std::string::npos)
                return usage_error(fmt::format("'{}' is not a process id", one.value));
            one.number = std::stoul(one.value);
        }
        selection.excluded.push_back(std::move(one));
    }
    return Done{};
}

// What processes have that this selector looks at.
std::vector<std::string> candidates(By by, const std::vector<SeenProcess>& everybody)
{
    std::set<std::string> values;
    for (const SeenProcess& one : everybody) {
        const Workload& workload = one.workload;
        switch (by) {
        case By::kComm: values.insert(one.comm); break;
        case By::kExe: values.insert(one.exe); break;
        case By::kUnit: values.insert(workload.unit); break;
        case By::kContainer:
            values.insert(workload.container.name.empty() ? workload.container.id.substr(0, 12)
                                                          : workload.container.name);
            break;
        case By::kCgroup: values.insert(one.cgroups.begin(), one.cgroups.end()); break;
        case By::kPod: values.insert(workload.pod); break;
        default: break;
        }
    }
    values.erase("");
    return {values.begin(), values.end()};
}

std::string words_for(By by, const std::string& value)
{
    switch (by) {
    case By::kComm: return fmt::format("no process is called '{}'", value);
    case By::kExe: return fmt::format("no process runs '{}'", value);
    case By::kUnit: return fmt::format("no process runs in unit '{}'", value);
    case By::kContainer: return fmt::format("no process runs in container '{}'", value);
    case By::kCgroup: return fmt::format("no process is in cgroup '{}'", value);
    case By::kPod: return fmt::format("no process runs in pod '{}'", value);
    case By::kPort: return fmt::format("no process listens on port {}", value);
    case By::kUser: return fmt::format("no process runs as user '{}'", value);
    case By::kPid: break;
    }
    return fmt::format("no process {}", value);
}

std::string what_there_is(By by, const std::vector<std::string>& known)
{
    constexpr size_t kShown = 8;
    const std::string kind = selector_name(by);
    if (by == By::kPort || by == By::kUser || by == By::kPid)
        return "epaudit list shows who uses epoll; --wait waits for one";
    if (known.empty())
        return fmt::format("no process is in a {}; epaudit list shows who uses epoll", kind);
    if (by == By::kComm || by == By::kExe || by == By::kCgroup)
        return "epaudit list shows who uses epoll; --wait waits for one";
    const std::vector<std::string> shown(known.begin(),
                                         known.begin() + static_cast<ptrdiff_t>(std::min(known.size(), kShown)));
    return fmt::format("there {} {}{}", shown.size() == 1 ? "is" : "are", fmt::join(shown, ", "),
                       known.size() > kShown ? fmt::format(" and {} more", known.size() - kShown) : "");
}

}  // namespace

bool WhoOptions::empty() const
{
    return words.empty() && pids.empty() && comms.empty() && exes.empty() && units.empty() && containers.empty() &&
           cgroups.empty() && pods.empty() && ports.empty() && users.empty() && !all;
}

bool WhoOptions::only_pids() const
{
    return !empty() && !wait && excludes.empty() && comms.empty() && exes.empty() && units.empty() &&
           containers.empty() && cgroups.empty() && pods.empty() && ports.empty() && users.empty() && !all &&
           std::all_of(words.begin(), words.end(), is_number);
}

std::string WhoOptions::pid_list() const
{
    std::vector<std::string> all_pids = pids;
    std::copy_if(words.begin(), words.end(), std::back_inserter(all_pids), is_number);
    return fmt::format("{}", fmt::join(all_pids, ","));
}

Result<Who> who_is_meant(const WhoOptions& options)
{
    Who who;
    Selection& selection = who.selection;
    selection.all = options.all;
    if (const std::string pids = options.pid_list(); !pids.empty()) {
        auto found = parse_pids(pids);
        if (!found)
            return found.error();
        for (const ProcessHandle& one : found->processes)
            selection.wanted.push_back({By::kPid, std::to_string(one.pid()), one.pid(), one.started_ticks()});
        who.notes = std::move(found->notes);
    }
    const std::pair<By, const std::vector<std::string>*> kinds[] = {
        {By::kComm, &options.comms},           {By::kExe, &options.exes},       {By::kUnit, &options.units},
        {By::kContainer, &options.containers}, {By::kCgroup, &options.cgroups}, {By::kPod, &options.pods},
        {By::kPort, &options.ports},           {By::kUser, &options.users}};
    for (const std::string& word : options.words)
        if (!is_number(word))
            selection.wanted.push_back({By::kComm, word});
    for (const auto& [by, values] : kinds)
        for (const std::string& value : *values)
            selection.wanted.push_back({by, value});
    for (Selector& one : selection.wanted)
        if (auto ok = complete(one); !ok)
            return ok.error();
    if (selection.all && std::any_of(selection.wanted.begin(), selection.wanted.end(),
                                     [](const Selector& one) { return one.by != By::kPid; }))
        return usage_error("--all means everybody already", "leave it away, or the other selectors");
    if (auto ok = add_excluded(options.excludes, selection); !ok)
        return ok.error();
    return who;
}

Result<> check_found(const Selection& selection, const std::vector<SeenProcess>& everybody)
{
    for (const Selector& selector : selection.wanted) {
        if (selector.by != By::kContainer || has_wildcard(selector.value))
            continue;
        std::map<std::string, std::string> fits;  // id -> as it is shown
        bool by_name = false;
        for (const SeenProcess& one : everybody) {
            const Container& container = one.workload.container;
            if (!matches(selector, one))
                continue;
            by_name |= container.name == selector.value || container.id == selector.value;
            const std::string name = container.name.empty() || container.name == container.id
                                         ? ""
                                         : " (" + container.name + ")";
            fits[container.id] = container.id.substr(0, 12) + name;
        }
        if (by_name || fits.size() < 2)
            continue;
        std::vector<std::string> shown;
        for (const auto& [id, text] : fits)
            shown.push_back(text);
        return usage_error(fmt::format("--container {} means several: {}", selector.value, fmt::join(shown, ", ")),
                           "give more of the id, or the name; a pattern such as 'web*' means all that fit");
    }
    return Done{};
}

std::optional<Error> unfitting(const Selection& selection, const std::vector<SeenProcess>& everybody)
{
    for (const Selector& selector : selection.wanted) {
        if (std::any_of(everybody.begin(), everybody.end(),
                        [&](const SeenProcess& one) { return matches(selector, one); }))
            continue;
        const std::vector<std::string> known = candidates(selector.by, everybody);
        return observe_error(words_for(selector.by, selector.value),
                             did_you_mean(selector.value, known, what_there_is(selector.by, known)));
    }
    return std::nullopt;
}

Result<std::vector<SelectedProcess>> find_them(ProcessScan& scan, const WhoOptions& options)
{
    for (;;) {
        std::vector<SelectedProcess> found = scan.look(monotonic_ns());
        if (scan.selection().asks_for(By::kContainer))
            if (auto ok = check_found(scan.selection(), scan.everybody()); !ok)
                return ok.error();
        if (options.wait && !found.empty())
            return found;
        if (!options.wait) {
            if (auto error = unfitting(scan.selection(), scan.everybody()))
                return *error;
            if (!found.empty())
                return found;
            return observe_error(fmt::format("no process is all of that: {}", scan.selection().text()),
                                 "different selectors narrow, the same one again widens; --wait waits for a process");
        }
        // Ctrl-C ends it as any program: nothing was begun yet.
        poll(nullptr, 0, 250);
    }
}

Result<Found> find_who(const WhoOptions& options, const Told& told)
{
    auto who = who_is_meant(options);
    if (!who)
        return who.error();
    if (told)
        told(who->notes);
    Found found{std::make_unique<ProcessScan>(std::move(who->selection)), {}};
    auto processes = find_them(*found.scan, options);
    if (!processes)
        return processes.error();
    found.processes = std::move(*processes);
    return found;
}

void say_notes(const std::vector<std::string>& notes)
{
    for (const std::string& note : notes)
        say("epaudit: {}\n", note);
}

std::vector<uint32_t> with_epolls(const std::vector<SelectedProcess>& found)
{
    std::vector<uint32_t> pids;
    for (const SelectedProcess& one : found)
        if (one.use.epolls)
            pids.push_back(one.process->pid);
    return pids;
}

}  // namespace epaudit
