// SPDX-License-Identifier: Apache-2.0
// corosio: four threads wait on one epoll, and whoever posts work writes to an eventfd. It was asked whether that is a
// thundering herd worth EPOLLEXCLUSIVE. It is seldom, the threads take what there is to do: nothing to complain about.
// Report: https://github.com/cppalliance/corosio/issues/33
// Fix: closed after investigation (here: one thread waits, the others do other things).
// Expect all: silent
// Load: idle
#include "museum.h"

static int ep, wake_fd;

static void *run(void *unused) {
  for (struct epoll_event events[16];;) {
    uint64_t posts;
    if (epoll_wait(ep, events, 16, -1) > 0 && read(wake_fd, &posts, sizeof posts) > 0) nap_ms(1);
  }
  return unused;
}

int main(void) {
  ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  wake_fd = MUST(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, wake_fd, EPOLLIN);
  for (int i = 0; i < (fixed ? 1 : 4); ++i) start(run, NULL);
  for (uint64_t one = 1;; nap_ms(25)) MUST(write(wake_fd, &one, sizeof one));
}
