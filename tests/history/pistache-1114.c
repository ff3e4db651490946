// SPDX-License-Identifier: Apache-2.0
// pistache: a large response over TLS stops half-way. write() takes a part, the next one fails with EAGAIN, the mask is set to EPOLLIN|EPOLLOUT, and
// microseconds later to EPOLLIN alone by the code that believes all was written.
// Report: https://github.com/pistacheio/pistache/issues/1114
// Fix: only the writer takes EPOLLOUT away, when nothing is left.
// Expect all: write-stalled likely
// Expect attach: none: cut short before epaudit came, and the kernel does not remember that
// Expect log: none: a log shows neither unread bytes nor whether there is room to write
// Expect excerpt: none: a log shows neither unread bytes nor whether there is room to write
// Load: idle
#include "museum.h"

enum { kResponse = 8 << 20 };

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    static char piece[65536];
    int fd = dial(listener);
    send(fd, "GET", 3, 0);
    nap_ms(200);
    while (recv(fd, piece, sizeof piece, 0) > 0) continue;
    return 0;
  }
  fcntl(listener, F_SETFL, 0);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int fd = MUST(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET);
  char *response = calloc(1, kResponse), request[64];
  size_t left = 0;
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    while (recv(fd, request, sizeof request, 0) > 0) left += kResponse;
    while (left > 0) {
      ssize_t n = send(fd, response, left < 16406 ? left : 16406, MSG_NOSIGNAL);
      if (n < 0) {
        control(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT | EPOLLET);
        break;
      }
      left -= n;
    }
    if (!fixed || left == 0) control(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET);
  }
}
