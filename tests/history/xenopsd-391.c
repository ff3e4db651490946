// SPDX-License-Identifier: Apache-2.0
// xenopsd writes a byte into a pipe to wake its event thread when a descriptor is added. The byte is never read: from the first one on epoll_wait
// returns at once, and xenopsd-xc uses 100 % of a CPU. EPOLLIN of a pipe each turn, never read.
// Report: https://github.com/xapi-project/xenopsd/pull/391
// Fix: no pipe; epoll_ctl wakes a waiting thread by itself.
// Expect all: unread-spin likely
// Expect excerpt: unread-spin risk
#include "museum.h"

static int ep, wakeup[2];

static void *adder(void *unused) {
  for (;;) {
    control(ep, EPOLL_CTL_ADD, MUST(eventfd(0, EFD_CLOEXEC)), EPOLLIN);
    if (!fixed) MUST(write(wakeup[1], "x", 1));
    nap_ms(10000);
  }
  return unused;
}

int main(void) {
  ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  MUST(pipe2(wakeup, O_CLOEXEC));
  if (!fixed) control(ep, EPOLL_CTL_ADD, wakeup[0], EPOLLIN);
  start(adder, NULL);
  for (struct epoll_event events[8];;) {
    int n = epoll_wait(ep, events, 8, -1);
    for (int i = 0; i < n; ++i) {
      if (events[i].data.fd == wakeup[0]) continue;  // it has done its duty: we are awake
      eventfd_t count;
      eventfd_read(events[i].data.fd, &count);
    }
  }
}
