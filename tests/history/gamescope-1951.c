// SPDX-License-Identifier: Apache-2.0
// gamescope: when a frame timer expires and is not set again (the client stopped drawing), its timerfd stays readable, and the compositor's loop pins
// a core. While frames come, each settime clears it. EPOLLIN of a timerfd each turn, never read.
// Report: https://github.com/ValveSoftware/gamescope/pull/1951
// Fix: read it when it fires.
// Expect all: unread-spin likely
// Expect excerpt: unread-spin risk
// Begins: 0.7
#include "museum.h"

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC)), frames = 30;
  int vblank = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  struct itimerspec frame = {.it_value.tv_nsec = 16666667};
  control(ep, EPOLL_CTL_ADD, vblank, EPOLLIN);
  MUST(timerfd_settime(vblank, 0, &frame, NULL));
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    uint64_t ticks;
    if (fixed) MUST(read(vblank, &ticks, sizeof ticks));
    if (frames > 0 && --frames > 0) MUST(timerfd_settime(vblank, 0, &frame, NULL));
  }
}
