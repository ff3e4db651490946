// SPDX-License-Identifier: Apache-2.0
// What /proc adds to a look at the interest lists. All of it takes ptrace access to the process; the look says so
// where it has none.
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "src/books/describe.h"
#include "src/books/duration.h"
#include "src/capture/live_inspect_impl.h"
#include "src/support/proc.h"

namespace epaudit {
namespace {

constexpr size_t kMostDetails = 4096;

std::optional<std::string> read_file(const std::string& path)
{
    std::ifstream in(path);
    if (!in)
        return std::nullopt;
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

std::optional<std::string> fdinfo(const Holder& holder)
{
    return read_file(fmt::format("/proc/{}/fdinfo/{}", living_thread(holder.pid), holder.fd));
}

// The rest of the line that begins with `key`, after its colon; none: there is no such line.
std::optional<std::string> field(const std::string& text, const std::string& key)
{
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        if (line.rfind(key + ":", 0) != 0)
            continue;
        size_t at = line.find_first_not_of(" \t", key.size() + 1);
        return at == std::string::npos ? std::string() : line.substr(at);
    }
    return std::nullopt;
}

std::vector<ListedTarget> targets_in(const std::string& text)
{
    std::vector<ListedTarget> out;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        ListedTarget one;
        unsigned long long data = 0;
        if (sscanf(line.c_str(), "tfd: %d events: %x data: %llx", &one.fd, &one.mask, &data) != 3)
            continue;
        one.data = data;
        out.push_back(one);
    }
    return out;
}

// Removes each target that a registration accounts for.
void remove_known(std::vector<ListedTarget>& targets, const InterestList& list)
{
    for (const Registration& r : list.registrations) {
        auto at = std::find_if(targets.begin(), targets.end(),
                               [&](const ListedTarget& t) { return t.fd == r.fd && t.data == r.data; });
        if (at == targets.end())
            at = std::find_if(targets.begin(), targets.end(), [&](const ListedTarget& t) { return t.fd == r.fd; });
        if (at != targets.end())
            targets.erase(at);
    }
}

// The timeout of a thread that sleeps in epoll_wait, from its system call's arguments.
std::optional<int> timeout_of(const Waiter& waiter)
{
    std::ifstream in(fmt::format("/proc/{}/task/{}/syscall", waiter.pid, waiter.tid));
    std::string word[5];
    if (!(in >> word[0] >> word[1] >> word[2] >> word[3] >> word[4]))
        return std::nullopt;
    long number = std::strtol(word[0].c_str(), nullptr, 10);
    uint64_t timeout = std::strtoull(word[4].c_str(), nullptr, 16);
    if (number == SYS_epoll_pwait2)
        return timeout ? std::nullopt : std::optional(-1);
    bool waits = number == SYS_epoll_pwait;
#ifdef SYS_epoll_wait
    waits = waits || number == SYS_epoll_wait;
#endif
    if (!waits)
        return std::nullopt;
    return std::max(static_cast<int>(timeout), -1);
}

std::string signals_text(const std::string& mask)
{
    uint64_t bits = std::strtoull(mask.c_str(), nullptr, 16);
    std::string text;
    for (int signal = 1; signal <= 64; signal++) {
        if (!(bits >> (signal - 1) & 1))
            continue;
        const char* name = signal < SIGRTMIN ? sigabbrev_np(signal) : nullptr;
        text += text.empty() ? "" : ",";
        text += name ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
    }
    return text.empty() ? "none" : text;
}

uint64_t timespec_ns(const std::string& text)
{
    unsigned long long seconds = 0, ns = 0;
    return sscanf(text.c_str(), "(%llu, %llu)", &seconds, &ns) == 2 ? seconds * NSEC_PER_SEC + ns : 0;
}

void add_timer(OpenFile& file, const std::string& text)
{
    uint64_t left = timespec_ns(field(text, "it_value").value_or(""));
    uint64_t interval = timespec_ns(field(text, "it_interval").value_or(""));
    file.details.emplace_back("expires", left ? "in " + duration_text(left) : "never");
    if (interval)
        file.details.emplace_back("every", duration_text(interval));
}

void add_other(OpenFile& file, const Holder& holder, const std::string& text)
{
    if (auto pid = field(text, "Pid")) {
        file.kind = "pidfd";
        file.details = {{"process", *pid}};
        return;
    }
    size_t watches = 0;
    for (size_t at = text.find("inotify wd:"); at != std::string::npos; at = text.find("inotify wd:", at + 1))
        watches++;
    if (file.kind == "inotify")
        file.details.emplace_back("watches", std::to_string(watches));
    std::error_code failed;
    std::string path = std::filesystem::read_symlink(
        fmt::format("/proc/{}/fd/{}", living_thread(holder.pid), holder.fd), failed);
    if (!failed && path.rfind('/', 0) == 0)
        file.details = {{"path", path}};
}

void add_detail(OpenFile& file, const Holder& holder)
{
    std::optional<std::string> text = fdinfo(holder);
    if (!text)
        return;
    switch (file.file_kind) {
    case FILE_TIMERFD: return add_timer(file, *text);
    case FILE_SIGNALFD:
        file.details.emplace_back("signals", signals_text(field(*text, "sigmask").value_or("")));
        return;
    case FILE_EVENTFD:
        if (field(*text, "eventfd-semaphore").value_or("0") == "1")
            file.details.emplace_back("semaphore", "yes");
        return;
    default: return add_other(file, holder, *text);
    }
}

bool has_details(uint8_t kind)
{
    return kind == FILE_TIMERFD || kind == FILE_SIGNALFD || kind == FILE_EVENTFD || kind == FILE_OTHER ||
           kind == FILE_INOTIFY || kind == FILE_PIDFD || kind == FILE_TTY;
}

}  // namespace

Unreached unreached(InterestLook& look)
{
    Unreached out;
    bool refused = false;
    for (const InterestList& list : look.lists) {
        if (list.registrations.size() > kMostInFdinfo) {
            look.notes.push_back(
                fmt::format("pid {} epoll fd {} has {} registrations: fdinfo, which may know of more, is not "
                            "read, because the kernel locks the epoll meanwhile",
                            list.holders[0].pid, list.holders[0].fd, list.registrations.size()));
            continue;
        }
        errno = 0;
        std::optional<std::string> text = fdinfo(list.holders[0]);
        if (!text) {
            refused |= errno == EACCES || errno == EPERM;
            continue;
        }
        std::vector<ListedTarget> targets = targets_in(*text);
        remove_known(targets, list);
        if (!targets.empty())
            out[list.id] = std::move(targets);
    }
    if (refused)
        look.notes.push_back(
            "without CAP_SYS_PTRACE another user's /proc/PID cannot be read: missing are the timeouts of "
            "waiting threads, the settings of timers, signal masks, paths, and registrations of files that "
            "no descriptor leads to");
    return out;
}

void add_details(InterestLook& look)
{
    size_t left = kMostDetails;
    for (InterestList& list : look.lists) {
        for (Waiter& waiter : list.waiters)
            waiter.timeout_ms = timeout_of(waiter);
        for (Registration& r : list.registrations) {
            if (!has_details(r.open.file_kind) || r.holders.empty() || !left)
                continue;
            add_detail(r.open, r.holders[0]);
            left--;
        }
    }
}

}  // namespace epaudit
