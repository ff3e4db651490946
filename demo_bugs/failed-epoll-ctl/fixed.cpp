// A converter: each line is a job for the worker thread. While a connection's job is at work the
// connection is out of the epoll, so that nobody reads the next line too early; the worker sends the
// answer and puts the connection back.
//
// expect: none
// What was taken out with EPOLL_CTL_DEL is put back with EPOLL_CTL_ADD, and a connection for which
// that fails is closed.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "common/demo.h"

namespace {

struct Job {
    int fd;
    std::string text;
};

class Converter {
public:
    explicit Converter(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        demo::check(watch(EPOLL_CTL_ADD, listener_), "epoll_ctl");
    }

    void run(const demo::Deadline& deadline)
    {
        std::thread worker([this] { convert(); });
        while (!deadline.passed()) {
            epoll_event ev;
            const int n = epoll_wait(epoll_fd_, &ev, 1, deadline.remaining_ms());
            if (n < 0 && errno != EINTR)
                demo::die("epoll_wait");
            if (n <= 0)
                continue;
            if (ev.data.fd == listener_) {
                on_connect();
            } else {
                on_readable(ev.data.fd);
            }
        }
        submit({-1, {}});
        worker.join();
    }

private:
    int watch(int operation, int fd)
    {
        epoll_event ev{};
        ev.events = EPOLLIN;
        ev.data.fd = fd;
        return epoll_ctl(epoll_fd_, operation, fd, &ev);
    }

    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            demo::check(watch(EPOLL_CTL_ADD, fd), "epoll_ctl");
    }

    void on_readable(int fd)
    {
        char chunk[4096];
        const ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close(fd);
            return;
        }
        epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
        submit({fd, std::string(chunk, static_cast<size_t>(n))});
    }

    void submit(Job job)
    {
        const std::lock_guard lock(mutex_);
        jobs_.push_back(std::move(job));
        work_.notify_one();
    }

    void convert()
    {
        for (;;) {
            std::unique_lock lock(mutex_);
            work_.wait(lock, [this] { return !jobs_.empty(); });
            Job job = std::move(jobs_.front());
            jobs_.pop_front();
            lock.unlock();
            if (job.fd < 0)
                return;
            for (char& c : job.text)
                c = static_cast<char>(toupper(static_cast<unsigned char>(c)));
            send(job.fd, job.text.data(), job.text.size(), MSG_NOSIGNAL);
            if (watch(EPOLL_CTL_ADD, job.fd) < 0)
                close(job.fd);
        }
    }

    const int epoll_fd_;
    const int listener_;
    std::mutex mutex_;
    std::condition_variable work_;
    std::deque<Job> jobs_;
};

// Clients that send one line and stay; one of them has a second line.
void drive(demo::Client& client)
{
    const int clients[] = {client.connect(), client.connect(), client.connect()};
    for (const int fd : clients) {
        client.send(fd, "first line\n");
        client.receive(fd);
    }
    client.pause(20);
    client.send(clients[0], "second line\n");
    client.ready();
    client.receive_all({clients[0], clients[1], clients[2]});
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    Converter converter(listener);
    converter.run(run.deadline());
    return run.finish();
}
