// SPDX-License-Identifier: Apache-2.0
// rsp, a proxy: with two busy connections one gets all and the other nothing, for seconds, by turns (3.45 and 2.50 Gbit/s, then 3.58 and 0). A readable
// socket is read until EAGAIN, and while its sender keeps up there is no EAGAIN.
// Report: https://github.com/gpjt/rsp/issues/2
// Fix: so many bytes per event at most; what is left is reported again.
// Expect all: missed loop-stall likely: the others were reported by the same return, and a batch that takes long is load
// Expect log: none: a loop that computes or reads and one that waits for strace look the same
// Expect excerpt: none: the same
// Run: 5
// Log: 3
#include "museum.h"

int main(void) {
  int listener = listen_any();
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN);
  for (int i = 0; i < 3; ++i) {
    if (!is_peer()) continue;
    static char data[1 << 20];
    nap_ms(i * 300);
    for (int fd = dial(listener);;) {
      if (send(fd, data, sizeof data, 0) < 0) return 0;
    }
  }
  static char data[65536];
  unsigned long long sum = 0;
  for (struct epoll_event events[16];;) {
    int n = epoll_wait(ep, events, sum == 1 ? 1 : 16, -1);
    for (int i = 0; i < n; ++i) {
      int fd = events[i].data.fd, pieces = 0;
      if (fd == listener) {
        control(ep, EPOLL_CTL_ADD, MUST(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)), EPOLLIN);
        continue;
      }
      for (ssize_t got; (got = recv(fd, data, sizeof data, 0)) > 0 && !(fixed && ++pieces == 4);) {
        for (ssize_t at = 0; at < got; ++at) sum = sum * 31 + data[at];  // what a proxy does with them takes its time
      }
    }
  }
}
