// SPDX-License-Identifier: Apache-2.0
// ndhc, a DHCP client, at 100 % CPU once it has its lease. The lease is long, the time to the renewal is computed in 64 bits, and what epoll_wait
// gets of it, an int, is 0. Where the beginning was seen (the loop used to wait), else info.
// Report: https://github.com/niklata/ndhc/issues/7
// Fix: clamp to INT_MAX before the conversion.
// Expect all: zero-timeout-spin likely
// Expect attach: zero-timeout-spin info
// Expect log: zero-timeout-spin info
// Expect excerpt: zero-timeout-spin info
// Attach: 8 --set zero-timeout-spin.cpu=0.1
// Begins: 1.3
// Run: 7
// Log: 5
#include "museum.h"

#include <limits.h>

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int timeouts = 0;
  control(ep, EPOLL_CTL_ADD, MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), EPOLLIN);
  for (;;) {
    // Twelve tries to find a server, then a lease of 99 days.
    long long timeout_ms = timeouts < 12 ? 100 : 2 * 4294967296LL;
    if (fixed && timeout_ms > INT_MAX) timeout_ms = INT_MAX;
    struct epoll_event event;
    int n = epoll_wait(ep, &event, 1, (int)timeout_ms);
    if (n == 0 && timeouts < 12) ++timeouts;
    uint64_t counter;
    if (n > 0) MUST(recv(event.data.fd, &counter, sizeof counter, MSG_DONTWAIT));
  }
}
