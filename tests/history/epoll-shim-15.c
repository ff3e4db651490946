// SPDX-License-Identifier: Apache-2.0
// libwayland 1.18 does not read its timerfd at all; it sets the next deadline, or disarms the timer, and either clears what had expired. On FreeBSD
// an emulation did not do that and compositors spun; on Linux it is right. Timerfd_settime is progress.
// Report: https://github.com/jiixyj/epoll-shim/issues/15
// Fix: in the emulation; the fixed form reads as well.
// Expect all: silent
// Load: idle
#include "museum.h"

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int timer = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  control(ep, EPOLL_CTL_ADD, timer, EPOLLIN);
  struct itimerspec next = {.it_value.tv_nsec = 2000000};
  MUST(timerfd_settime(timer, 0, &next, NULL));
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    uint64_t ticks;
    if (fixed) MUST(read(timer, &ticks, sizeof ticks));
    MUST(timerfd_settime(timer, 0, &next, NULL));
  }
}
