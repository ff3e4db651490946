// SPDX-License-Identifier: Apache-2.0
#include "src/support/say.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <iostream>

#include "src/support/new_file.h"

namespace epaudit {
namespace {

struct sigaction pipe_before {
}, limit_before{};

}  // namespace

void say_text(std::string_view text)
{
    while (!text.empty()) {
        const ssize_t wrote = write(STDERR_FILENO, text.data(), text.size());
        if (wrote > 0) {
            text.remove_prefix(static_cast<size_t>(wrote));
            continue;
        }
        if (errno == EINTR)
            continue;
        pollfd room{STDERR_FILENO, POLLOUT, 0};
        if (errno != EAGAIN || poll(&room, 1, 1000) != 1)
            return;
    }
}

void secure_standard_descriptors()
{
    for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)  // the lowest that is free: it becomes this one
            if (open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC) != fd)
                return;
}

void ignore_signals_of_writing()
{
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, &pipe_before);
    sigaction(SIGXFSZ, &ignore, &limit_before);
}

void restore_signals_of_writing()
{
    sigaction(SIGPIPE, &pipe_before, nullptr);
    sigaction(SIGXFSZ, &limit_before, nullptr);
}

StandardOutput::StandardOutput() : before_(std::cout.rdbuf(this)) { setp(buffer_, buffer_ + sizeof(buffer_)); }

StandardOutput::~StandardOutput()
{
    sync();
    std::cout.rdbuf(before_);
}

int StandardOutput::overflow(int c)
{
    if (sync())
        return traits_type::eof();
    if (!traits_type::eq_int_type(c, traits_type::eof()))
        sputc(traits_type::to_char_type(c));
    return traits_type::not_eof(c);
}

int StandardOutput::sync()
{
    const int error = write_whole(STDOUT_FILENO, {pbase(), static_cast<size_t>(pptr() - pbase())});
    setp(buffer_, buffer_ + sizeof(buffer_));
    return error ? -1 : 0;
}

}  // namespace epaudit
