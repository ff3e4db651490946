// SPDX-License-Identifier: Apache-2.0
// kecho's user-echo-server: an edge-triggered listener, one accept() per event. Under its own benchmark connections that
// came together stayed in the backlog, and their clients waited until the next one knocked.
// Report: https://github.com/sysprog21/kecho/pull/2
// Fix: accept until EWOULDBLOCK.
// Expect all: et-accept-not-drained likely
// Expect log: none: a log of system calls does not hold the backlog
// Expect excerpt: none: a log of system calls does not hold the backlog
// Changed: an excerpt once said et-blocking-fd: the client's fd of the same number blocks, and both were taken for one
// Run: 4
// Attach: 7
// Log: 4
// Load: idle
#include "museum.h"

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    for (;;) {
      for (int i = 0; i < 3; ++i) MUST(write(dial(listener), "dummy", 5));
      nap_ms(800);
    }
  }
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN | EPOLLET);
  for (struct epoll_event events[16];;) {
    int count = epoll_wait(ep, events, 16, -1);
    for (int i = 0; i < count; ++i) {
      int fd = events[i].data.fd;
      char line[64];
      ssize_t n;
      if (fd != listener) {
        while ((n = read(fd, line, sizeof line)) > 0) MUST(write(fd, line, n));
        if (n == 0) close(fd);
        continue;
      }
      do {
        int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client < 0) break;
        control(ep, EPOLL_CTL_ADD, client, EPOLLIN | EPOLLET);
      } while (fixed);
    }
  }
}
