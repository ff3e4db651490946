// A fingerprint service: the loop reads requests, a worker thread does the long computation and
// tells the loop through an eventfd that results are waiting.
//
// expect: none
// The eventfd is read, which sets it back to 0, before the results are taken: a result that comes
// in between makes it readable again and is not missed.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/demo.h"

namespace {

constexpr uint64_t kListenerId = 0;
constexpr uint64_t kCompletionId = 1;
constexpr int kMaxEvents = 32;

struct Job {
    uint64_t connection;
    std::string text;  // the request, later the reply
};

class Worker {
public:
    explicit Worker(int completion_fd) : completion_fd_(completion_fd), thread_([this] { run(); }) {}

    ~Worker()
    {
        {
            std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }

    void submit(Job job)
    {
        {
            std::lock_guard lock(mutex_);
            todo_.push_back(std::move(job));
        }
        wake_.notify_one();
    }

    std::vector<Job> take_done()
    {
        std::lock_guard lock(mutex_);
        return std::exchange(done_, {});
    }

private:
    void run()
    {
        std::unique_lock lock(mutex_);
        while (true) {
            wake_.wait(lock, [this] { return stopping_ || !todo_.empty(); });
            if (stopping_)
                return;
            Job job = std::move(todo_.front());
            todo_.pop_front();
            lock.unlock();
            job.text = fingerprint(job.text);
            lock.lock();
            done_.push_back(std::move(job));
            const uint64_t one = 1;
            if (write(completion_fd_, &one, sizeof one) < 0)
                demo::die("write eventfd");
        }
    }

    static std::string fingerprint(const std::string& text)
    {
        uint64_t hash = 14695981039346656037u;
        for (int round = 0; round < 10'000; ++round) {
            for (const unsigned char c : text)
                hash = (hash ^ c) * 1099511628211u;
        }
        char hex[32];
        snprintf(hex, sizeof hex, "%016llx\n", static_cast<unsigned long long>(hash));
        return hex;
    }

    const int completion_fd_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Job> todo_;
    std::vector<Job> done_;
    bool stopping_ = false;
    std::thread thread_;
};

class Server {
public:
    explicit Server(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
          listener_(listener),
          completion_fd_(demo::check(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")),
          worker_(completion_fd_)
    {
        epoll_event ev{};
        ev.events = EPOLLIN;
        ev.data.u64 = kListenerId;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, listener_, &ev), "epoll_ctl");
        ev.data.u64 = kCompletionId;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, completion_fd_, &ev), "epoll_ctl");
    }

    void run(const demo::Deadline& deadline)
    {
        epoll_event events[kMaxEvents];
        while (!deadline.passed()) {
            const int n = epoll_wait(epoll_fd_, events, kMaxEvents, deadline.remaining_ms());
            if (n < 0 && errno != EINTR)
                demo::die("epoll_wait");
            for (int i = 0; i < n; ++i) {
                switch (events[i].data.u64) {
                case kListenerId: on_connect(); break;
                case kCompletionId: on_completion(); break;
                default: on_request(events[i].data.u64);
                }
            }
        }
    }

private:
    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        epoll_event ev{};
        ev.events = EPOLLIN | EPOLLRDHUP;
        ev.data.u64 = next_id_;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
        connections_.emplace(next_id_++, fd);
    }

    void on_request(uint64_t id)
    {
        const int fd = connections_.at(id);
        char text[1024];
        const ssize_t n = recv(fd, text, sizeof text, 0);
        if (n > 0) {
            worker_.submit({id, std::string(text, static_cast<size_t>(n))});
        } else if (n == 0 || errno != EAGAIN) {
            connections_.erase(id);
            close(fd);
        }
    }

    void on_completion()
    {
        uint64_t completions = 0;
        if (read(completion_fd_, &completions, sizeof completions) < 0)
            return;
        for (const Job& job : worker_.take_done()) {
            const auto connection = connections_.find(job.connection);
            if (connection == connections_.end())
                continue;  // it left while we were computing
            if (send(connection->second, job.text.data(), job.text.size(), MSG_NOSIGNAL) < 0) {
                fprintf(stderr, "a reply was lost\n");
            }
        }
    }

    const int epoll_fd_;
    const int listener_;
    const int completion_fd_;
    Worker worker_;
    uint64_t next_id_ = kCompletionId + 1;
    std::unordered_map<uint64_t, int> connections_;
};

void drive(demo::Client& client)
{
    const int fd = client.connect();
    while (client.running()) {
        client.send(fd, "the quick brown fox jumps over the lazy dog\n");
        client.receive(fd);
        client.ready();
        client.pause(1500);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    Server server(listener);
    server.run(run.deadline());
    return run.finish();
}
