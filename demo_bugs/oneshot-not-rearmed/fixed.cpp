// An upper-casing service with a thread pool: all threads wait on one epoll, EPOLLONESHOT hands a
// connection to one thread at a time, and that thread re-arms it when it is done. A frame is a
// header with the length of the body, then the body.
//
// expect: none
// Every way out of the handler either re-arms the connection or closes it.
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "common/demo.h"

namespace {

constexpr int kThreads = 3;
constexpr size_t kHeaderSize = sizeof(uint32_t);
constexpr size_t kMaxBody = 64 * 1024;

struct Connection {
    int fd;
    std::string inbox;  // received, not yet answered
};

class Pool {
public:
    explicit Pool(int listener)
        : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_{listener, {}}
    {
        arm(EPOLL_CTL_ADD, &listener_);
    }

    void run(const demo::Deadline& deadline)
    {
        std::vector<std::thread> threads;
        for (int i = 0; i < kThreads; ++i)
            threads.emplace_back([this, &deadline] { serve(deadline); });
        for (std::thread& thread : threads)
            thread.join();
    }

private:
    void serve(const demo::Deadline& deadline)
    {
        while (!deadline.passed()) {
            epoll_event ev;
            const int n = epoll_wait(epoll_fd_, &ev, 1, deadline.remaining_ms());
            if (n < 0 && errno != EINTR)
                demo::die("epoll_wait");
            if (n <= 0)
                continue;
            auto* connection = static_cast<Connection*>(ev.data.ptr);
            if (connection == &listener_) {
                on_connect();
            } else {
                on_readable(connection);
            }
        }
    }

    void arm(int operation, Connection* connection)
    {
        epoll_event ev{};
        ev.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
        ev.data.ptr = connection;
        demo::check(epoll_ctl(epoll_fd_, operation, connection->fd, &ev), "epoll_ctl");
    }

    void on_connect()
    {
        const int fd = accept4(listener_.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            arm(EPOLL_CTL_ADD, new Connection{fd, {}});
        arm(EPOLL_CTL_MOD, &listener_);
    }

    // Only one thread at a time gets here for a connection, until it is armed again.
    void on_readable(Connection* connection)
    {
        char chunk[4096];
        const ssize_t n = recv(connection->fd, chunk, sizeof chunk, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            disconnect(connection);
            return;
        }
        if (n > 0)
            connection->inbox.append(chunk, static_cast<size_t>(n));
        if (connection->inbox.size() < kHeaderSize) {
            arm(EPOLL_CTL_MOD, connection);
            return;
        }
        if (!answer(connection)) {
            disconnect(connection);
            return;
        }
        arm(EPOLL_CTL_MOD, connection);
    }

    // Answers all complete frames; false if the peer breaks the protocol or does not read.
    bool answer(Connection* connection)
    {
        std::string& inbox = connection->inbox;
        while (inbox.size() >= kHeaderSize) {
            uint32_t length = 0;
            memcpy(&length, inbox.data(), kHeaderSize);
            length = ntohl(length);
            if (length > kMaxBody)
                return false;
            const size_t frame = kHeaderSize + length;
            if (inbox.size() < frame)
                return true;
            for (size_t i = kHeaderSize; i < frame; ++i) {
                inbox[i] = static_cast<char>(toupper(static_cast<unsigned char>(inbox[i])));
            }
            const ssize_t sent = send(connection->fd, inbox.data(), frame, MSG_NOSIGNAL);
            if (sent != static_cast<ssize_t>(frame))
                return false;
            inbox.erase(0, frame);
        }
        return true;
    }

    void disconnect(Connection* connection)
    {
        close(connection->fd);
        delete connection;
    }

    const int epoll_fd_;
    Connection listener_;
};

std::string make_frame(const std::string& body)
{
    const uint32_t length = htonl(static_cast<uint32_t>(body.size()));
    return std::string(reinterpret_cast<const char*>(&length), kHeaderSize) + body;
}

// One client is on a bad line: its frame arrives in two pieces, the first shorter than a header.
// Others come and go, two requests each.
void drive(demo::Client& client)
{
    const std::string frame = make_frame("hello");
    const int slow = client.connect();
    client.send(slow, frame);
    client.receive(slow);  // the server is up
    client.send(slow, frame.substr(0, 2));
    client.pause(200);
    client.send(slow, frame.substr(2));
    client.ready();
    while (client.running()) {
        const int quick = client.connect();
        for (int i = 0; i < 2; ++i) {
            client.send(quick, frame);
            client.receive(quick);
        }
        client.close(quick);
        client.pause(200);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(drive);
    Pool pool(listener);
    pool.run(run.deadline());
    return run.finish();
}
