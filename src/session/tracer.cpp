// SPDX-License-Identifier: Apache-2.0
#include "src/session/tracer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "src/session/target.h"
#include "src/strace/calls.h"
#include "src/support/clock.h"

namespace epaudit {
namespace {

constexpr int kAttachMs = 10000;

Error cannot_trace(const std::string& why)
{
    return observe_error(fmt::format("strace cannot trace it: {}", why.empty() ? "it ended at once" : why),
                         "it must be a process of the same user that no debugger holds; elsewhere CAP_SYS_PTRACE, or "
                         "kernel.yama.ptrace_scope=0, is needed");
}

[[noreturn]] void become_strace(const std::string& strace, const std::string& path, const std::vector<uint32_t>& pids,
                                int messages)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ})
        ::signal(signal, SIG_DFL);
    setpgid(0, 0);  // Ctrl-C is for us: we tell it when
    dup2(messages, STDERR_FILENO);
    std::vector<std::string> words{
        strace, "-f", "-ttt", "-T", "-yy", "-s", "16", "-e", "abbrev=none", "-e", "trace=" + traced_calls(),
        "-o",   path};
    for (uint32_t pid : pids) {
        words.push_back("-p");
        words.push_back(std::to_string(pid));
    }
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    execv(arguments[0], arguments.data());
    const std::string why = fmt::format("strace: {}\n", strerror(errno));
    if (write(STDERR_FILENO, why.data(), why.size()) < 0)
        _exit(126);
    _exit(127);
}

bool says_attached(const std::string& line)
{
    return line.find("Process ") != std::string::npos && line.find(" attached") != std::string::npos;
}

}  // namespace

std::string traced_calls()
{
    std::string list;
    for (std::string_view name : calls_worth_tracing())
        list += fmt::format("{}?{}", list.empty() ? "" : ",", name);  // ?: there may be no such call on this machine
    return list;
}

Result<std::string> find_strace()
{
    const char* path = getenv("PATH");
    std::string rest = path ? path : "/usr/local/bin:/usr/bin:/bin";
    for (size_t at = 0; at <= rest.size();) {
        const size_t end = std::min(rest.find(':', at), rest.size());
        const std::string directory = rest.substr(at, end - at);
        const std::string file = fmt::format("{}/strace", directory.empty() ? "." : directory);
        struct stat info {};
        if (stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(file.c_str(), X_OK) == 0)
            return file;
        at = end + 1;
    }
    return observe_error("strace is not installed",
                         "apt install strace, dnf install strace, apk add strace; or use --source bpf as root");
}

Result<> Tracer::start(const std::string& strace, const std::vector<uint32_t>& pids)
{
    const char* place = getenv("TMPDIR");
    std::string pattern = fmt::format("{}/epaudit-XXXXXX", place && *place ? place : "/tmp");
    if (!mkdtemp(pattern.data()))
        return observe_error(fmt::format("cannot make {}: {}", pattern, strerror(errno)), "set TMPDIR to a directory");
    directory_ = pattern;
    path_ = directory_ + "/log";
    int messages[2];
    if (mkfifo(path_.c_str(), 0600) || pipe2(messages, O_CLOEXEC))
        return observe_error(fmt::format("cannot make a pipe: {}", strerror(errno)));
    messages_ = Descriptor(messages[0]);
    Descriptor their_end(messages[1]);
    held_ = Descriptor(open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    pid_ = fork();
    if (pid_ < 0)
        return observe_error(fmt::format("cannot fork: {}", strerror(errno)));
    if (pid_ == 0)
        become_strace(strace, path_, pids, their_end.get());
    return Done{};
}

// Lines of its standard error that have come.
void Tracer::read_messages(bool wait)
{
    char part[4096];
    for (;;) {
        pollfd one{messages_.get(), POLLIN, 0};
        if (!messages_ || poll(&one, 1, wait ? kAttachMs : 0) <= 0)
            return;
        const ssize_t got = read(messages_.get(), part, sizeof(part));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            messages_.reset();
            return;
        }
        unread_.append(part, static_cast<size_t>(got));
        for (size_t end; (end = unread_.find('\n')) != std::string::npos; unread_.erase(0, end + 1)) {
            std::string line = unread_.substr(0, end);
            let_go_ += line.ends_with(" detached");
            if (!attached_)
                said_.push_back(std::move(line));
        }
        if (wait)
            return;
    }
}

Result<> Tracer::wait_until_attached(size_t processes)
{
    for (;;) {
        const auto attached = static_cast<size_t>(std::count_if(said_.begin(), said_.end(), says_attached));
        if (attached >= processes) {
            attached_ = true;
            return Done{};
        }
        const size_t before = said_.size() + unread_.size();
        read_messages(true);
        if (!messages_ || said_.size() + unread_.size() == before)
            return cannot_trace(said_.empty() ? unread_ : said_.back());
    }
}

Result<std::unique_ptr<Tracer>> Tracer::attach(const std::string& strace, const std::vector<uint32_t>& pids)
{
    std::unique_ptr<Tracer> tracer(new Tracer);
    if (auto ok = tracer->start(strace, pids); !ok)
        return ok.error();
    if (auto ok = tracer->wait_until_attached(pids.size()); !ok)
        return ok.error();
    auto log = TextSource::open(tracer->path_, nullptr);
    if (!log)
        return log.error();
    tracer->log_ = std::move(*log);
    tracer->held_.reset();  // strace has it open: the log ends when strace does
    return tracer;
}

void Tracer::detach()
{
    if (pid_ > 0)
        ::kill(pid_, SIGINT);
}

void Tracer::kill()
{
    if (pid_ > 0)
        ::kill(pid_, SIGKILL);
}

size_t Tracer::let_go()
{
    drain();
    return let_go_;
}

Tracer::~Tracer()
{
    log_.reset();
    if (pid_ > 0) {
        detach();
        Descriptor gone = open_pidfd(static_cast<uint32_t>(pid_));
        pollfd wait{gone.get(), POLLIN, 0};
        if (gone && poll(&wait, 1, kAttachMs) == 0)
            kill();
        while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
    }
    if (!path_.empty())
        unlink(path_.c_str());
    if (!directory_.empty())
        rmdir(directory_.c_str());
}

}  // namespace epaudit
