// SPDX-License-Identifier: Apache-2.0
#include "src/session/target.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
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

#include "src/support/descriptor_limit.h"
#include "src/support/proc.h"
#include "src/support/say.h"
#include "src/workload/workloads.h"

namespace epaudit {
namespace {

constexpr int kEndGraceMs = 5000;

// As a login of that user would have it, but for what the caller set on purpose.
void become_user(const Caller& user)
{
    if (user.name.empty() ? setgroups(0, nullptr) : initgroups(user.name.c_str(), user.gid))
        _exit(126);
    if (setresgid(user.gid, user.gid, user.gid) || setresuid(user.uid, user.uid, user.uid))
        _exit(126);
    const std::pair<const char*, const std::string&> names[] = {
        {"HOME", user.home}, {"SHELL", user.shell}, {"USER", user.name}, {"LOGNAME", user.name}};
    for (const auto& [name, value] : names)
        if (!value.empty())
            setenv(name, value.c_str(), 1);
    for (const char* name : {"SUDO_UID", "SUDO_GID", "SUDO_USER", "SUDO_COMMAND", "MAIL"})
        unsetenv(name);
}

[[noreturn]] void become(const std::vector<std::string>& command, const std::optional<Caller>& user, int start,
                         int failed)
{
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (user)
        become_user(*user);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    restore_signals_of_writing();
    restore_descriptor_limit();
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);  // where Yama lets only parents trace: strace is our child, as this is
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

std::string left_running_text(size_t descendants)
{
    return fmt::format("{} of its descendants still run and are no longer observed; --wait-all waits for them",
                       descendants);
}

Result<std::optional<Caller>> command_user(const AsWhom& whom)
{
    if (!whom.user.empty() && whom.as_root)
        return usage_error("--user and --as-root are two answers to one question", "leave one of them away");
    if (whom.as_root)
        return std::optional<Caller>();
    if (whom.user.empty()) {
        const auto caller = sudo_caller();
        return caller ? std::optional(looked_up(*caller)) : std::nullopt;
    }
    auto user = user_named(whom.user);
    if (!user)
        return usage_error(fmt::format("no user '{}'", whom.user), "getent passwd lists them");
    if (user->uid == geteuid())
        return std::optional<Caller>();
    if (geteuid() != 0)
        return usage_error(fmt::format("only root can run a command as {}", whom.user), "sudo epaudit run ...");
    return user;
}

Result<Command> Command::start(const std::vector<std::string>& command, const std::optional<Caller>& user)
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
        become(command, user, start_read.get(), failed_write.get());
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

Result<Pids> parse_pids(const std::string& text)
{
    Pids found;
    for (size_t at = 0; at <= text.size();) {
        const size_t comma = std::min(text.find(',', at), text.size());
        const std::string word = text.substr(at, comma - at);
        at = comma + 1;
        if (word.empty() && text.find(',') != std::string::npos)
            return usage_error(fmt::format("an entry of '{}' is empty", text), "give numbers: -p 1234 or -p 1234,5678");
        if (word.empty() || word.size() > 9 || word.find_first_not_of("0123456789") != std::string::npos)
            return usage_error(fmt::format("'{}' is not a process id", word), "give numbers: -p 1234 or -p 1234,5678");
        const auto tid = static_cast<uint32_t>(std::stoul(word));
        const uint32_t pid = process_of(tid);
        if (!pid)
            return observe_error(fmt::format("no process {}", tid), "pgrep NAME finds the id of a running program");
        if (pid != tid)
            found.notes.push_back(fmt::format("{} is a thread of process {}, all of which is watched", tid, pid));
        if (std::find(found.pids.begin(), found.pids.end(), pid) != found.pids.end())
            continue;
        auto process = ProcessHandle::open(pid);
        if (!process)
            return observe_error(fmt::format("process {} has ended", pid),
                                 "pgrep NAME finds the id of a running program");
        found.pids.push_back(pid);
        found.processes.push_back(std::move(*process));
    }
    return found;
}

bool have_ended(const std::vector<ProcessHandle>& processes)
{
    return std::all_of(processes.begin(), processes.end(), [](const ProcessHandle& one) { return one.ended(); });
}

ProcessInfo program_of(uint32_t pid)
{
    std::error_code ignored;
    ProcessInfo info{pid, read_comm(pid),
                     std::filesystem::read_symlink(fmt::format("/proc/{}/exe", living_thread(pid)), ignored).string()};
    info.workload = Workloads().of(pid);
    return info;
}

std::vector<Descendant> descendants(const std::vector<uint32_t>& pids)
{
    std::multimap<uint32_t, Descendant> children;
    for (uint32_t pid : numbers_in("/proc"))
        if (const auto stat = read_proc_stat(pid))
            children.emplace(stat->parent, Descendant{pid, stat->started_ticks});
    std::set<uint32_t> found(pids.begin(), pids.end());
    std::vector<uint32_t> todo = pids;
    std::vector<Descendant> out;
    while (!todo.empty()) {
        uint32_t parent = todo.back();
        todo.pop_back();
        for (auto [at, end] = children.equal_range(parent); at != end; ++at)
            if (found.insert(at->second.pid).second) {
                out.push_back(at->second);
                todo.push_back(at->second.pid);
            }
    }
    return out;
}

}  // namespace epaudit
