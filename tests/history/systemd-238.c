// SPDX-License-Identifier: Apache-2.0
// systemd-udevd at its end closed its sockets first and dropped them from epoll afterwards. Workers still had them open,
// so the registrations lived, EPOLL_CTL_DEL said EBADF, and the main loop was told of them without end: udevd hung, busy.
// Report: https://github.com/systemd/systemd/pull/238
// Fix: drop the event source, then close the descriptor.
// Expect all: ghost-registration likely
// Expect excerpt: unread-spin risk
// Changed: attached, the number of what is reported is looked up: it led nowhere
// Also: unread-spin: the ghost spins
#include "museum.h"

int main(void) {
  int pair[2];
  MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, pair[0], EPOLLIN);
  if (is_peer()) {
    close(ep);
    for (;; nap_ms(50)) send(pair[1], "add@/devices/virtual/block/loop0", 32, 0);
  }
  struct epoll_event event;
  char message[256];
  for (int i = 0; i < 3; ++i) {
    epoll_wait(ep, &event, 1, -1);
    MUST(recv(pair[0], message, sizeof message, 0));
  }
  if (fixed) control(ep, EPOLL_CTL_DEL, pair[0], 0);
  close(pair[0]);
  if (!fixed) epoll_ctl(ep, EPOLL_CTL_DEL, pair[0], &event);
  for (;;) epoll_wait(ep, &event, 1, 1000);  // waits for the workers to end
}
