// SPDX-License-Identifier: Apache-2.0
// Descriptors that come, are copied and go; processes likewise.
#include <algorithm>

#include "src/strace/interpreter.h"
#include "src/strace/values.h"

namespace epaudit {
namespace {

uint8_t kind_of_socket(std::string_view domain, std::string_view type)
{
    int64_t family = 0, how = 0;
    if (parse_number(domain, family) && parse_number(type, how)) {  // strace -X raw
        const bool inet = family == 2 || family == 10;
        return family == 1 ? FILE_UNIX : !inet ? FILE_OTHER : (how & 15) == 1 ? FILE_TCP : FILE_UDP;
    }
    bool inet = has_flag(domain, "AF_INET") || has_flag(domain, "AF_INET6") || has_flag(domain, "PF_INET") ||
                has_flag(domain, "PF_INET6");
    if (inet && has_flag(type, "SOCK_STREAM"))
        return FILE_TCP;
    if (inet && has_flag(type, "SOCK_DGRAM"))
        return FILE_UDP;
    if (has_flag(domain, "AF_UNIX") || has_flag(domain, "AF_LOCAL") || has_flag(domain, "PF_LOCAL"))
        return FILE_UNIX;
    return FILE_OTHER;
}

bool keeps_messages_apart(std::string_view type)
{
    return has_flag(type, "SOCK_DGRAM") || has_flag(type, "SOCK_SEQPACKET");
}

uint8_t kind_of_opened(uint8_t call, std::string_view first, std::string_view second)
{
    switch (call) {
    case LOG_EVENTFD: return FILE_EVENTFD;
    case LOG_TIMERFD: return FILE_TIMERFD;
    case LOG_SIGNALFD: return FILE_SIGNALFD;
    case LOG_SOCKET: return kind_of_socket(first, second);
    default: return FILE_OTHER;
    }
}

}  // namespace

void Interpreter::set_nonblock(LogFile& file, bool nonblock, const LogThread& thread)
{
    file.nonblock = nonblock;
    file.nonblock_known = true;
    file.nonblock_pid = thread.process->pid;
    file.nonblock_kin = thread.kin;
}

void Interpreter::close_enters(LogThread& thread, int fd, uint64_t time)
{
    thread.process->closes = true;
    LogFile* file = world_.known_file(*thread.process, fd);
    if (!file)
        return;
    if (file->epoll && file->heirs > 0 && thread.process->epolls_inherited.erase(fd)) {
        file->heirs--;
        posting p = blank(thread, POSTING_EXEC, time);
        p.epoll = file->id;
        p.epfd = fd;
        p.flags = POSTING_LET_GO;
        post(p);
    }
    bool last = world_.close(*thread.process, fd) != nullptr;
    if (file->epoll && last)
        runs_.epoll_closed(file->id);
    release(thread, *file, fd, last, time);
}

// A number was taken away from the file. As post_close() in bpf/calls_close.h.
void Interpreter::release(LogThread& thread, LogFile& file, int fd, bool last, uint64_t time)
{
    posting p = blank(thread, POSTING_CLOSE, time);
    p.fd = fd;
    p.file = p.ino = file.id;
    p.file_kind = file.kind;
    if (last && !file.shared_unseen)
        p.flags = POSTING_LAST;
    if (last && file.epoll)
        p.epoll = file.id;
    post(p);
    if (last && !file.shared_unseen)
        world_.forget(&file);
}

bool Interpreter::opens(Call& c)
{
    if (!c.result.known || c.result.value < 0 || c.result.value > 0x7fffffff)
        return true;
    int fd = static_cast<int>(c.result.value);
    if (c.what == LOG_OTHER_FD && fd == 0)  // most commands of bpf() open nothing
        return true;
    std::string_view first = c.arguments.raw();
    std::string_view second = c.arguments.raw();
    std::string_view third = c.arguments.raw();
    if (c.what == LOG_SIGNALFD && !first.empty() && first != "-1") {
        PrintedFd old;  // signalfd(fd, ...) only changes the mask of an existing one
        if (parse_fd(first, old) && old.number == fd)
            return true;
    }
    std::string_view flags = c.what == LOG_SOCKET || c.what == LOG_EVENTFD || c.what == LOG_TIMERFD ? second
                             : c.what == LOG_OTHER_FD                                               ? first
                                                                                                    : third;
    if (c.what == LOG_SIGNALFD)
        flags = c.arguments.raw();
    uint8_t kind = kind_of_opened(c.what, first, second);
    auto either = [&](const char* a, const char* b, const char* d, const char* e, const char* o) {
        return has_flag(flags, a) || has_flag(flags, b) || has_flag(flags, d) || has_flag(flags, e) ||
               has_flag(flags, o);
    };
    bool cloexec = either("SOCK_CLOEXEC", "EFD_CLOEXEC", "TFD_CLOEXEC", "SFD_CLOEXEC", "O_CLOEXEC");
    LogFile* file = world_.open(*c.thread.process, fd, kind, cloexec, dead_);
    bury(dead_);
    if (!file)
        return true;
    set_nonblock(*file, either("SOCK_NONBLOCK", "EFD_NONBLOCK", "TFD_NONBLOCK", "SFD_NONBLOCK", "O_NONBLOCK"),
                 c.thread);
    if (c.what == LOG_SOCKET && (kind == FILE_TCP || kind == FILE_UNIX))
        file->name.family = kind == FILE_UNIX ? 1 : has_flag(first, "AF_INET6") ? 10 : 2;
    file->messages = c.what == LOG_SOCKET && keeps_messages_apart(second);
    file->mapped = c.what == LOG_OTHER_FD &&
                   (first.starts_with("BPF_") || first.starts_with("{"));  // perf_event_open()
    decorate(*file, c.result.decoration);
    return true;
}

// socketpair(AF_UNIX, SOCK_STREAM, 0, [3, 4]), pipe2([3, 4], O_NONBLOCK)
bool Interpreter::opens_pair(Call& c)
{
    if (!c.result.known || c.result.value != 0)
        return true;
    bool pipe = c.what == LOG_PIPE;
    std::string_view domain = pipe ? std::string_view() : c.arguments.raw();
    std::string_view type = pipe ? std::string_view() : c.arguments.raw();
    if (!pipe)
        c.arguments.skip(1);
    std::string_view pair = c.arguments.raw();
    std::string_view flags = pipe ? c.arguments.raw() : type;
    uint8_t kind = FILE_PIPE;
    if (!pipe)
        kind = kind_of_socket(domain, type);
    unsigned count = 0;
    for_elements(pair, [&](std::string_view element) {
        PrintedFd fd;
        if (!parse_fd(element, fd))
            return false;
        bool cloexec = has_flag(flags, pipe ? "O_CLOEXEC" : "SOCK_CLOEXEC");
        LogFile* file = world_.open(*c.thread.process, fd.number, kind, cloexec, dead_);
        bury(dead_);
        if (file) {
            set_nonblock(*file, has_flag(flags, pipe ? "O_NONBLOCK" : "SOCK_NONBLOCK"), c.thread);
            file->messages = !pipe && keeps_messages_apart(type);
        }
        return ++count < 2;
    });
    return count == 2;
}

bool Interpreter::dups(Call& c, const PrintedFd& from, int64_t to, bool cloexec)
{
    if (!c.result.known || to < 0 || to > 0x7fffffff || to == from.number)
        return true;
    LogFile* old = world_.known_file(*c.thread.process, static_cast<int>(to));
    if (old && c.what == CALL_DUP2)  // closes what was there
        close_enters(c.thread, static_cast<int>(to), c.time);
    if (!world_.dup(*c.thread.process, from.number, static_cast<int>(to), cloexec, dead_))
        return true;
    bury(dead_);
    LogFile* file = world_.known_file(*c.thread.process, from.number);
    posting p = blank(c.thread, POSTING_DUP, c.time);
    p.fd = from.number;
    p.result = to;
    p.file = p.ino = file->id;
    p.file_kind = file->kind;
    post(p);
    return true;
}

bool Interpreter::forks(Call& c)
{
    if (world_.forking == &c.thread)
        world_.forking = nullptr;
    if (!c.result.known || c.result.value <= 0 || c.result.value >= (1 << 30))
        return true;
    const uint32_t child = world_.own(static_cast<uint32_t>(c.result.value));
    bool shares = c.text.find("CLONE_FILES") != std::string_view::npos;
    if (!sight_.pids && !sight_.per_thread) {  // not followed: what the child does is not in the log
        sight_.others_unseen |= shares;
        world_.share_unseen(*c.thread.process);
    } else {
        world_.born(c.thread, child, shares);
    }
    if (shares)
        return true;
    if (const LogThread* first = world_.known_thread(child); first && first->process->pid == child)
        audit_.tables().set_process({child, first->process->comm, first->process->exe, RunState::kUnknown});
    posting p = blank(c.thread, POSTING_FORK, c.time);
    p.result = child;
    post(p);
    return true;
}

bool Interpreter::execs(Call& c)
{
    std::string_view path = c.arguments.raw();
    if (!c.result.known || c.result.value != 0)
        return true;
    sight_.birth = true;
    world_.execs(c.thread, dead_);
    bury(dead_);
    LogProcess& process = *c.thread.process;
    for (const auto& [fd, slot] : process.fds) {
        if (!slot.file->epoll || !slot.file->seen_born)
            continue;
        posting p = blank(c.thread, POSTING_EXEC, c.time);
        p.epoll = slot.file->id;
        p.epfd = fd;
        post(p);
        slot.file->heirs++;
        process.epolls_inherited.insert(fd);
    }
    if (path.size() > 2 && path.front() == '"' && path.back() == '"') {
        process.exe = printed_bytes(path.substr(1, path.size() - 2));
        process.comm = process.exe.substr(process.exe.find_last_of('/') + 1).substr(0, 15);
        audit_.tables().set_process({process.pid, process.comm, process.exe, RunState::kUnknown});
    }
    return true;
}

}  // namespace epaudit
