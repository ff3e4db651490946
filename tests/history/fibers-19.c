// SPDX-License-Identifier: Apache-2.0
// Guile's fibers 1.0: when the writer of a pipe had gone, epoll said EPOLLHUP, and the loop armed the same oneshot again
// without waking the fiber that reads. epoll_wait, epoll_ctl(MOD), for ever: a core burnt, and the job never ended.
// Report: https://github.com/wingo/fibers/issues/19
// Fix: EPOLLHUP wakes the waiting fibers as EPOLLERR does (pull request 38).
// Expect all: hup-err-spin likely
#include "museum.h"

int main(void) {
  int ends[2];
  MUST(pipe2(ends, O_CLOEXEC));
  if (is_peer()) {
    MUST(write(ends[1], "(((#:eval-id . 1)))", 19));
    nap_ms(100);
    return 0;
  }
  close(ends[1]);
  signal(SIGCHLD, SIG_IGN);
  MUST(fcntl(ends[0], F_SETFL, O_NONBLOCK));
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  uint32_t waits = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
  control(ep, EPOLL_CTL_ADD, ends[0], waits);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, 8547) < 1) continue;
    char text[4096];
    ssize_t n = 1;
    while (event.events & (fixed ? EPOLLIN | EPOLLHUP : EPOLLIN) && n > 0) n = read(ends[0], text, sizeof text);
    if (n == 0)
      close(ends[0]);
    else
      control(ep, EPOLL_CTL_MOD, ends[0], waits);
  }
}
