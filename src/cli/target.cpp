// SPDX-License-Identifier: Apache-2.0
#include "src/cli/target.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace epaudit {
namespace {

constexpr int kEndGraceMs = 5000;

[[noreturn]] void become(const std::vector<std::string>& command, int start, int failed)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    char byte;
    while (read(start, &byte, 1) < 0 && errno == EINTR) {}
    std::vector<char*> arguments;
    for (const std::string& word : command)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    int error = errno;
    if (write(failed, &error, sizeof(error)) < 0)
        _exit(126);
    _exit(127);
}

Error cannot_execute(const std::string& name, int error)
{
    return usage_error(fmt::format("cannot execute {}: {}", name, strerror(error)),
                       error == ENOENT ? "give the path of a program, or one that is in PATH" : "");
}

}  // namespace

Result<> find_command(const std::string& name)
{
    const char* path = getenv("PATH");
    const bool searched = name.find('/') == std::string::npos;
    if (searched && !path)
        return Done{};  // libc knows where to look
    int error = ENOENT;
    auto is_there = [&](const std::string& file) {
        if (access(file.c_str(), F_OK) == 0)
            return true;
        if (errno == EACCES)  // it may be there, in a directory that is closed to us
            error = EACCES;
        return false;
    };
    bool found = !searched && is_there(name);
    std::istringstream directories(searched ? path : "");
    for (std::string directory; !found && std::getline(directories, directory, ':');)
        found = is_there(fmt::format("{}/{}", directory.empty() ? "." : directory, name));
    if (!found)
        return cannot_execute(name, error);
    return Done{};
}

Result<Command> Command::start(const std::vector<std::string>& command)
{
    int start[2], failed[2];
    if (pipe2(start, O_CLOEXEC) || pipe2(failed, O_CLOEXEC))
        return observe_error(fmt::format("cannot make a pipe: {}", strerror(errno)));
    Command child;
    child.command_ = command[0];
    Descriptor start_read(start[0]), failed_write(failed[1]);
    child.start_ = Descriptor(start[1]);
    child.failed_ = Descriptor(failed[0]);
    child.pid_ = fork();
    if (child.pid_ < 0)
        return observe_error(fmt::format("cannot fork: {}", strerror(errno)));
    if (child.pid_ == 0) {
        child.start_.reset();  // or our own copy would keep us waiting
        become(command, start_read.get(), failed_write.get());
    }
    return child;
}

Result<> Command::go()
{
    start_.reset();
    int error = 0;
    ssize_t got;
    while ((got = read(failed_.get(), &error, sizeof(error))) < 0 && errno == EINTR) {}
    failed_.reset();
    if (got != sizeof(error))
        return Done{};
    reap(true);
    return cannot_execute(command_, error);
}

std::optional<ExitStatus> Command::reap(bool block)
{
    int status = 0;
    if (status_)
        return status_;
    pid_t got;
    while ((got = waitpid(pid_, &status, block ? 0 : WNOHANG)) < 0 && errno == EINTR) {}
    if (got != pid_)
        return std::nullopt;
    if (WIFSIGNALED(status))
        status_ = ExitStatus{true, WTERMSIG(status)};
    else
        status_ = ExitStatus{false, WEXITSTATUS(status)};
    return status_;
}

ExitStatus Command::end()
{
    if (start_) { /* never let go: it must not run the command now */
        kill(pid_, SIGKILL);
        return *reap(true);
    }
    if (auto done = reap(false))
        return *done;
    Descriptor gone = open_pidfd(static_cast<uint32_t>(pid_));
    kill(pid_, SIGTERM);
    pollfd wait{gone.get(), POLLIN, 0};
    if (poll(&wait, 1, kEndGraceMs) == 0)
        kill(pid_, SIGKILL);
    return *reap(true);
}

Result<std::vector<uint32_t>> parse_pids(const std::string& text)
{
    std::vector<uint32_t> pids;
    size_t at = 0;
    while (at <= text.size()) {
        size_t comma = std::min(text.find(',', at), text.size());
        std::string word = text.substr(at, comma - at);
        if (word.empty() || word.size() > 9 || word.find_first_not_of("0123456789") != std::string::npos)
            return usage_error(fmt::format("'{}' is not a process id", word), "give numbers: -p 1234 or -p 1234,5678");
        auto pid = static_cast<uint32_t>(std::stoul(word));
        if (access(fmt::format("/proc/{}/task/{}", pid, pid).c_str(), F_OK) != 0) {
            if (access(fmt::format("/proc/{}", pid).c_str(), F_OK) == 0)
                return usage_error(fmt::format("{} is a thread, not a process", pid),
                                   "give its process: Tgid in /proc/" + word + "/status");
            return observe_error(fmt::format("no process {}", pid), "pgrep NAME finds the id of a running program");
        }
        pids.push_back(pid);
        at = comma + 1;
    }
    return pids;
}

Descriptor open_pidfd(uint32_t pid) { return Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }

bool is_running(uint32_t pid)
{
    std::ifstream in(fmt::format("/proc/{}/stat", pid));
    std::string line;
    std::getline(in, line);
    size_t close = line.rfind(')');
    return close != std::string::npos && close + 2 < line.size() && line[close + 2] != 'Z' && line[close + 2] != 'X';
}

std::vector<uint32_t> descendants(const std::vector<uint32_t>& pids)
{
    std::multimap<uint32_t, uint32_t> children;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos)
            continue;
        std::ifstream in(entry.path() / "stat");
        std::string line;
        std::getline(in, line);
        size_t close = line.rfind(')');
        char state;
        uint32_t parent;
        if (close != std::string::npos && sscanf(line.c_str() + close + 1, " %c %u", &state, &parent) == 2)
            children.emplace(parent, static_cast<uint32_t>(std::stoul(name)));
    }
    std::set<uint32_t> found(pids.begin(), pids.end());
    std::vector<uint32_t> todo = pids, out;
    while (!todo.empty()) {
        uint32_t parent = todo.back();
        todo.pop_back();
        for (auto [at, end] = children.equal_range(parent); at != end; ++at)
            if (found.insert(at->second).second) {
                out.push_back(at->second);
                todo.push_back(at->second);
            }
    }
    return out;
}

}  // namespace epaudit
