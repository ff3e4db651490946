// SPDX-License-Identifier: Apache-2.0
#include "src/strace/interpreter.h"

#include <algorithm>
#include <cerrno>

namespace epaudit {
namespace {

// Who sent it is printed with what was received: TCP says nobody. Nor does it mark the ends of records.
bool is_datagram(uint8_t call, std::string_view text)
{
    return (call == CALL_RECVFROM && text.find("sa_family=AF_INET") != std::string_view::npos) ||
           (call == CALL_RECVMSG && (text.find("sa_family=AF_INET") != std::string_view::npos ||
                                     text.find("MSG_EOR") != std::string_view::npos));
}

}  // namespace

posting Interpreter::blank(const LogThread& thread, uint8_t kind, uint64_t time)
{
    now_ = std::max(now_, time);  // -T may place an end behind the next line's time stamp by its rounding
    posting p{};
    p.time = now_;
    p.kind = kind;
    p.tgid = thread.process->pid;
    p.tid = thread.tid;
    p.epfd = -1;
    p.fd = -1;
    return p;
}

// Files that ended without a close of their own: by exit, exec, or because their number came back as another's.
void Interpreter::bury(std::vector<LogFile*>& dead)
{
    for (LogFile* file : dead) {
        audit_.tables().forget_file(file->id, file->epoll ? file->id : 0);
        world_.forget(file);
    }
    dead.clear();
}

void Interpreter::enters(LogThread& thread, uint8_t call, std::string_view text, uint64_t time)
{
    if (call == LOG_MQ)
        call = CALL_READ;
    if (thread.reads)
        read_returns(thread);
    switch (call) {
    case CALL_EPOLL_WAIT:
    case CALL_EPOLL_PWAIT2: wait_enters(thread, call, text, time); break;
    case CALL_CLOSE: {
        PrintedFd fd;
        if (Arguments(text).fd(fd))
            close_enters(thread, fd.number, time);
        break;
    }
    case CALL_ACCEPT: call_enters(thread, call, text, time); break;
    default:
        if (call >= CALL_READ && call <= CALL_SENDMMSG)
            call_enters(thread, call, text, time);
        break;
    }
}

// A call that may sleep begins on a file known to block (as post_enter() in bpf/calls_io.h), or that takes input.
void Interpreter::call_enters(LogThread& thread, uint8_t call, std::string_view text, uint64_t time)
{
    PrintedFd fd;
    if (!Arguments(text).fd(fd))
        return;
    LogFile* file = world_.known_file(*thread.process, fd.number);
    if (file && (call == CALL_READ || call == CALL_READV || call == CALL_RECVFROM || call == CALL_RECVMSG))
        read_enters(thread, *file, text, time);
    if (!file || !world_.blocks(*file, thread) || file->kind < FILE_TCP || file->kind > FILE_PIPE ||
        has_flag(text, "MSG_DONTWAIT"))
        return;
    posting p = blank(thread, POSTING_ENTER, time);
    p.fd = fd.number;
    p.file = p.ino = file->id;
    p.file_kind = file->kind;
    post(p);
}

void Interpreter::note_failed_wait(int64_t error)
{
    if (error != -EBADF && error != -EINVAL && error != -EFAULT)
        return;
    counts_.failed_waits++;
    counts_.wait_error = static_cast<int>(-error);
}

// Does the file whose input this call found at its end keep messages apart?
bool Interpreter::takes_messages(const LogThread& thread, uint8_t call, std::string_view text,
                                 const PrintedResult& result) const
{
    PrintedFd subject;
    if (!takes_input(call) || !result.known || result.value != 0 || !Arguments(text).fd(subject))
        return false;
    const LogFile* file = world_.known_file(*thread.process, subject.number);
    return file && file->messages;
}

bool Interpreter::closes_range(const Call& c)
{
    int64_t first = 0, last = 0;
    if (!c.arguments.number(first) || !c.arguments.number(last))
        return false;
    if (c.result.value != 0 || has_flag(c.arguments.raw(), "CLOSE_RANGE_CLOEXEC"))
        return true;
    std::vector<int> closed;
    for (const auto& [fd, slot] : c.thread.process->fds)
        if (fd >= first && fd <= (last < 0 ? INT64_MAX : last))
            closed.push_back(fd);
    std::sort(closed.begin(), closed.end());
    for (int fd : closed)
        close_enters(c.thread, fd, c.time);
    return true;
}

bool Interpreter::dup_returns(Call& c)
{
    PrintedFd from, to;
    if (!c.arguments.fd(from) || (c.what == CALL_DUP2 && !c.arguments.fd(to)))
        return false;
    return dups(c, from, c.result.value, has_flag(c.arguments.raw(), "O_CLOEXEC"));
}

bool Interpreter::exits(LogThread& thread, uint8_t call, std::string_view text, Arguments& arguments,
                        const PrintedResult& result, uint64_t time)
{
    const bool message = call == LOG_MQ || is_datagram(call, text);
    if (call == LOG_MQ)
        call = CALL_READ;
    Call c{thread, call, text, arguments, result, time, message};
    counts_.calls++;
    sight_.network |= is_of_network(call);
    counts_.succeeded += result.known && result.value >= 0;
    if (call == CALL_EPOLL_WAIT || call == CALL_EPOLL_PWAIT2)
        note_failed_wait(result.value);
    runs_.called(thread.process->pid, thread.tid, call, text, result,
                 message || takes_messages(thread, call, text, result));
    if (thread.reads)
        read_returns(thread);
    switch (call) {
    case CALL_EPOLL_WAIT:
    case CALL_EPOLL_PWAIT2: return wait_returns(c);
    case CALL_EPOLL_CTL: return ctl(c);
    case CALL_EPOLL_CREATE: return create(c);
    case CALL_ACCEPT: return accept(c);
    case CALL_SPLICE:
    case CALL_TEE:
    case CALL_SENDFILE: return transfer(c);
    case CALL_CONNECT:
    case LOG_BIND: return connect(c);
    case CALL_FCNTL: return fcntl(c);
    case CALL_IOCTL: return ioctl(c);
    case CALL_SHUTDOWN:
    case CALL_SETTIME:
    case CALL_GETSOCKOPT:
    case CALL_FUTEX:
    case LOG_LISTEN: return other(c);
    case CALL_CLOSE: return true;  // when it began
    case CALL_CLOSE_RANGE: return closes_range(c);
    case CALL_DUP:
    case CALL_DUP2: return dup_returns(c);
    case LOG_SOCKETPAIR:
    case LOG_PIPE: return opens_pair(c);
    case LOG_FORK: return forks(c);
    case LOG_EXEC: return execs(c);
    case LOG_URING:
        thread.process->uses_uring = true;
        post(blank(thread, POSTING_URING, time));
        return true;
    case LOG_EVERYDAY: sight_.everything = true; return true;
    case LOG_AT: return true;
    default: return opens_descriptor(call) ? opens(c) : io(c);
    }
}

LogPlace Interpreter::place(const LogThread& thread, uint64_t epoll, int epfd) const
{
    return {epoll, epfd, thread.process->pid, thread.tid};
}

std::vector<LogRun> Interpreter::runs() const
{
    std::vector<LogRun> runs = runs_.list(sight_);
    for (LogRun& run : runs) {
        auto process = world_.processes().find(run.pid);
        const LogFile* file = run.fd < 0 || process == world_.processes().end()
                                  ? nullptr
                                  : world_.known_file(*process->second, run.fd);
        if (!file)
            continue;
        run.file = file->id;
        run.kind = file->kind;
        if (run.cause == LogRun::Cause::kUnread && file->mapped)
            run.doubt = "a ring buffer of perf or BPF is read without a call";
    }
    return runs;
}

// Findings about an epoll may name it after its end, and ask whether it has ended.
void Interpreter::process_ends(const LogProcess& process)
{
    runs_.gone(process.pid);
    const bool polled = std::any_of(process.fds.begin(), process.fds.end(),
                                    [](const auto& fd) { return fd.second.file->epoll != nullptr; });
    if (polled)
        audit_.tables().set_process({process.pid, process.comm, process.exe, RunState::kGone});
    else
        audit_.tables().forget_process(process.pid);
}

void Interpreter::thread_exits(uint32_t tid, uint64_t time)
{
    LogThread* thread = world_.known_thread(tid);
    if (!thread)
        return;
    if (thread->reads)
        read_returns(*thread);
    post(blank(*thread, POSTING_EXIT, time));
    if (thread->process->threads == 1)
        process_ends(*thread->process);
    world_.exits(tid, dead_);
    bury(dead_);
}

}  // namespace epaudit
