// SPDX-License-Identifier: Apache-2.0
// Delphi-Cross-Socket: more than one I/O thread reads a connection at the same time, and the pieces reach the protocol in another order than they
// came: TLS fails with a corrupted stream. Two threads inside a read of one stream.
// Report: https://github.com/winddriver/Delphi-Cross-Socket/issues/11
// Fix: EPOLLONESHOT (or a lock per connection around reading and handing on).
// Expect all: concurrent-handlers likely
// Expect excerpt: none: two reads that both get bytes need not overlap in so few lines
// Also: concurrent-handlers excerpt: now and then two do
#include "museum.h"

static int ep;
static unsigned long long handed_on;

static void *io_thread(void *unused) {
  static __thread char piece[65536];
  for (;;) {
    struct epoll_event event;
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    ssize_t n = recv(event.data.fd, piece, sizeof piece, 0);
    for (ssize_t i = 0; i < n; i += 64) __atomic_fetch_add(&handed_on, piece[i], __ATOMIC_RELAXED);
    if (fixed) control(ep, EPOLL_CTL_MOD, event.data.fd, EPOLLIN | EPOLLONESHOT);
  }
  return unused;
}

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    static char data[65536];
    for (int fd = dial(listener);;) {
      if (send(fd, data, sizeof data, 0) < 0) return 0;
    }
  }
  ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  fcntl(listener, F_SETFL, 0);
  int fd = MUST(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, fd, EPOLLIN | (fixed ? EPOLLONESHOT : 0));
  for (int i = 0; i < 3; ++i) start(io_thread, NULL);
  io_thread(NULL);
}
