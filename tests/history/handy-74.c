// SPDX-License-Identifier: Apache-2.0
// handy, an edge-triggered example: "if EPOLLIN read, else if EPOLLOUT write". When both become ready before one wait, they come in one event; only
// the read is done, and the edge of EPOLLOUT does not come again.
// Report: https://github.com/yedf2/handy/issues/74
// Fix: look at both bits.
// Expect all: write-stalled likely
// Expect attach: none: cut short before epaudit came, and the kernel does not remember that
// Expect log: none: a log shows neither unread bytes nor whether there is room to write
// Expect excerpt: none: a log shows neither unread bytes nor whether there is room to write
// Begins: 0.8
// Load: idle
#include "museum.h"

enum { kResponse = 64 << 20 };

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    static char piece[65536];
    int fd = dial(listener);
    send(fd, "first", 5, 0);
    nap_ms(100);
    send(fd, "second", 6, 0);
    while (recv(fd, piece, sizeof piece, 0) > 0) continue;
    return 0;
  }
  fcntl(listener, F_SETFL, 0);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int fd = MUST(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET);
  size_t left = 0;
  char *response = calloc(1, kResponse), request[64];
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    int readable = event.events & EPOLLIN, writable = event.events & EPOLLOUT;
    if (readable) {
      while (recv(fd, request, sizeof request, 0) > 0) continue;
      if (left == 0) {
        left = kResponse;
        for (ssize_t n; left > 0 && (n = send(fd, response, left, MSG_NOSIGNAL)) > 0;) left -= n;
        nap_ms(500);  // what else this loop has to do; meanwhile the client reads and sends
      }
    }
    if (writable && (fixed || !readable)) {
      for (ssize_t n; left > 0 && (n = send(fd, response, left, MSG_NOSIGNAL)) > 0;) left -= n;
    }
  }
}
