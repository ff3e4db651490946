// SPDX-License-Identifier: Apache-2.0
// bun's sockets with allowHalfOpen on a unix socket: a peer's close is EPOLLHUP there, not an end of stream. The handler
// dropped EPOLLIN and waited for our side to end; EPOLLHUP came again each time, and each time a write found EPIPE.
// A proxy gathered tens of thousands of these, a core burnt and no descriptor ever given back.
// Report: https://github.com/oven-sh/bun/pull/37928
// Fix: close a half-open socket on EPOLLHUP.
// Expect all: hup-err-spin likely
// Expect excerpt: none: three lines a turn make 67 returns, and 100 are needed: the verdict is inconclusive, and names the fd
#include "museum.h"

int main(void) {
  int pair[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
  if (is_peer()) {
    close(pair[0]);
    MUST(write(pair[1], "CONNECT a:443 HTTP/1.1\r\n\r\n", 26));
    nap_ms(100);
    return 0;
  }
  close(pair[1]);
  signal(SIGCHLD, SIG_IGN);
  MUST(fcntl(pair[0], F_SETFL, O_NONBLOCK));
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLRDHUP);
  for (struct epoll_event events[8];;) {
    if (epoll_wait(ep, events, 8, 1000) < 1) continue;
    char request[512];
    if (!(events[0].events & EPOLLHUP)) {
      MUST(recv(pair[0], request, sizeof request, 0));
    } else if (fixed) {
      close(pair[0]);
    } else {
      control(ep, EPOLL_CTL_MOD, pair[0], 0);
      send(pair[0], "HTTP/1.1 502\r\n", 14, MSG_NOSIGNAL);
    }
  }
}
