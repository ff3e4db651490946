// SPDX-License-Identifier: Apache-2.0
// flux, a data gatherer with more busy connections than events per poll (128). Heavy connections fill each batch, light ones were read a second late;
// TCP took that for a slow reader and shrank their window. Each batch full (here 4 of 48 connections).
// Report: https://github.com/gattaca-com/flux/pull/67
// Fix: let the buffer grow while batches are full.
// Expect all: small-maxevents info
// Expect attach: none: production asks for 1,000 full batches a second, it is about the cost of calls
// Expect log: none: a log does not show what waits behind a full batch
// Expect excerpt: none: the same
// Run: 5
// Attach: 8
#include "museum.h"

enum { kConnections = 48 };

int main(void) {
  int listener = listen_any(), small = 16384;
  MUST(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small));
  if (is_peer()) {
    static char data[4096];
    int fds[kConnections];
    for (int i = 0; i < kConnections; ++i) {
      fds[i] = dial(listener);
      fcntl(fds[i], F_SETFL, O_NONBLOCK);
      setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    }
    for (;;) {
      for (int i = 0; i < kConnections; ++i) send(fds[i], data, sizeof data, 0);
    }
  }
  fcntl(listener, F_SETFL, 0);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  for (int i = 0; i < kConnections; ++i) {
    control(ep, EPOLL_CTL_ADD, MUST(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)), EPOLLIN);
  }
  int capacity = 4;
  static char data[16384];
  for (struct epoll_event events[64];;) {
    int n = epoll_wait(ep, events, capacity, -1);
    for (int i = 0; i < n; ++i) {
      if (recv(events[i].data.fd, data, sizeof data, 0) > 0) usleep(200);  // what it does with them
    }
    if (fixed && n == capacity && capacity < 64) capacity *= 2;
  }
}
