// SPDX-License-Identifier: Apache-2.0
#include "src/support/say.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace epaudit {

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

}  // namespace epaudit
