// A telemetry collector: devices send fixed-size samples, several at a time.
//
// The mistake: the sockets are edge-triggered, but each event reads one sample only. The others
// stay in the kernel, and epoll_wait speaks of them again only when still more data comes: every
// sample is late by one report, and then by two, and by three.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <unordered_map>

#include "common/demo.h"

namespace {

constexpr int kMaxEvents = 64;

struct Sample {
    uint32_t device;
    uint32_t sequence;
    double values[5];
};

struct Device {
    int fd = -1;
    char buffer[sizeof(Sample)];
    size_t filled = 0;
};

class Collector {
public:
    explicit Collector(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener)
    {
        epoll_event ev{};
        ev.events = EPOLLIN;
        ev.data.fd = listener_;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, listener_, &ev), "epoll_ctl");
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
                    on_readable(devices_.at(events[i].data.fd));
                }
            }
        }
        fprintf(stderr, "%u samples, mean %.3f\n", samples_, samples_ ? sum_ / samples_ : 0);
    }

private:
    void on_connect()
    {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        epoll_event ev{};
        ev.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
        ev.data.fd = fd;
        demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
        devices_[fd].fd = fd;
    }

    void on_readable(Device& device)
    {
        const ssize_t n = recv(device.fd, device.buffer + device.filled,  // expect: EP101 confirmed, last read here
                               sizeof device.buffer - device.filled, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            disconnect(device);
            return;
        }
        device.filled += static_cast<size_t>(n);
        if (device.filled == sizeof device.buffer)
            store(device);
    }

    void store(Device& device)
    {
        Sample sample;
        memcpy(&sample, device.buffer, sizeof sample);
        device.filled = 0;
        ++samples_;
        for (const double value : sample.values)
            sum_ += value / 5;
    }

    void disconnect(const Device& device)
    {
        const int fd = device.fd;
        devices_.erase(fd);
        close(fd);
    }

    const int epoll_fd_;
    const int listener_;
    unsigned samples_ = 0;
    double sum_ = 0;
    std::unordered_map<int, Device> devices_;
};

// Two devices; each sends three samples in one segment, every 350 ms.
void drive(demo::Client& client)
{
    const int fds[] = {client.connect(), client.connect()};
    Sample report[3] = {};
    while (client.running()) {
        for (const int fd : fds) {
            for (Sample& sample : report) {
                sample.device = static_cast<uint32_t>(fd);
                ++sample.sequence;
                for (double& value : sample.values)
                    value = 20.5 + sample.sequence % 3;
            }
            client.send(fd, {reinterpret_cast<const char*>(report), sizeof report});
        }
        client.ready();
        client.pause(350);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    Collector collector(listener);
    collector.run(run.deadline());
    return run.finish();
}
