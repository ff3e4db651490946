// SPDX-License-Identifier: Apache-2.0
// rshim registered a timerfd for EPOLLIN|EPOLLOUT; the report says a timerfd is always writable and so the loop span
// (35 % CPU, 3 % without EPOLLOUT). Kernels do not report EPOLLOUT for a timerfd: nothing is wrong with this loop.
// Report: https://github.com/Mellanox/rshim-user-space/pull/274
// Fix: EPOLLOUT left out of the mask.
// Expect all: silent
// Load: idle
#include "museum.h"

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int timer = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  struct itimerspec each_20_ms = {{0, 20000000}, {0, 20000000}};
  MUST(timerfd_settime(timer, 0, &each_20_ms, NULL));
  control(ep, EPOLL_CTL_ADD, timer, fixed ? EPOLLIN : EPOLLIN | EPOLLOUT);
  for (struct epoll_event event;;) {
    uint64_t ticks;
    if (epoll_wait(ep, &event, 1, -1) == 1 && event.events & EPOLLIN) MUST(read(timer, &ticks, sizeof ticks));
  }
}
