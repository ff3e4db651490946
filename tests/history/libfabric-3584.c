// SPDX-License-Identifier: Apache-2.0
// libfabric, sockets provider: "if epoll_wait filled the array there may be more: wait again" - before anything was read. With 32 connections ready
// the same 32 come back for ever; a receive buffer was allocated for each, until the machine was out of memory. The same sockets reported each turn,
// never read.
// Report: https://github.com/ofiwg/libfabric/pull/3584
// Fix: one wait, then read.
// Expect all: unread-spin likely
// Expect excerpt: unread-spin risk
#include "museum.h"

enum { kEvents = 32 };

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int peers[kEvents];
  for (int i = 0; i < kEvents; ++i) {
    int pair[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
    control(ep, EPOLL_CTL_ADD, pair[0], EPOLLIN);
    peers[i] = pair[1];
  }
  for (int round = 0;; ++round) {
    for (int i = 0; i < kEvents; ++i) MUST(write(peers[i], "message", 7));
    struct epoll_event events[kEvents];
    int n;
    do {
      n = epoll_wait(ep, events, kEvents, 10);
    } while (!fixed && n == kEvents);
    char message[64];
    for (int i = 0; i < n; ++i) MUST(read(events[i].data.fd, message, sizeof message));
    nap_ms(20);
  }
}
