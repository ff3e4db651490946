// Rung 5: SO_REUSEPORT. Every worker has a listener of its own on the same port; the kernel spreads the
// connections, and nobody is woken for another's.
//
// expect: none
#include <arpa/inet.h>
#include <netinet/in.h>

#include "ladder/workers.h"

namespace {

int listen_again(int first)
{
    sockaddr_in address{};
    socklen_t size = sizeof address;
    demo::check(getsockname(first, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    const int fd = demo::check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    const int on = 1;
    demo::check(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), "SO_REUSEPORT");
    demo::check(bind(fd, reinterpret_cast<sockaddr*>(&address), size), "bind");
    demo::check(listen(fd, SOMAXCONN), "listen");
    return fd;
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen_reuseport();
    run.start_client(ladder::drive);
    for (int i = 1; i < ladder::kWorkers; ++i) {
        if (demo::check(fork(), "fork") == 0) {
            const int own = listen_again(listener);
            close(listener);
            ladder::serve(own, EPOLLIN, run.deadline());
            _exit(0);
        }
    }
    ladder::serve(listener, EPOLLIN, run.deadline());
    const int status = run.finish();
    ladder::reap_workers(ladder::kWorkers - 1);
    return status;
}
