// SPDX-License-Identifier: Apache-2.0
#include "src/cli/parse_who.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace epaudit {

void add_who_options(CLI::App& app, WhoOptions& who, bool words, bool users)
{
    const char* group = "Whom";
    auto add = [&](const char* name, std::vector<std::string>& into, const char* type, const char* says) {
        app.add_option(name, into, says)->type_name(type)->allow_extra_args(false)->take_all()->group(group);
    };
    add("-p,--pid", who.pids, "PID[,PID]", "processes by number, whatever else is selected");
    add("--comm", who.comms, "NAME", "by the name of the process or of its executable; a pattern as the shell's");
    add("--exe", who.exes, "GLOB", "by the path of the executable (without a slash: by its name)");
    add("--unit", who.units, "UNIT", "of a systemd unit: nginx, or nginx.service; a pattern");
    add("--container", who.containers, "NAME", "of a container: its name, its id or how that begins; a pattern");
    add("--cgroup", who.cgroups, "PATH", "in this cgroup, or below it");
    add("--pod", who.pods, "NS/NAME", "of a Kubernetes pod; a pattern");
    add("--port", who.ports, "N", "that listen on this port (TCP), or are bound to it (UDP)");
    if (users)
        add("--user", who.users, "NAME", "of this user, by name or number");
    app.add_flag("--all", who.all, "everybody that uses epoll")->group(group);
    add("--exclude", who.excludes, "WHOM",
        "but not these: a name, a path, a number, or KIND=VALUE (unit=ssh.service); epaudit itself is never watched");
    app.add_flag("--wait", who.wait, "wait for the first process that matches")->group(group);
    if (words)
        app.add_option("who", who.words, "a NAME, as --comm, or a number, as -p")->type_name("NAME")->group(group);
}

Error nobody_named(const char* command)
{
    return usage_error(fmt::format("{} needs a process", command),
                       fmt::format("epaudit {0} NAME, epaudit {0} -p PID[,PID], or --unit, --container, ...: "
                                   "epaudit {0} --help; `epaudit list` shows who uses epoll",
                                   command));
}

}  // namespace epaudit
