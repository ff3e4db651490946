// SPDX-License-Identifier: Apache-2.0
// ZLToolKit adds each socket with EPOLLEXCLUSIVE; every modifyEvent logs "Invalid argument". A user found with a small
// program of his own that the call fails and the socket goes on as it was.
// Report: https://github.com/ZLMediaKit/ZLToolKit/issues/226
// Fix: leave EPOLLEXCLUSIVE out, or DEL and ADD instead of MOD (here).
// Expect all: exclusive-misuse likely
// Run: 4
// Attach: 6
// Log: 4
// Load: idle
#include "museum.h"

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  uint32_t mask = EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR | EPOLLET | EPOLLEXCLUSIVE;
  for (;;) {
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
    control(ep, EPOLL_CTL_ADD, pair[0], mask);
    for (int turn = 0; turn < 30; ++turn) {
      struct epoll_event event;
      char packet[1500];
      MUST(send(pair[1], "rtp", 3, 0));
      if (epoll_wait(ep, &event, 1, 100) < 1) continue;
      if (event.events & EPOLLIN) recv(pair[0], packet, sizeof packet, 0);
      if (event.events & EPOLLOUT && turn == 0) {  // writable, nothing to write: stop asking
        if (fixed) {
          control(ep, EPOLL_CTL_DEL, pair[0], 0);
          control(ep, EPOLL_CTL_ADD, pair[0], mask & ~EPOLLOUT);
        } else {
          struct epoll_event less = {.events = mask & ~EPOLLOUT, .data.fd = pair[0]};
          epoll_ctl(ep, EPOLL_CTL_MOD, pair[0], &less);
        }
      }
      nap_ms(50);
    }
    close(pair[0]), close(pair[1]);
  }
}
