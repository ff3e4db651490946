// A hashing service: the loop reads requests, a worker thread computes, and the loop
// sends the answers.
//
// The mistake: the worker cannot wake the loop, so the loop looks for answers every 5 ms. Each answer is
// late by some of that, and the CPU never sleeps for longer.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "common/demo.h"

namespace {

constexpr int kMaxEvents = 64;
constexpr int kPollMs = 5;

struct Job {
    int fd;
    std::string text;
};

class Service {
public:
    explicit Service(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        watch(listener_);
    }

    void run(const demo::Deadline& deadline)
    {
        std::thread worker([this] { compute(); });
        epoll_event events[kMaxEvents];
        while (!deadline.passed()) {
            const int n = epoll_wait(epoll_fd_, events, kMaxEvents, kPollMs);  // expect: EP605 info, waits here
            if (n < 0 && errno != EINTR)
                demo::die("epoll_wait");
            for (int i = 0; i < n; ++i) {
                if (events[i].data.fd == listener_) {
                    on_connect();
                } else {
                    on_readable(events[i].data.fd);
                }
            }
            send_answers();
        }
        submit({-1, {}});
        worker.join();
    }

private:
    void watch(int fd)
    {
        epoll_event ev{};
        ev.events = EPOLLIN;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
    }

    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            watch(fd);
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
        submit({fd, std::string(chunk, static_cast<size_t>(n))});
    }

    void send_answers()
    {
        std::deque<Job> answers;
        {
            const std::lock_guard lock(mutex_);
            answers.swap(answers_);
        }
        for (const Job& job : answers)
            send(job.fd, job.text.data(), job.text.size(), MSG_NOSIGNAL);
    }

    void submit(Job job)
    {
        const std::lock_guard lock(mutex_);
        jobs_.push_back(std::move(job));
        work_.notify_one();
    }

    void compute()
    {
        for (;;) {
            std::unique_lock lock(mutex_);
            work_.wait(lock, [this] { return !jobs_.empty(); });
            Job job = std::move(jobs_.front());
            jobs_.pop_front();
            lock.unlock();
            if (job.fd < 0)
                return;
            uint64_t hash = 14695981039346656037ULL;
            for (const char c : job.text)
                hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
            job.text = std::to_string(hash) + "\n";
            lock.lock();
            answers_.push_back(std::move(job));
        }
    }

    const int epoll_fd_;
    const int listener_;
    std::mutex mutex_;
    std::condition_variable work_;
    std::deque<Job> jobs_;
    std::deque<Job> answers_;
};

// One client, a request now and then.
void drive(demo::Client& client)
{
    const int fd = client.connect();
    while (client.running()) {
        client.send(fd, "some text\n");
        client.receive(fd);
        client.ready();
        client.pause(200);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    Service service(listener);
    service.run(run.deadline());
    return run.finish();
}
