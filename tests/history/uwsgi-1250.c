// SPDX-License-Identifier: Apache-2.0
// uwsgi 2.0.13 added everything with EPOLLEXCLUSIVE. Turning a request's descriptor from reading to writing with
// EPOLL_CTL_MOD is then EINVAL: "epoll_ctl(): Invalid argument", and no PHP 7 application could be run.
// Report: https://github.com/unbit/uwsgi/issues/1250
// Fix: EPOLLEXCLUSIVE only for listeners (pull request 1252).
// Expect all: exclusive-misuse likely
// Run: 4
// Attach: 5
// Log: 4
// Load: idle
#include "museum.h"

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    for (;;) {
      char answer[64];
      int server = dial(listener);
      MUST(write(server, "GET /a.php HTTP/1.1\r\n\r\n", 23));
      struct pollfd wait = {server, POLLIN, 0};
      if (poll(&wait, 1, 1500) == 1) MUST(read(server, answer, sizeof answer));
      close(server);
      nap_ms(50);
    }
  }
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN | EPOLLEXCLUSIVE);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    int fd = event.data.fd;
    char request[256];
    struct epoll_event write_now = {.events = EPOLLOUT, .data.fd = fd};
    if (fd == listener) {
      control(ep, EPOLL_CTL_ADD, take(listener), fixed ? EPOLLIN : EPOLLIN | EPOLLEXCLUSIVE);
    } else if (event.events & EPOLLOUT) {
      MUST(write(fd, "HTTP/1.1 200 OK\r\n\r\n", 19));
      close(fd);
    } else if (read(fd, request, sizeof request) <= 0) {
      close(fd);
    } else {
      epoll_ctl(ep, EPOLL_CTL_MOD, fd, &write_now);
    }
  }
}
