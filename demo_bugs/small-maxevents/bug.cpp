// An echo server with many busy clients.
//
// The mistake: epoll_wait is asked for one event at a time. With 64 clients talking at once it is called
// 64 times for what one call could have told. (A remark, not a fault: the kernel takes turns.)
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <vector>

#include "common/demo.h"

namespace {

constexpr int kMaxEvents = 1;  // expect: EP405 info
constexpr int kClients = 64;

class EchoServer {
 public:
  explicit EchoServer(int listener)
      : epoll_fd_(demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")), listener_(listener) {
    watch(listener_);
  }

  void run(const demo::Deadline& deadline) {
    epoll_event events[kMaxEvents];
    while (!deadline.passed()) {
      const int n = epoll_wait(epoll_fd_, events, kMaxEvents, deadline.remaining_ms());
      if (n < 0 && errno != EINTR) demo::die("epoll_wait");
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
  void watch(int fd) {
    epoll_event ev{};
    ev.events = EPOLLIN;
    ev.data.fd = fd;
    demo::check(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
  }

  void on_connect() {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) watch(fd);
  }

  void on_readable(int fd) {
    char text[256];
    const ssize_t n = recv(fd, text, sizeof text, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0 || send(fd, text, static_cast<size_t>(n), MSG_NOSIGNAL) != n) close(fd);
  }

  const int epoll_fd_;
  const int listener_;
};

// All of them at once, again and again: many lines are sent before the first answer is read.
void drive(demo::Client& client) {
  std::vector<int> fds;
  for (int i = 0; i < kClients; ++i) fds.push_back(client.connect());
  client.ready();
  while (client.running()) {
    for (const int fd : fds) client.send(fd, "hello\n");
    for (const int fd : fds) client.receive(fd);
  }
}

}  // namespace

int main(int argc, char** argv) {
  demo::Run run(argc, argv);
  const int listener = run.listen();
  run.start_client(drive);
  EchoServer server(listener);
  server.run(run.deadline());
  return run.finish();
}
