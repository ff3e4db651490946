// SPDX-License-Identifier: Apache-2.0
// libuv: while a getaddrinfo request is out in the thread pool, and no handle is active, the loop polls with a timeout of 0: `node -e
// 'require("http").get(...)'` spins until the resolver answers. (nothing but empty waits with timeout 0).
// Report: https://github.com/joyent/libuv/issues/484
// Fix: a request counts as active; the loop blocks, and the pool wakes it.
// Expect all: zero-timeout-spin info
// Run: 5
// Attach: 8 --set zero-timeout-spin.cpu=0.1
#include "museum.h"

static void *resolver(void *wakeup) {
  for (;;) {  // a name server that does not answer: the request stays out
    nap_ms(600000);
    eventfd_write(*(int *)wakeup, 1);
  }
  return NULL;
}

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int wakeup = MUST(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  int active_handles = 0, active_requests = 1;
  control(ep, EPOLL_CTL_ADD, wakeup, EPOLLIN);
  start(resolver, &wakeup);
  for (struct epoll_event event;;) {
    int block = active_handles || (fixed && active_requests);
    eventfd_t count;
    if (epoll_wait(ep, &event, 1, block ? -1 : 0) == 1) eventfd_read(wakeup, &count);
  }
}
