// SPDX-License-Identifier: Apache-2.0
// Calls that change or ask about a file without moving data.
#include "src/strace/interpreter.h"

#include <fcntl.h>

namespace epaudit {

namespace {

// One whose line is about to come may be woken by the first lines of a log.
constexpr uint64_t kMostWokenAlone = 4;

}  // namespace

// shutdown, timerfd_settime, getsockopt(SO_ERROR), futex(WAKE), listen
bool Interpreter::other(Call& c)
{
    if (!c.result.known)
        return true;
    if (c.what == CALL_FUTEX) {
        c.arguments.skip(1);
        std::string_view operation = c.arguments.raw();
        sight_.everything = true;
        if (operation.substr(0, 10) != "FUTEX_WAKE" || c.result.value <= 0)
            return true;
        // It woke somebody whose calls are not in the log: not traced, or left out by whoever pasted one thread's lines.
        woken_alone_ += world_.threads() == 1;
        sight_.others_unseen |= !sight_.pids || (world_.threads() == 1 && woken_alone_ >= kMostWokenAlone);
        posting p = blank(c.thread, POSTING_HANDOFF, c.time);
        p.result = c.result.value;
        post(p);
        return true;
    }
    PrintedFd fd;
    if (!c.arguments.fd(fd))
        return false;
    uint8_t at_least = c.what == CALL_SETTIME ? FILE_TIMERFD : c.what == LOG_LISTEN ? FILE_LISTENER : FILE_SOCKET;
    if (c.what == CALL_SETTIME)
        sight_.timer_setting = true;
    LogFile* file = used(c, fd, at_least);
    if (!file)
        return true;
    if (c.what == LOG_LISTEN) {
        if (c.result.value == 0) {
            file->kind = FILE_LISTENER;
            audit_.tables().set_kind(file->id, FILE_LISTENER);
        }
    } else if (c.what == CALL_SHUTDOWN) {
        std::string_view how = c.arguments.raw();
        post_io(c, POSTING_SHUTDOWN, file, fd.number,
                has_flag(how, "SHUT_RD")   ? 0
                : has_flag(how, "SHUT_WR") ? 1
                                           : 2,
                true);
    } else if (c.what == CALL_SETTIME) {
        file->progress += c.result.value == 0;
        post_io(c, POSTING_SETTIME, file, fd.number, 0, true);
    } else {
        bool asked = c.arguments.raw() == "SOL_SOCKET" && c.arguments.raw() == "SO_ERROR" && c.result.value == 0;
        std::string_view error = asked ? c.arguments.raw() : std::string_view();
        if (asked && error != "[0]" && error != "0") {
            file->progress++;
            post_io(c, POSTING_SO_ERROR, file, fd.number, 0, true);
        }
    }
    return true;
}

bool Interpreter::fcntl(Call& c)
{
    PrintedFd fd;
    if (!c.arguments.fd(fd))
        return false;
    std::string_view command = c.arguments.raw();
    std::string_view argument = c.arguments.raw();
    if (!c.result.known || c.result.value < 0)
        return true;
    if (command == "F_DUPFD" || command == "F_DUPFD_CLOEXEC")
        return dups(c, fd, c.result.value, command == "F_DUPFD_CLOEXEC");
    LogFile* file = used(c, fd, FILE_UNKNOWN);
    if (!file)
        return true;
    if (command == "F_SETFD") {
        c.thread.process->fds[fd.number].cloexec = has_flag(argument, "FD_CLOEXEC");
    } else if (command == "F_GETFL") {
        set_nonblock(*file,
                     has_flag(c.result.note, "O_NONBLOCK") || (c.result.note.empty() && (c.result.value & O_NONBLOCK)),
                     c.thread);
    } else if (command == "F_SETFL") {
        int64_t number = 0;
        bool nonblock = has_flag(argument, "O_NONBLOCK") || (parse_number(argument, number) && (number & O_NONBLOCK));
        set_nonblock(*file, nonblock, c.thread);
        post_io(c, POSTING_FCNTL, file, fd.number, nonblock ? O_NONBLOCK : 0, !nonblock);
    }
    return true;
}

bool Interpreter::ioctl(Call& c)
{
    PrintedFd fd;
    if (!c.arguments.fd(fd))
        return false;
    std::string_view request = c.arguments.raw();
    bool amount = has_flag(request, "FIONREAD") || has_flag(request, "TIOCINQ");
    bool mode = has_flag(request, "FIONBIO");
    if ((!amount && !mode) || !c.result.known || c.result.value != 0)
        return true;
    LogFile* file = used(c, fd, FILE_UNKNOWN);
    if (!file)
        return true;
    std::string_view printed = c.arguments.raw();
    int64_t value = 0;
    if (printed.size() > 2 && printed.front() == '[')
        parse_number(printed.substr(1, printed.size() - 2), value);
    if (mode) {
        set_nonblock(*file, value != 0, c.thread);
        post_io(c, POSTING_FCNTL, file, fd.number, value ? O_NONBLOCK : 0, !value);
        return true;
    }
    posting p = blank(c.thread, POSTING_PEEK, c.time);
    p.fd = fd.number;
    p.file = p.ino = file->id;
    p.file_kind = file->kind;
    p.result = value;
    post(p);
    return true;
}

}  // namespace epaudit
