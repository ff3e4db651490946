// SPDX-License-Identifier: Apache-2.0
// vibe.d's eventcore: an edge-triggered listener, and at most so many accepts per event, out of fairness. A siege of 256
// connections was served in part; the rest came out a hundred at a time, whenever somebody else connected.
// Report: https://github.com/vibe-d/eventcore/pull/20
// Fix: remember listeners that were not served to the end, and come back to them in the next turn.
// Expect all: et-accept-not-drained likely
// Expect log: none: a log of system calls does not hold the backlog
// Expect excerpt: none: a log of system calls does not hold the backlog
// Run: 4
// Attach: 8
// Log: 4
// Load: idle
#include "museum.h"

enum { kAtMost = 4 };

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    for (;;) {
      for (int i = 0; i < 10; ++i) dial(listener);
      nap_ms(1200);
    }
  }
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC)), unfinished = 0;
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN | EPOLLET);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, unfinished ? 0 : -1) < 1 && !unfinished) continue;
    int served = 0;
    for (int client; served < kAtMost; ++served) {
      if ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0) break;
      MUST(write(client, "HTTP/1.1 200 OK\r\n", 17));
      close(client);
    }
    unfinished = fixed && served == kAtMost;
  }
}
