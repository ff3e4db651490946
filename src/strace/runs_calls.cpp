// SPDX-License-Identifier: Apache-2.0
// What a call between two returns does to the runs.
#include <algorithm>
#include <utility>

#include "bpf/ledger_limits.h"
#include "bpf/posting.h"
#include "src/strace/calls.h"
#include "src/strace/runs.h"

namespace epaudit {
namespace {

// A pending error is handed out once.
uint32_t erred(int64_t value) { return ledger_came_from_outside(value) ? uint32_t{kErred} : 0; }

// What a wake-up writes to an eventfd, on machines that keep the low byte first and on others.
bool counts_up(std::string_view text)
{
    return text.find("\"\\0\\0\\0\\0\\0\\0\\0\\1\"") != std::string_view::npos ||
           text.find("\"\\1\\0\\0\\0\\0\\0\\0\\0\"") != std::string_view::npos ||
           text.find("\"\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\"") != std::string_view::npos;
}

// Requests that take nothing: how much there is, and what things are called.
bool only_looks(std::string_view request)
{
    return request.starts_with("FIO") || request.starts_with("TIOCINQ") || request.starts_with("TIOCOUTQ") ||
           request.starts_with("SIOC") || request.starts_with("TCGET") || request.starts_with("TIOCG") ||
           request.starts_with("TIOCMGET") || request.starts_with("TUNGET");
}

}  // namespace

// Another thread was woken: it may be the one that answers.
void Runs::hand_over(uint32_t pid)
{
    threads_ = true;
    if (Process* woken = process(pid))
        woken->handoffs++;
}

void Runs::accepted(uint32_t pid, uint32_t tid, int fd, int64_t value)
{
    auto told = awaited_.find(tid);
    if (told != awaited_.end() && told->second.accepting && told->second.fd == fd) {
        Herd& herd = herds_[{pid, fd}];
        herd.tries++;
        herd.empty += value == -ERRNO_EAGAIN;
        told->second.accepting = false;
    }
    const bool taken = value >= 0 || value == -ERRNO_ECONNABORTED;  // that one has left the queue as well
    touch(pid, fd, taken ? kTook : kLooked, taken ? 0 : BETWEEN_ACCEPT_ERROR, taken ? 0 : static_cast<int>(-value));
}

// splice(), tee(), sendfile(): from one descriptor to another.
void Runs::moved(uint32_t pid, uint8_t call, int fd, std::string_view text, int64_t value)
{
    auto used = [&](int number) {
        touch(pid, number, value > 0 ? kTook | kGave : kLooked, value == 0 ? BETWEEN_READ_EOF : 0, 0);
    };
    used(fd);
    Arguments arguments(text);
    PrintedFd second;
    arguments.skip(call == CALL_SPLICE ? 2 : 1);
    if (arguments.fd(second))
        used(second.number);
}

void Runs::read(uint32_t pid, int fd, std::string_view text, int64_t value, bool message)
{
    const bool peek = has_flag(text, "MSG_PEEK");
    if (value >= 0 && !peek && has_flag(text, "MSG_ERRQUEUE")) {
        touch(pid, fd, kErred, 0, 0);
        return;
    }
    const uint32_t between = peek                     ? BETWEEN_PEEK
                             : value == 0 && message  ? 0
                             : value == 0             ? BETWEEN_READ_EOF
                             : value == -ERRNO_EAGAIN ? BETWEEN_READ_EAGAIN
                             : value < 0              ? BETWEEN_READ_ERROR
                                                      : 0;
    touch(pid, fd,
          erred(value) | (((value > 0 || (value == 0 && message)) && !peek) ? uint32_t{kTook} : uint32_t{kLooked}),
          between, value == -ERRNO_EBADF ? ERRNO_EBADF : 0);
}

void Runs::wrote(uint32_t pid, int fd, std::string_view text, int64_t value)
{
    touch(pid, fd,
          erred(value) | (value > 0 || value == -ERRNO_EAGAIN ? kGave : kLooked) |
              (value == 8 && counts_up(text) ? uint32_t{kWoke} : 0),
          value == -ERRNO_EAGAIN ? BETWEEN_WRITE_EAGAIN
          : value < 0            ? BETWEEN_WRITE_ERROR
                                 : BETWEEN_WRITE,
          value == -ERRNO_EBADF ? ERRNO_EBADF : 0);
}

// Devices are served by ioctl() (DRM, V4L2, binder, USB): what such a call moves nobody knows, but that something was done.
void Runs::requested(uint32_t pid, int fd, std::string_view text, int64_t value)
{
    Arguments arguments(text);
    arguments.skip(1);
    std::string_view request = arguments.raw();
    if (const size_t name = request.find("/* "); name != std::string_view::npos)  // strace -X verbose
        request.remove_prefix(name + 3);
    if (only_looks(request))
        touch(pid, fd, kLooked, request.starts_with("FIONBIO") ? 0 : BETWEEN_PEEK, 0);
    else
        touch(pid, fd, value >= 0 ? kServed : kLooked, value >= 0 ? 0 : BETWEEN_OTHER_ERROR, 0);
}

// Such a call has moved something.
void Runs::note_row(uint32_t pid, uint8_t call, int fd)
{
    constexpr size_t kMost = 4096;
    const std::pair key{pid, fd};
    auto at = rows_.find(key);
    if (at == rows_.end()) {
        if (rows_.size() >= kMost)
            return;
        at = rows_.emplace(key, Row{}).first;
    }
    Row& row = at->second;
    if (std::exchange(row.waits, waits_) != waits_)
        row.reads = row.writes = 0;
    row.most_reads = std::max(row.most_reads, row.reads += takes_input(call));
    row.most_writes = std::max(row.most_writes, row.writes += gives_output(call));
}

// Of a stream, a read that got less than it asked for got all.
void Runs::note_use(uint32_t tid, uint8_t call, int fd, std::string_view text, int64_t value)
{
    LogStalls::Use use = LogStalls::Use::kOther;
    if (takes_input(call) || call == CALL_ACCEPT) {
        Arguments arguments(text);
        arguments.skip(2);
        int64_t asked = 0;
        const bool less = (call == CALL_READ || call == CALL_RECVFROM) && arguments.number(asked) && value > 0 &&
                          value < asked;
        use = less || value == -ERRNO_EAGAIN ? LogStalls::Use::kDrained : LogStalls::Use::kInput;
    }
    stalls_.used(tid, fd, use);
}

// A stream has no positions (ESPIPE), but files of sysfs and cgroups do, and pread() is what takes an EPOLLPRI. Of any other
// file than the one that is told of, it says nothing.
void Runs::read_at(uint32_t pid, std::string_view text, const PrintedResult& result)
{
    PrintedFd fd;
    if (!result.known || result.value < 0 || !Arguments(text).fd(fd) || fd.number <= 2)
        return;
    if (Process* user = process(pid))
        polled(*user, fd.number, true);
}

void Runs::came_to_be(uint32_t pid, uint8_t call, int fd)
{
    constexpr size_t kMost = 4096;
    const std::pair key{pid, fd};
    opened_.erase(key);
    if (call == LOG_OPEN && opened_.size() < kMost && !processes_.empty())
        opened_[key] = waits_;
    forget_number(pid, fd, std::nullopt);
}

bool Runs::is_fresh(uint32_t pid, int fd) const
{
    auto at = opened_.find({pid, fd});
    return at != opened_.end() && at->second == waits_;
}

// What is known of a descriptor from before an epoll has it.
void Runs::note_beginning(uint32_t pid, uint8_t call, int fd, bool moves)
{
    if (call == CALL_CONNECT)
        asked_[{pid, fd}] = false;
    if (moves || call == CALL_CLOSE)  // it is served without epoll, or turned away
        refused_.erase({pid, fd});
}

void Runs::called(uint32_t pid, uint32_t tid, uint8_t call, std::string_view text, const PrintedResult& result,
                  bool message)
{
    if (call == LOG_AT)
        read_at(pid, text, result);
    if (call == LOG_EVERYDAY || call == LOG_AT)
        return;
    if (call == LOG_URING)
        uring_ = true;
    if (call == LOG_FORK && text.find("CLONE_FILES") != std::string_view::npos)
        threads_ = true;
    if (call == CALL_FUTEX) {
        hand_over(pid);
        return;
    }
    const bool moves = result.value > 0 && (takes_input(call) || gives_output(call));
    if (!result.known || (processes_.empty() && !moves && refused_.empty() && call != CALL_CONNECT))
        return;
    if (call == CALL_EPOLL_CTL || call == CALL_EPOLL_WAIT || call == CALL_EPOLL_PWAIT2)
        return;  // controlled(), returned()
    const int64_t value = result.value;
    user_ = -1;
    if ((opens_descriptor(call) || call == CALL_DUP || call == CALL_DUP2) && value >= (call == LOG_OTHER_FD))
        came_to_be(pid, call, static_cast<int>(value));
    PrintedFd fd;
    if (!Arguments(text).fd(fd))
        return;
    if (moves)
        note_row(pid, call, fd.number);
    note_beginning(pid, call, fd.number, moves);
    if (processes_.empty())
        return;
    user_ = tid;
    if (result.duration >= 0)
        note_use(tid, call, fd.number, text, value);
    if (call == CALL_ACCEPT)
        accepted(pid, tid, fd.number, value);
    else if (call == CALL_CLOSE && value != -ERRNO_EBADF)  // any other error closes all the same
        forget_number(pid, fd.number, tid);
    else if (takes_input(call))
        read(pid, fd.number, text, value, message);
    else if (gives_output(call))
        wrote(pid, fd.number, text, value);
    else
        used_otherwise(pid, call, fd.number, text, value);
}

// A connect() that has succeeded is news once. Where it is not in the log, another one may stand behind each question.
bool Runs::connected_news(uint32_t pid, int fd)
{
    auto at = asked_.find({pid, fd});
    return at == asked_.end() || !std::exchange(at->second, true);
}

// By a call that neither reads nor writes, or does both.
void Runs::used_otherwise(uint32_t pid, uint8_t call, int fd, std::string_view text, int64_t value)
{
    switch (call) {
    case CALL_CLOSE: touch(pid, fd, kLooked, BETWEEN_OTHER_ERROR, ERRNO_EBADF); return;
    case CALL_SHUTDOWN:
    case CALL_SETTIME:
    case CALL_CONNECT: {  // one that failed has changed nothing
        const bool done = value >= 0 || (call == CALL_CONNECT && value == -ERRNO_EINPROGRESS);
        touch(pid, fd, done ? kChanged : kLooked, done ? 0 : BETWEEN_OTHER_ERROR, 0);
        return;
    }
    case CALL_GETSOCKOPT:
        if (value == 0 && has_flag(text, "SO_ERROR") && text.find("[0]") == std::string_view::npos)
            touch(pid, fd, kChanged, 0, 0);
        else
            touch(pid, fd, has_flag(text, "SO_ERROR") && connected_news(pid, fd) ? kConnected : kLooked, 0, 0);
        return;
    case CALL_IOCTL: requested(pid, fd, text, value); return;
    case CALL_FCNTL: return;
    case CALL_SPLICE:
    case CALL_TEE:
    case CALL_SENDFILE: moved(pid, call, fd, text, value); return;
    default: return;
    }
}

}  // namespace epaudit
