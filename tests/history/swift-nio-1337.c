// SPDX-License-Identifier: Apache-2.0
// SwiftNIO on 32-bit ARM: 100 % CPU after the first timer. The timerfd is read with the size of a machine word, 4 bytes; a timerfd wants 8: EINVAL,
// and it stays readable. EPOLLIN of a timerfd each turn, read = EINVAL.
// Report: https://github.com/apple/swift-nio/issues/1337
// Fix: read 8 bytes.
// Expect all: unread-spin likely
// Begins: 0.5
#include "museum.h"

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int timer = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  struct itimerspec once = {.it_value.tv_nsec = 300000000};
  control(ep, EPOLL_CTL_ADD, timer, EPOLLIN);
  MUST(timerfd_settime(timer, 0, &once, NULL));
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    uint64_t ticks = 0;
    if (read(timer, &ticks, fixed ? 8 : 4) == 8) MUST(timerfd_settime(timer, 0, &once, NULL));
  }
}
