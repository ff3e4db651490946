// SPDX-License-Identifier: Apache-2.0
// scaproust: as soon as a client connected, client and server both called epoll_pwait as fast as they could, always with
// one EPOLLOUT, until one of them left or data came. Each connection was registered for both directions for good.
// Report: https://github.com/blabaere/scaproust/issues/12
// Fix: never made there (still open). Register for EPOLLOUT only while something waits to be sent.
// Expect all: busy-epollout likely
// Expect excerpt: none: two processes spin, and 200 lines hold 100 returns of each at most: the verdict is inconclusive
#include "museum.h"

static void run(int fd) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, fd, fixed ? EPOLLIN : EPOLLIN | EPOLLOUT);
  for (struct epoll_event events[8];;) {
    int count = epoll_pwait(ep, events, 8, -1, NULL);
    for (int i = 0; i < count; ++i) {
      char message[256];
      if (events[i].events & EPOLLIN && read(fd, message, sizeof message) <= 0) return;
    }
  }
}

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    run(dial(listener));
    return 0;
  }
  run(take(listener));
  return 0;
}
