// SPDX-License-Identifier: Apache-2.0
// Nim's selectors: the output of a child process is a pipe, and when the child has ended epoll reports EPOLLHUP, without
// EPOLLIN. The selector knew only EPOLLIN, EPOLLOUT and EPOLLERR: "the loop will run wild", and nobody knows why.
// Report: https://github.com/nim-lang/Nim/pull/1990
// Fix: EPOLLHUP is handed on as an event.
// Expect all: hup-err-spin likely
#include "museum.h"

int main(void) {
  int ends[2];
  MUST(pipe2(ends, O_CLOEXEC));
  if (is_peer()) {
    for (int i = 0; i < 3; ++i, nap_ms(40)) MUST(write(ends[1], "output\n", 7));
    return 0;
  }
  close(ends[1]);
  signal(SIGCHLD, SIG_IGN);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, ends[0], EPOLLIN);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, 1000) < 1) continue;
    char text[256];
    if (event.events & (fixed ? EPOLLIN | EPOLLHUP : EPOLLIN) && read(ends[0], text, sizeof text) == 0) close(ends[0]);
  }
}
