// SPDX-License-Identifier: Apache-2.0
// helio (Dragonfly's I/O library): FD_CLOEXEC was set with F_SETFL, which clears O_NONBLOCK on the way. The accept fiber
// no longer suspended, it blocked the whole thread in accept(): a deadlock when the server was stopped.
// Report: https://github.com/romange/helio/pull/110
// Fix: F_SETFD for FD_CLOEXEC, F_SETFL for O_NONBLOCK.
// Expect all: et-blocking-fd likely
// Load: idle
#include "museum.h"

int main(void) {
  int listener = listen_any();
  MUST(fixed ? fcntl(listener, F_SETFD, FD_CLOEXEC) : fcntl(listener, F_SETFL, FD_CLOEXEC));
  if (is_peer()) {
    for (;; nap_ms(600)) close(dial(listener));
  }
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN | EPOLLET);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    for (int client; (client = accept(listener, NULL, NULL)) >= 0;) close(client);
  }
}
