// SPDX-License-Identifier: Apache-2.0
// netty stopped to read its timerfd and eventfd: both are registered edge-triggered, each write and each expiry is a new edge, and two system calls
// per turn are saved. Looks like the fault of gaea#54, and is none.
// Report: https://github.com/netty/netty/pull/9192
// Fix: none was needed; the fixed form reads as well.
// Expect all: silent
// Load: idle
#include "museum.h"

static void *other_thread(void *wakeup) {
  for (;; nap_ms(1)) eventfd_write(*(int *)wakeup, 1);
  return NULL;
}

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int wakeup = MUST(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  int timer = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  struct itimerspec every = {{0, 5000000}, {0, 5000000}};
  control(ep, EPOLL_CTL_ADD, wakeup, EPOLLIN | EPOLLET);
  control(ep, EPOLL_CTL_ADD, timer, EPOLLIN | EPOLLET);
  MUST(timerfd_settime(timer, 0, &every, NULL));
  start(other_thread, &wakeup);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    uint64_t count;
    if (fixed && read(event.data.fd, &count, sizeof count) < 0 && errno != EAGAIN) return 1;
  }
}
