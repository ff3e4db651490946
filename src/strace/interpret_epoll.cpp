// SPDX-License-Identifier: Apache-2.0
// epoll_create, epoll_ctl, and what they say of the files that they name.
#include <utility>

#include "src/strace/interpreter.h"

namespace epaudit {
namespace {

// "EPOLL_CTL_ADD", "0x1", "0x1 /* EPOLL_CTL_ADD */"
uint8_t operation_of(std::string_view text)
{
    text = text.substr(0, text.find(" /*"));
    auto is = [text](std::string_view name, std::string_view raw) { return text == name || text == raw; };
    return is("EPOLL_CTL_ADD", "0x1")   ? POSTING_ADD
           : is("EPOLL_CTL_MOD", "0x3") ? POSTING_MOD
           : is("EPOLL_CTL_DEL", "0x2") ? POSTING_DEL
                                        : POSTING_NONE;
}

}  // namespace

// The file of an epoll descriptor. That it was used as one proves what it is.
LogFile* Interpreter::epoll_file(LogThread& thread, const PrintedFd& fd)
{
    LogFile* file = world_.file(*thread.process, fd.number);
    if (!file)
        return nullptr;
    if (std::exchange(file->used_as_file, false))
        contradicts(*thread.process);
    if (!fd.decoration.empty())
        look_at_decoration(*thread.process, *file, fd.decoration);
    if (!file->epoll) {
        file->kind = FILE_EPOLL;
        counts_.epolls++;
        file->epoll = std::make_unique<LogEpoll>();
    }
    return file;
}

bool Interpreter::create(Call& c)
{
    if (c.result.value < 0)
        return true;
    bool cloexec = has_flag(c.arguments.raw(), "EPOLL_CLOEXEC");
    LogFile* file = world_.open(*c.thread.process, static_cast<int>(c.result.value), FILE_EPOLL, cloexec, dead_);
    bury(dead_);
    if (!file)
        return true;
    counts_.epolls++;
    file->epoll = std::make_unique<LogEpoll>();
    posting p = blank(c.thread, POSTING_CREATE, c.time);
    p.result = c.result.value;
    p.epfd = static_cast<int>(c.result.value);
    p.epoll = file->id;
    post(p);
    return true;
}

void Interpreter::note_data(LogFile& epoll, int fd, uint64_t data)
{
    if (data >= kSmallData)
        epoll.epoll->data_is_other += 10;
    else if (static_cast<int>(data) == fd)
        epoll.epoll->data_is_fd += 2;
    else
        epoll.epoll->data_is_other += 2;
}

bool Interpreter::ctl(Call& c)
{
    PrintedFd epfd, fd;
    if (!c.arguments.fd(epfd))
        return false;
    const uint8_t kind = operation_of(c.arguments.raw());
    if (!c.arguments.fd(fd))
        return false;
    if (!c.result.known || kind == POSTING_NONE)
        return true;
    PrintedEvent event;
    bool readable = parse_event(c.arguments.raw(), event);
    if (kind != POSTING_DEL && !readable)
        return c.result.value < 0;  // NULL or unreadable memory: EFAULT, nothing happened
    bool open = world_.known_file(*c.thread.process, fd.number) || c.result.value != -ERRNO_EBADF;
    LogFile* epoll = epoll_file(c.thread, epfd);
    if (!epoll)
        return true;
    posting p = blank(c.thread, kind, c.time);
    p.epoll = epoll->id;
    p.epfd = epfd.number;
    p.fd = fd.number;
    p.mask = event.events & ~(EV_ERR | EV_HUP);
    p.data = event.data;
    p.result = c.result.value;
    runs_.controlled(place(c.thread, epoll->id, epfd.number), fd.number, kind == POSTING_DEL, event, p.result);
    LogFile* file = open ? world_.file(*c.thread.process, fd.number) : nullptr;
    if (!file) {
        ctl_on_nothing(*epoll, p);
        return true;
    }
    decorate(*file, fd.decoration);
    ctl_on(c, *epoll, *file, event, p);
    return true;
}

void Interpreter::ctl_on(Call& c, LogFile& epoll, LogFile& file, const PrintedEvent& event, posting& p)
{
    file.touched = c.time;
    if (p.kind == POSTING_MOD)  // what was left may come back by it
        file.told_turn = c.thread.turn;
    p.file = p.ino = file.id;
    p.file_kind = file.kind;
    p.flags = file.nonblock ? POSTING_NONBLOCK : 0;
    if (file.references < 2 && !file.shared_unseen && p.kind != POSTING_ADD)
        p.flags |= POSTING_LAST;  // nobody else holds it
    if (p.result >= 0 && p.kind == POSTING_DEL) {
        epoll.epoll->members.erase(p.fd);
    } else if (p.result >= 0) {
        file.guessed_mask = false;
        epoll.epoll->members[p.fd] = file.id;
        if (event.data_known)
            note_data(epoll, p.fd, event.data);
        else
            p.data = kUnprintedData - file.id;  // its events cannot be told apart
    }
    post(p);
}

// EBADF: the number leads nowhere. If it was registered, its file lives on elsewhere (a dup, a child), and this is
// the program's failed attempt at it.
void Interpreter::ctl_on_nothing(LogFile& epoll, posting& p)
{
    auto at = epoll.epoll->members.find(p.fd);
    LogFile* ghost = at == epoll.epoll->members.end() ? nullptr : world_.file_by_id(at->second);
    if (ghost) {
        p.file = p.ino = ghost->id;
        p.file_kind = ghost->kind;
    } else if (at != epoll.epoll->members.end()) {
        epoll.epoll->members.erase(at);
    }
    post(p);
}

}  // namespace epaudit
