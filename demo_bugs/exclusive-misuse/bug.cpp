// A pre-forking upload server: each worker takes a few connections at a time and no more.
//
// The mistake: a full worker wants to leave new connections to the others and switches its listener off
// with EPOLL_CTL_MOD. But an EPOLLEXCLUSIVE registration cannot be changed: the call fails with
// EINVAL, nobody looks at its result, and the worker goes on being woken and accepting.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <unordered_set>
#include <vector>

#include "common/demo.h"

namespace {

constexpr int kWorkers = 3;
constexpr size_t kFull = 2;
constexpr int kMaxEvents = 64;

class Worker {
public:
    explicit Worker(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        watch(EPOLL_CTL_ADD, listener_, EPOLLIN | EPOLLEXCLUSIVE);
    }

    void run(const demo::Deadline& deadline)
    {
        epoll_event events[kMaxEvents];
        while (!deadline.passed()) {
            const int n = epoll_wait(epoll_fd_, events, kMaxEvents, deadline.remaining_ms());
            if (n < 0 && errno != EINTR)
                demo::die("epoll_wait");
            for (int i = 0; i < n; ++i) {
                if (events[i].data.fd == listener_) {
                    on_connect();
                } else {
                    on_readable(events[i].data.fd);
                }
            }
        }
    }

private:
    int watch(int operation, int fd, uint32_t interest)
    {
        epoll_event ev{};
        ev.events = interest;
        ev.data.fd = fd;
        return epoll_ctl(epoll_fd_, operation, fd, &ev);
    }

    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        demo::check(watch(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP), "epoll_ctl");
        uploads_.insert(fd);
        if (uploads_.size() == kFull)
            pause_accepting();
    }

    void pause_accepting()
    {
        watch(EPOLL_CTL_MOD, listener_, 0);  // expect: EP403 confirmed
    }

    void resume_accepting() { watch(EPOLL_CTL_MOD, listener_, EPOLLIN | EPOLLEXCLUSIVE); }

    void on_readable(int fd)
    {
        char data[4096];
        const ssize_t n = recv(fd, data, sizeof data, 0);
        if (n > 0 || (n < 0 && errno == EAGAIN))
            return;
        uploads_.erase(fd);
        close(fd);
        if (uploads_.size() + 1 == kFull)
            resume_accepting();
    }

    const int epoll_fd_;
    const int listener_;
    std::unordered_set<int> uploads_;
};

pid_t start_worker(int listener, const demo::Deadline& deadline)
{
    const pid_t master = getpid();
    const pid_t pid = demo::check(fork(), "fork");
    if (pid != 0)
        return pid;
    demo::check(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
    if (getppid() != master)
        _exit(0);  // the master was gone before prctl
    Worker worker(listener);
    worker.run(deadline);
    _exit(0);
}

// Uploads that take their time, never more than all workers together want to have.
void drive(demo::Client& client)
{
    std::vector<int> uploads;
    for (int i = 0; i < 5; ++i)
        uploads.push_back(client.connect());
    client.ready();
    while (client.running()) {
        for (const int fd : uploads)
            client.send(fd, "some of the data\n");
        client.pause(100);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    std::vector<pid_t> workers;
    for (int i = 0; i < kWorkers; ++i)
        workers.push_back(start_worker(listener, run.deadline()));

    bool all_well = true;
    for (const pid_t worker : workers) {
        int status = 0;
        demo::check(waitpid(worker, &status, 0), "waitpid");
        all_well = all_well && status == 0;
    }
    return run.finish() == 0 && all_well ? 0 : 1;
}
