// SPDX-License-Identifier: Apache-2.0
// memcached accepts one connection per event and goes back to the loop. The report fears that with an edge-triggered
// listener others would be forgotten; but libevent's is level-triggered, and epoll tells of them again: no bug.
// Report: https://github.com/memcached/memcached/issues/476
// Fix: none needed (here: accept until EAGAIN).
// Expect all: silent
// Load: idle
#include "museum.h"

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    for (;;) {
      for (int i = 0; i < 5; ++i) close(dial(listener));
      nap_ms(100);
    }
  }
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    do {
      int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (client < 0) break;
      close(client);
    } while (fixed);
  }
}
