// SPDX-License-Identifier: Apache-2.0
// onestraw's epoll-example, copied by many: O_NONBLOCK set with F_SETFD, which only knows FD_CLOEXEC. The fds stay
// blocking, are edge-triggered and read until EAGAIN: the server sleeps in read() of one client and hears nobody else.
// Report: https://github.com/onestraw/epoll-example/issues/2
// Fix: F_GETFL and F_SETFL (pull request 3).
// Expect all: et-blocking-fd likely
// Load: idle
#include "museum.h"

static void set_nonblocking(int fd) {
  if (fixed)
    MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL, 0) | O_NONBLOCK));
  else
    MUST(fcntl(fd, F_SETFD, fcntl(fd, F_GETFD, 0) | O_NONBLOCK));
}

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    for (int server = dial(listener), other = dial(listener);; nap_ms(700)) {
      MUST(write(server, "hello", 5));
      MUST(write(other, "hello", 5));
    }
  }
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN);
  for (struct epoll_event events[16];;) {
    int count = epoll_wait(ep, events, 16, -1);
    for (int i = 0; i < count; ++i) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        struct pollfd wait = {listener, POLLIN, 0};
        MUST(poll(&wait, 1, -1));
        int client = MUST(accept(listener, NULL, NULL));
        set_nonblocking(client);
        control(ep, EPOLL_CTL_ADD, client, EPOLLIN | EPOLLET | EPOLLRDHUP | EPOLLHUP);
        continue;
      }
      char line[64];
      for (ssize_t n; (n = read(fd, line, sizeof line)) > 0;) MUST(write(fd, line, n));
    }
  }
}
