// SPDX-License-Identifier: Apache-2.0
// What is pasted as a log of strace and is the output of another tool.
#include "src/strace/other_tool.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "src/strace/characters.h"
#include "src/strace/shape.h"

namespace epaudit {
namespace {

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

constexpr const char* kHow = "strace -f -ttt -T -o log -p PID writes a log that can be read here: epaudit strace log";
constexpr const char* kKqueue = "truss, kdump or dtruss (kqueue, of BSD or macOS)";
constexpr const char* kSystemTap = "SystemTap";
constexpr const char* kPorts = "truss (event ports, of illumos or Solaris)";

struct Sign {
    const char* part;
    const char* more;  // stands in the line as well; "": no more is needed
    const char* tool;
};

// What lines of these tools have, and those of strace do not. Of them gVisor prints events as strace does.
constexpr Sign kSure[] = {{"strace.go:", "] ", "gVisor (runsc --strace)"},
                          {" X epoll_", ", 0x", "gVisor (runsc --strace)"},
                          {" E epoll_", ", 0x", "gVisor (runsc --strace)"},
                          {"SYSCALL[", "sys_", "valgrind --trace-syscalls"},
                          {"# DURATION", "FUNCTION", "uftrace"},
                          {" us [", "] |", "uftrace"},
                          {" ms [", "] |", "uftrace"}};

// What may also be the program's own output, in a log of strace.
constexpr Sign kLikely[] = {{"kevent(", ")", kKqueue},
                            {"kevent64(", ")", kKqueue},
                            {"kevent_qos(", ")", kKqueue},
                            {"EVFILT_", "", kKqueue},
                            {"  CALL  ", "(", kKqueue},
                            {"  RET   ", "", kKqueue},
                            {"port_getn(", ")", kPorts},
                            {"portfs(PORT_GET", ")", kPorts},
                            {"type=SYSCALL msg=audit(", "", "auditd"},
                            {"syscall.epoll_", "", kSystemTap},
                            {"-> ", "epoll_", kSystemTap},
                            {"<- ", "epoll_", kSystemTap},
                            {"epoll_", "epfd=", "traceloop (Inspektor Gadget)"},
                            {"syscall_entry_epoll", "{", "LTTng"},
                            {"syscall_exit_epoll", "{", "LTTng"}};

void count_signs(std::string_view line, std::map<std::string, unsigned>& sure, std::map<std::string, unsigned>& votes)
{
    for (const Sign& sign : kSure)
        if (has(line, sign.part) && has(line, sign.more)) {
            sure[sign.tool]++;
            break;
        }
    for (const Sign& sign : kLikely)
        votes[sign.tool] += has(line, sign.part) && has(line, sign.more);
}

// "1234 epoll_wait(4,274886295984,64,-1,0,0) = 1": strace has a space behind each comma.
bool is_qemu(std::string_view line, size_t call)
{
    if (call == std::string_view::npos || !line.substr(call).starts_with("epoll_"))  // truss has none either
        return false;
    const size_t open = line.find('(', call);
    const size_t comma = open == std::string_view::npos ? open : line.find(',', open);
    return comma != std::string_view::npos && comma + 1 < line.size() && line[comma + 1] != ' ' && comma > open + 1 &&
           std::all_of(line.begin() + static_cast<std::ptrdiff_t>(open) + 1,
                       line.begin() + static_cast<std::ptrdiff_t>(comma),
                       [](unsigned char c) { return std::isdigit(c); });
}

// "nginx(1234) epoll_wait(4, 0x7ffd, 64, -1) = 1", "nginx[1234] ...": a program, its pid, and events as an address.
bool is_systemtap(std::string_view line, size_t call)
{
    if (call == std::string_view::npos || call < 4 || line[call - 1] != ' ')
        return false;
    const char close = line[call - 2];
    size_t at = call - 2;
    while (at > 0 && std::isdigit(static_cast<unsigned char>(line[at - 1])))
        at--;
    const char open = at ? line[at - 1] : ' ';
    return at < call - 2 && at > 1 && ((open == '(' && close == ')') || (open == '[' && close == ']')) &&
           std::isalnum(static_cast<unsigned char>(line[at - 2]));
}

// The one with the most votes, if they are `least` and more.
std::string most_of(const std::map<std::string, unsigned>& votes, size_t least)
{
    std::string best;
    size_t most = std::max<size_t>(least, 2) - 1;
    for (const auto& [tool, count] : votes)
        if (count > most) {
            best = tool;
            most = count;
        }
    return best;
}

std::string hint_for(const std::string& tool)
{
    if (tool == "a summary of strace -c")
        return std::string("leave -c away: ") + kHow;
    if (tool == kKqueue || tool == kPorts)
        return "epaudit looks at epoll, which only Linux has";
    return kHow;
}

}  // namespace

std::string other_tool(const std::vector<std::string>& head, std::string& hint)
{
    std::map<std::string, unsigned> votes, sure;
    unsigned events = 0;
    for (const std::string& raw : head) {
        std::string_view line = raw;
        count_signs(line, sure, votes);
        events += has(line, "{EPOLL") || has(line, "{{EPOLL") || has(line, "{events=") || has(line, "{u32=");
        if (has(line, "% time") && has(line, "calls"))
            votes["a summary of strace -c"] += 100;
        if (has(line, " ms): ") || has(line, "epfd: ") || has(line, "(epfd:"))
            votes["perf trace or ftrace"]++;
        if (has(line, "syscalls:sys_enter_") || has(line, "sys_enter_epoll") || has(line, "sys_epoll_wait("))
            votes["perf script, trace-cmd or bpftrace"]++;
        if (has(line, "> epoll_") || has(line, "< epoll_") || has(line, ") > ") || has(line, ") < res="))
            votes["sysdig"]++;
        const size_t call = find_call(line);
        votes["qemu-user (-strace)"] += is_qemu(line, call);
        if (is_systemtap(line, call) && has(line, "epoll_") && has(line, ", 0x") && !has(line, " = -1"))
            votes[kSystemTap]++;
        if ((has(line, "Attaching ") && has(line, "probe")) || is_map(line))
            votes["bpftrace"] += 2;
        if (has(line, "SYS_epoll") || has(line, "@SYS(") || has(line, "->epoll_") || has(line, "<no return ...>"))
            votes["ltrace"]++;
        if (size_t at = line.find("epoll_wait("); at != std::string_view::npos) {
            size_t comma = line.find(", ", at);
            // strace -e raw=all prints the descriptor so, too.
            if (comma != std::string_view::npos && line.substr(comma + 2, 2) == "0x" && !has(line, "= 0 ") &&
                line.substr(at, 13) != "epoll_wait(0x" &&
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
    // A program may write such lines, too: then most lines say so in strace's own words.
    std::string best = most_of(sure, head.size() / 4);
    if (best.empty() && !events)
        best = most_of(votes, 2);
    hint = hint_for(best);
    return best;
}

}  // namespace epaudit
