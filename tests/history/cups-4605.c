// SPDX-License-Identifier: Apache-2.0
// cupsd, between the end of a POST and its decision what to do with it, watched the connection for nothing (events = 0).
// A client that went away just then left EPOLLHUP behind, which is always reported: a busy loop.
// Report: https://github.com/apple/cups/issues/4605
// Fix: do not register a descriptor that nobody wants to hear of.
// Expect all: hup-err-spin likely
#include "museum.h"

int main(void) {
  int pair[2];  // clients on the same machine come over a unix socket
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
  if (is_peer()) {
    close(pair[0]);
    MUST(write(pair[1], "POST /printers/a HTTP/1.1\r\n\r\n", 29));
    nap_ms(100);
    return 0;
  }
  close(pair[1]);
  signal(SIGCHLD, SIG_IGN);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, pair[0], EPOLLIN);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, 1000) < 1) continue;
    char request[512];
    if (!(event.events & EPOLLIN)) continue;
    MUST(read(pair[0], request, sizeof request));
    control(ep, EPOLL_CTL_DEL, pair[0], 0);
    if (!fixed) control(ep, EPOLL_CTL_ADD, pair[0], 0);
  }
}
