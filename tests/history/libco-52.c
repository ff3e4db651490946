// SPDX-License-Identifier: Apache-2.0
// libco's event loop waits with a timeout of 1 ms, to look after its own timers. A process without requests uses 1 to 2 % of a core; where there are
// many such processes, that is noticed.
// Report: https://github.com/Tencent/libco/issues/52
// Fix: wait until the next timer is due.
// Expect all: polling-timeout info
// Expect excerpt: none: too short a time
// Run: 4
// Log: 4
// Attach: 6 --set polling-timeout.window_s=2
// Load: idle
#include "museum.h"

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listen_any(), EPOLLIN);
  for (long long due = now_us() + 2000000;;) {
    struct epoll_event event;
    long long left = due - now_us();
    if (left <= 0) {
      due += 2000000;
      continue;
    }
    epoll_wait(ep, &event, 1, fixed ? left / 1000 + 1 : 1);
  }
}
