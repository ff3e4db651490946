// SPDX-License-Identifier: Apache-2.0
// anyrpc: the write of a response that does not fit into the send buffer ends in EAGAIN, which the server takes for a fatal error: it closes the
// connection in the middle of the response.
// Report: https://github.com/sgieseking/anyrpc/pull/51
// Fix: tell EAGAIN from a real failure, keep the place, and go on when there is room.
// Expect all: write-stalled likely
// Begins: 0.5
// Load: idle
#include "museum.h"

enum { kResponse = 24 << 20 };

static char response[kResponse];

// False: it failed.
static int write_response(int fd, size_t *sent) {
  for (ssize_t n; *sent < kResponse; *sent += n)
    if ((n = send(fd, response + *sent, kResponse - *sent, MSG_NOSIGNAL)) < 0) return fixed && errno == EAGAIN;
  return 1;
}

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    static char piece[1 << 20];
    for (;;) {
      int fd = dial(listener);
      send(fd, "call", 4, 0);
      while (recv(fd, piece, sizeof piece, 0) > 0) nap_ms(5);
      close(fd);
    }
  }
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC)), fd = -1;
  for (size_t sent = 0;;) {
    struct epoll_event event;
    char call[64];
    if (fd < 0) {
      control(ep, EPOLL_CTL_ADD, fd = take(listener), EPOLLIN);
      sent = 0;
    }
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    int over = (event.events & EPOLLIN) && recv(fd, call, sizeof call, 0) == 0;
    if (over || !write_response(fd, &sent)) {
      close(fd);
      fd = -1;
    } else {
      control(ep, EPOLL_CTL_MOD, fd, sent < kResponse ? EPOLLOUT : EPOLLIN);
      if (sent == kResponse) shutdown(fd, SHUT_WR);
    }
  }
}
