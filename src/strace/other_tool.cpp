// SPDX-License-Identifier: Apache-2.0
// What is pasted as a log of strace and is the output of another tool.
#include "src/strace/other_tool.h"

#include <cctype>
#include <map>

#include "src/strace/shape.h"

namespace epaudit {
namespace {

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// "@[redis]: 12", "@us[epoll_wait]:", "@total: 7". "@@ -1,7 +1,9 @@" is a patch's.
bool is_map(std::string_view line)
{
    if (line.substr(0, 1) != "@")
        return false;
    size_t end = 1;
    while (end < line.size() && (std::isalnum(static_cast<unsigned char>(line[end])) || line[end] == '_'))
        end++;
    const bool key = end < line.size() && line[end] == '[';
    return key || (end > 1 && line.substr(end, 1) == ":");
}

}  // namespace

std::string other_tool(const std::vector<std::string>& head, std::string& hint)
{
    constexpr const char* kHow =
        "strace -f -ttt -T -o log -p PID writes a log that can be read here: epaudit strace log";
    std::map<std::string, unsigned> votes;
    unsigned events = 0;
    for (const std::string& raw : head) {
        std::string_view line = raw;
        events += has(line, "{EPOLL") || has(line, "{{EPOLL") || has(line, "{events=") || has(line, "{u32=");
        if (has(line, "% time") && has(line, "calls"))
            votes["a summary of strace -c"] += 100;
        if (has(line, " ms): ") || has(line, "epfd: ") || has(line, "(epfd:"))
            votes["perf trace or ftrace"]++;
        if (has(line, "syscalls:sys_enter_") || has(line, "sys_enter_epoll") || has(line, "sys_epoll_wait("))
            votes["perf script, trace-cmd or bpftrace"]++;
        if (has(line, "> epoll_") || has(line, "< epoll_") || has(line, ") > ") || has(line, ") < res="))
            votes["sysdig"]++;
        if ((has(line, "Attaching ") && has(line, "probe")) || is_map(line))
            votes["bpftrace"] += 2;
        if (has(line, "SYS_epoll") || has(line, "@SYS(") || has(line, "->epoll_") || has(line, "<no return ...>"))
            votes["ltrace"]++;
        if (size_t at = line.find("epoll_wait("); at != std::string_view::npos) {
            size_t comma = line.find(", ", at);
            if (comma != std::string_view::npos && line.substr(comma + 2, 2) == "0x" && !has(line, "= 0 ") &&
                (has(line, "0xffffffff") || (has(line, " = 0x") && !has(line, "u32"))))
                votes["ltrace"]++;
        }
        if (size_t at = line.rfind(" = 0x"); at != std::string_view::npos && has(line, "resumed> )"))
            votes["ltrace"]++;
        for (std::string_view library : {"malloc(", "strlen(", "memcpy(", "pthread_", "strcmp("})
            if (has(line, library) && find_call(line) == std::string_view::npos)
                votes["ltrace"]++;
        if (has(line, "#0 ") && has(line, "epoll_wait (epfd"))
            votes["a backtrace of gdb"] += 2;
    }
    hint = kHow;
    if (events)
        return {};
    std::string best;
    unsigned most = 1;
    for (const auto& [tool, count] : votes)
        if (count > most) {
            best = tool;
            most = count;
        }
    if (best == "a summary of strace -c")
        hint = std::string("leave -c away: ") + kHow;
    return best;
}

}  // namespace epaudit
