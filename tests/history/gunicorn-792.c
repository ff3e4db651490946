// SPDX-License-Identifier: Apache-2.0
// gunicorn: all workers wait for the same listeners, and each connection wakes them all; those that come too late find
// EAGAIN, "increasing the CPU usage for nothing".
// Report: https://github.com/benoitc/gunicorn/issues/792
// Fix: --reuse-port; EPOLLEXCLUSIVE where it can be had (here).
// Expect all: thundering-herd likely
// Expect log: thundering-herd risk
// Expect excerpt: none: 200 lines of 12 workers hold fewer than the 8 vain wake-ups of one that are needed
// Run: 5
// Attach: 9
// Log: 3
#include "museum.h"

enum { kWorkers = 12 };

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    for (;; nap_ms(1)) {
      int server = dial(listener);
      char answer[64];
      MUST(read(server, answer, sizeof answer));
      close(server);
    }
  }
  for (int i = 0; i < kWorkers; ++i) {
    if (!is_peer()) continue;
    int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
    control(ep, EPOLL_CTL_ADD, listener, fixed ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN);
    for (struct epoll_event event;;) {
      if (epoll_wait(ep, &event, 1, -1) < 1) continue;
      int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
      if (client < 0) continue;
      MUST(write(client, "HTTP/1.1 200 OK\r\n", 17));
      close(client);
    }
  }
  for (;;) pause();
}
