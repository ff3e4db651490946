// SPDX-License-Identifier: Apache-2.0
// Calls that move data, and those that open or end its flow: as bpf/calls_io.h.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "src/strace/interpreter.h"

namespace epaudit {
namespace {

// The more is known of a file, the higher; it never becomes less.
unsigned knowledge(uint8_t kind)
{
    switch (kind) {
    case FILE_UNKNOWN: return 0;
    case FILE_BYTES: return 1;
    case FILE_SOCKET: return 2;
    default: return 3;
    }
}

bool socket_kind(uint8_t kind)
{
    return kind == FILE_TCP || kind == FILE_UDP || kind == FILE_UNIX || kind == FILE_SOCKET || kind == FILE_LISTENER;
}

int64_t message_length(std::string_view header) { return iov_length(field(header, "msg_iov")); }

// A vector that is known to have no room for a single byte.
bool asks_for_nothing(std::string_view vector)
{
    bool nothing = !vector.empty() && vector.front() == '[';
    for_elements(nothing ? vector : std::string_view(), [&](std::string_view element) {
        int64_t length = 0;
        nothing = parse_number(field(element, "iov_len"), length) && length == 0;
        return nothing;
    });
    return nothing;
}

}  // namespace

void Interpreter::learn(LogFile& file, uint8_t kind)
{
    if (knowledge(kind) <= knowledge(file.kind))
        return;
    file.kind = kind;
    audit_.tables().set_kind(file.id, kind);
}

void Interpreter::decorate(LogFile& file, std::string_view decoration)
{
    if (decoration.empty() || (file.name.local_port && file.name.peer_port))
        return;
    learn(file, kind_of_decoration(decoration));
    if (file.kind == FILE_UDP || decoration.starts_with("UNIX-DGRAM") || decoration.starts_with("UNIX-SEQPACKET"))
        file.messages = true;
    if ((file.kind == FILE_TCP || file.kind == FILE_UDP || file.kind == FILE_LISTENER) &&
        name_of_decoration(decoration, file.name))
        audit_.tables().set_name(file.id, file.name);
}

// The file of a call that succeeded in using it, or failed for a reason of the file's own.
LogFile* Interpreter::used(Call& c, const PrintedFd& fd, uint8_t at_least)
{
    if (c.result.value == -ERRNO_EBADF || (c.result.value == -ERRNO_ENOTSOCK && of_socket(c.what))) {
        posting p = blank(c.thread,
                          c.what == CALL_ACCEPT  ? POSTING_ACCEPT
                          : gives_output(c.what) ? POSTING_WRITE
                                                 : POSTING_READ,
                          c.time);
        p.fd = fd.number;
        p.result = c.result.value;
        post(p);  // the number leads nowhere: whose event was it?
    }
    if (c.result.value == -ERRNO_EBADF)
        return nullptr;
    LogFile* file = world_.file(*c.thread.process, fd.number);
    if (!file)
        return nullptr;
    file->touched = c.time;
    file->used_as_file = file->epoll && c.result.value >= 0;
    if (!fd.decoration.empty())
        look_at_decoration(*c.thread.process, *file, fd.decoration);
    decorate(*file, fd.decoration);
    learn(*file, at_least);
    return file;
}

void Interpreter::post_io(Call& c, uint8_t kind, LogFile* file, int fd, int64_t amount, bool waits, bool message)
{
    posting p = blank(c.thread, kind, c.time);
    p.fd = fd;
    p.amount = amount;
    p.result = c.result.value;
    p.file = p.ino = file->id;
    p.file_kind = file->kind;
    if (!world_.blocks(*file, c.thread) || !waits)
        p.flags = POSTING_NONBLOCK;
    else if (c.time >= c.thread.begun + NSEC_PER_MSEC)  // a call that blocks and takes so long was asleep
        p.flags |= POSTING_SLEPT;
    message = message && p.result == 0;  // one without bytes: neither the end of a stream, nor nothing
    if (message)
        p.flags |= POSTING_MESSAGE;
    bool input = kind == POSTING_READ || kind == POSTING_ACCEPT;
    if (p.result == -ERRNO_EAGAIN && waits)
        set_nonblock(*file, true, c.thread);
    if (input)  // of a stream, a read that got less than it asked for got all
        file->drained = p.result == -ERRNO_EAGAIN || (file->kind == FILE_TCP && p.result > 0 && amount > p.result);
    if (p.result > 0 || (kind == POSTING_ACCEPT && p.result == 0) || message)
        file->progress++;
    if (kind == POSTING_READ && amount != 0 && !message)
        look_at_input(*c.thread.process, *file, p.result);
    file->broke |= kind == POSTING_WRITE && p.result == -EPIPE;
    if (kind == POSTING_READ && amount != 0 && !message)
        note_end(*file, p);
    if (input && p.result == 0 && amount != 0 && !message && kind == POSTING_READ) {
        if (!file->ended)
            file->progress++;
        file->ended = true;
    }
    post(p);
}

// Which event a read answers may not be told (a list that was cut, data that is a pointer). That the program reads the end
// of a stream again, each time that it has waited, is seen all the same. Plain files are read so; that a peer has gone is
// never said of them.
void Interpreter::note_end(LogFile& file, const posting& read)
{
    if (read.result > 0)
        file.ends = 0;
    const bool unknown = file.kind == FILE_UNKNOWN || file.kind == FILE_BYTES;
    const bool stream = socket_kind(file.kind) || file.broke || (unknown && gone_turn_ == turns_);
    if (read.result != 0 || !stream || file.end_turn == turns_)
        return;
    file.end_turn = turns_;
    if (++file.ends > counts_.most_ends) {
        counts_.most_ends = file.ends;
        counts_.ends_fd = read.fd;
    }
}

bool Interpreter::io(Call& c)
{
    PrintedFd fd;
    if (!c.arguments.fd(fd))
        return false;
    if (!c.result.known)
        return true;
    LogFile* file = used(c, fd, of_socket(c.what) ? FILE_SOCKET : FILE_BYTES);
    if (!file)
        return true;
    bool input = takes_input(c.what);
    bool socket = socket_kind(file->kind);
    (input ? (socket ? sight_.socket_input : sight_.plain_input)
           : (socket ? sight_.socket_output : sight_.plain_output)) = true;

    int64_t amount = -1;
    std::string_view flags;
    if (c.what == CALL_RECVMSG || c.what == CALL_SENDMSG) {
        std::string_view header = c.arguments.raw();
        amount = !input ? message_length(header) : asks_for_nothing(field(header, "msg_iov")) ? 0 : -1;
        flags = c.arguments.raw();
    } else if (c.what == CALL_READV) {
        amount = asks_for_nothing(c.arguments.raw()) ? 0 : -1;
    } else if (c.what == CALL_WRITEV) {
        amount = iov_length(c.arguments.raw());
    } else if (c.what == CALL_RECVMMSG || c.what == CALL_SENDMMSG) {
        c.arguments.skip(2);
        flags = c.arguments.raw();
        amount = input ? -1 : 0;
    } else {
        c.arguments.skip(1);
        if (!c.arguments.number(amount))
            return false;
        if (of_socket(c.what))
            flags = c.arguments.raw();
    }
    // What the last return named and is now used by number: data holds fd numbers.
    if (LogFile* epoll = c.thread.told.empty() ? nullptr : world_.file_by_id(c.thread.told_by); epoll && epoll->epoll) {
        bool named = std::count(c.thread.told.begin(), c.thread.told.end(), fd.number) != 0;
        (named ? epoll->epoll->data_is_fd : epoll->epoll->data_is_other) += 1;
    }
    bool waits = !has_flag(flags, "MSG_DONTWAIT");
    uint8_t kind = input ? POSTING_READ : POSTING_WRITE;
    if (has_flag(flags, "MSG_ERRQUEUE"))
        kind = POSTING_ERRQUEUE;
    else if (input && has_flag(flags, "MSG_PEEK"))
        kind = POSTING_PEEK;
    file->peeked |= kind == POSTING_ERRQUEUE || kind == POSTING_PEEK;
    bool vector = c.what == CALL_READV || c.what == CALL_WRITEV || (c.what == CALL_READ && !amount);
    file->messages |= c.message;
    post_io(c, kind, file, fd.number, amount, waits, file->messages && !vector);
    return true;
}

// One call that moves data between two files: both sides are posted. EAGAIN does not say which end was meant.
bool Interpreter::transfer(Call& c)
{
    PrintedFd first, second;
    bool splice = c.what == CALL_SPLICE;
    if (!c.arguments.fd(first))
        return false;
    if (splice)
        c.arguments.skip(1);
    if (!c.arguments.fd(second))
        return false;
    if (!c.result.known || c.result.value < 0)
        return true;
    const PrintedFd& out = c.what == CALL_SENDFILE ? first : second;
    const PrintedFd& in = c.what == CALL_SENDFILE ? second : first;
    LogFile* to = used(c, out, FILE_BYTES);
    LogFile* from = used(c, in, FILE_BYTES);
    if (to && c.result.value > 0) {
        (socket_kind(to->kind) ? sight_.socket_output : sight_.plain_output) = true;
        post_io(c, POSTING_WRITE, to, out.number, 0, true);
    }
    if (from && c.what != CALL_TEE) {
        (socket_kind(from->kind) ? sight_.socket_input : sight_.plain_input) = true;
        post_io(c, POSTING_READ, from, in.number, -1, true);
    }
    return true;
}

bool Interpreter::accept(Call& c)
{
    PrintedFd fd;
    if (!c.arguments.fd(fd))
        return false;
    if (!c.result.known)
        return true;
    // Who merely asks whether it is a listener gets EINVAL, ENOTSOCK or EOPNOTSUPP.
    bool listens = c.result.value != -ERRNO_EINVAL && c.result.value != -ERRNO_ENOTSOCK &&
                   c.result.value != -ERRNO_EOPNOTSUPP;
    LogFile* listener = used(c, fd, listens ? FILE_LISTENER : FILE_UNKNOWN);
    if (!listener)
        return true;
    sight_.accepting = true;
    uint8_t family_kind = FILE_SOCKET;
    uint16_t family = 0, port = 0;
    socket_name name{};
    std::string_view address = c.arguments.raw();
    if (parse_sockaddr(address, family, port, name.peer)) {
        family_kind = family == 1 ? FILE_UNIX : FILE_TCP;
        name.family = family;
        name.peer_port = port;
    } else if (listener->kind == FILE_TCP || listener->name.family == 2 || listener->name.family == 10) {
        family_kind = FILE_TCP;
    } else if (listener->kind == FILE_UNIX || listener->name.family == 1) {
        family_kind = FILE_UNIX;
    }
    if (listens)
        listener->kind = FILE_LISTENER;
    c.arguments.skip(1);
    std::string_view flags = c.arguments.raw();
    post_io(c, POSTING_ACCEPT, listener, fd.number, 0, true);
    if (c.result.value < 0)
        return true;
    const socket_name listening = listener->name;  // the new number may be its own: then it was closed unseen
    LogFile* fresh = world_.open(*c.thread.process, static_cast<int>(c.result.value), family_kind,
                                 has_flag(flags, "SOCK_CLOEXEC"), dead_);
    bury(dead_);
    if (!fresh)
        return true;
    set_nonblock(*fresh, has_flag(flags, "SOCK_NONBLOCK"), c.thread);
    if (name.family == 2 || name.family == 10) {
        memcpy(name.local, listening.local, sizeof name.local);
        name.local_port = listening.local_port;
        fresh->name = name;
        audit_.tables().set_name(fresh->id, name);
    }
    decorate(*fresh, c.result.decoration);
    return true;
}

bool Interpreter::connect(Call& c)
{
    PrintedFd fd;
    if (!c.arguments.fd(fd))
        return false;
    LogFile* file = c.result.known ? used(c, fd, FILE_SOCKET) : nullptr;
    if (!file)
        return true;
    uint16_t family = 0, port = 0;
    uint8_t address[16];
    if (parse_sockaddr(c.arguments.raw(), family, port, address) && family != 1) {
        file->name.family = family;
        memcpy(c.what == LOG_BIND ? file->name.local : file->name.peer, address, sizeof address);
        (c.what == LOG_BIND ? file->name.local_port : file->name.peer_port) = port;
        audit_.tables().set_name(file->id, file->name);
    } else if (family) {
        file->name.family = family;
    }
    if (c.what == LOG_BIND)
        return true;
    file->progress += c.result.value == 0 || c.result.value == -ERRNO_EINPROGRESS;
    post_io(c, POSTING_CONNECT, file, fd.number, 0, true);
    return true;
}

}  // namespace epaudit
