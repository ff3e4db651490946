// SPDX-License-Identifier: Apache-2.0
// libuv 0.11: a handle was closed, its file stayed open in another process, so the registration stayed too. Junk events
// for a number that was no longer ours made the event loop spin.
// Report: https://github.com/joyent/libuv/pull/1100
// Fix: always EPOLL_CTL_DEL before close.
// Expect all: ghost-registration likely
// Expect excerpt: unread-spin risk
// Changed: attached, the number of what is reported is looked up: it led nowhere
// Also: unread-spin: it is told as the spin it makes, too
#include "museum.h"

int main(void) {
  int pair[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
  if (is_peer()) {
    nap_ms(100);
    MUST(write(pair[1], "too late", 8));
    pause();  // this process holds both ends, as a spawned one may
  }
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, pair[0], EPOLLIN);
  nap_ms(50);
  if (fixed) control(ep, EPOLL_CTL_DEL, pair[0], 0);
  close(pair[0]);
  for (struct epoll_event event;;) epoll_wait(ep, &event, 1, 1000);  // no watcher has that number: nothing is done
}
