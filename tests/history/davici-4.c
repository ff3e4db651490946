// SPDX-License-Identifier: Apache-2.0
// davici (strongSwan's VICI client) in an edge-triggered loop: two events arrived before the first was read,
// davici_read() took one and returned 0, which also means "nothing left". The second waited for a third.
// Report: https://github.com/strongswan/davici/issues/4
// Fix: davici_read() goes on until EAGAIN.
// Expect all: et-read-not-drained likely
// Expect log: none: a log of system calls does not hold how much waits unread
// Expect excerpt: none: a log of system calls does not hold how much waits unread
// Run: 4
// Attach: 6
// Log: 4
// Load: idle
#include "museum.h"

static int davici_read(int fd) {
  uint32_t length;
  char body[64];
  do {
    if (recv(fd, &length, sizeof length, 0) != sizeof length) return 0;
    MUST(recv(fd, body, length, 0));
  } while (fixed);
  return 0;
}

int main(void) {
  int pair[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
  if (is_peer()) {
    close(pair[0]);
    struct {
      uint32_t length;
      char body[24];
    } updown = {24, "child-updown"};
    for (int i = 0;; ++i) {
      MUST(write(pair[1], &updown, sizeof updown));
      if (i % 3 != 0) nap_ms(500);
    }
  }
  close(pair[1]);
  MUST(fcntl(pair[0], F_SETFL, O_NONBLOCK));
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLET);
  for (struct epoll_event event;;)
    if (epoll_wait(ep, &event, 1, -1) == 1) davici_read(pair[0]);
}
