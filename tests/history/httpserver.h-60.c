// SPDX-License-Identifier: Apache-2.0
// httpserver.h: an answer that needs more than one write sets the mask to EPOLLOUT and nobody sets it back. The next request on the same connection
// is never seen; the client waits until it gives up. Input waits, the mask has no EPOLLIN.
// Report: https://github.com/jeremycw/httpserver.h/pull/60
// Fix: back to EPOLLIN when the answer is written.
// Expect all: deaf-registration likely
// Expect attach: deaf-registration risk
// Expect log: none: a log shows neither unread bytes nor whether there is room to write
// Expect excerpt: none: a log shows neither unread bytes nor whether there is room to write
// Attach: 6 --set deaf-registration.deaf_s=2 --set deaf-registration.from_start_s=2
// Load: idle
#include "museum.h"

enum { kAnswer = 8 << 20 };

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    static char piece[65536];
    for (int fd = dial(listener);;) {
      send(fd, "GET", 3, 0);
      nap_ms(100);
      for (ssize_t got = 0; got < kAnswer;) got += MUST(recv(fd, piece, sizeof piece, 0));
    }
  }
  fcntl(listener, F_SETFL, 0);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int fd = MUST(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET);
  size_t left = 0;
  char *answer = calloc(1, kAnswer), request[64];
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    if (event.events & EPOLLIN) {
      while (recv(fd, request, sizeof request, 0) > 0) left += kAnswer;
    }
    ssize_t n = 0;
    while (left > 0 && (n = send(fd, answer, left, MSG_NOSIGNAL)) > 0) left -= n;
    if (left > 0) control(ep, EPOLL_CTL_MOD, fd, EPOLLOUT | EPOLLET);
    if (left == 0 && fixed) control(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET);
  }
}
