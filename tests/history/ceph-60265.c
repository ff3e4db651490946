// SPDX-License-Identifier: Apache-2.0
// ceph, msg/async. The time to the next timer is cut to whole milliseconds: in the last one the event centre calls epoll_wait(timeout 0) in a row
// until the timer is due. "Numerous spikes", every time a timer came near. Rows of empty waits, each ended by a timer.
// Report: https://github.com/ceph/ceph/pull/60265
// Fix: round up.
// Expect all: zero-timeout-spin info
// Expect log: none: strace slows the loop, and the rows of empty waits stay shorter than 8
// Expect excerpt: none: strace slows the loop, and the rows of empty waits stay shorter than 8
// Run: 4
// Attach: 8
// Load: idle
#include "museum.h"

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listen_any(), EPOLLIN);
  enum { kPeriodUs = 50500 };
  for (long long due = now_us() + kPeriodUs;;) {
    long long left = due - now_us();
    if (left <= 0) {
      due += kPeriodUs;
      continue;
    }
    struct epoll_event event;
    epoll_wait(ep, &event, 1, fixed ? (left + 999) / 1000 : left / 1000);
  }
}
