// SPDX-License-Identifier: Apache-2.0
// The OpenSmalltalk VM after forking an image: parent and child use the one epoll instance that both inherited, and each
// is told of the other's sockets; events go to whoever waits first.
// Report: https://github.com/OpenSmalltalk/opensmalltalk-vm/pull/552
// Fix: the child closes the epoll fd and makes its own (pthread_atfork).
// Expect all: epoll-shared-across-fork likely
// Also: unread-spin: each is told of what only the other can read
// Expect excerpt: none: without the fork in it, two processes look like two threads
// Run: 5
// Attach: 9 --set epoll-shared-across-fork.both_s=2
// Log: 4
// Load: idle
#include "museum.h"

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC)), pair[2];
  MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
  control(ep, EPOLL_CTL_ADD, pair[0], EPOLLIN);
  int is_child = is_peer();
  if (is_child && fixed) {
    close(ep);
    ep = MUST(epoll_create1(EPOLL_CLOEXEC));
    MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
    control(ep, EPOLL_CTL_ADD, pair[0], EPOLLIN);
  } else if (is_child) {
    int own[2];
    MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, own));
    control(ep, EPOLL_CTL_ADD, own[0], EPOLLIN);
    pair[1] = own[1];
  }
  for (struct epoll_event event;; nap_ms(is_child ? 7 : 5)) {
    char message[16];
    MUST(send(pair[1], "event", 5, 0));
    if (epoll_wait(ep, &event, 1, 20) == 1) recv(event.data.fd, message, sizeof message, 0);
  }
}
