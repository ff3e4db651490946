// SPDX-License-Identifier: Apache-2.0
// systemd-udevd 244 runs a program with pipes for its output. One that closes its stdout and stderr and lives on left both
// read ends with EPOLLHUP, twice per epoll_wait, and udevd ate a core until that program ended.
// Report: https://github.com/systemd/systemd/issues/14514
// Fix: the event source is switched off at the end of its output (commit 9f537ae).
// Expect all: hup-err-spin likely
#include "museum.h"

int main(void) {
  int out[2], err[2];
  MUST(pipe2(out, O_CLOEXEC));
  MUST(pipe2(err, O_CLOEXEC));
  if (is_peer()) {
    close(out[1]), close(err[1]);
    pause();  // RUN+="/bin/sh -c 'exec >/dev/null 2>/dev/null; exec sleep 10'"
  }
  close(out[1]), close(err[1]);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, out[0], EPOLLIN);
  control(ep, EPOLL_CTL_ADD, err[0], EPOLLIN);
  for (struct epoll_event events[5];;) {
    int count = epoll_wait(ep, events, 5, 1000);
    for (int i = 0; i < count; ++i) {
      char line[4096];
      if (events[i].events & EPOLLIN && read(events[i].data.fd, line, sizeof line) > 0) continue;
      if (fixed) control(ep, EPOLL_CTL_DEL, events[i].data.fd, 0);
    }
  }
}
