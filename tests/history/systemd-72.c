// SPDX-License-Identifier: Apache-2.0
// systemd-udevd 220: a forked worker freed the event loop it had inherited; sd-event took each source out of the epoll set,
// which is the parent's set too. The main daemon no longer heard of inotify.
// Report: https://github.com/systemd/systemd/pull/72
// Fix: sd-event does not touch descriptors in a process that did not make them.
// Expect all: epoll-shared-across-fork likely
// Expect attach: none: the one EPOLL_CTL_DEL is two seconds past when epaudit comes
// Run: 5
// Attach: 5
// Log: 5
// Load: idle
#include "museum.h"

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC)), watched[2];
  MUST(pipe2(watched, O_NONBLOCK | O_CLOEXEC));  // stands for the inotify descriptor
  control(ep, EPOLL_CTL_ADD, watched[0], EPOLLIN);
  if (is_peer()) {
    nap_ms(100);
    if (!fixed) control(ep, EPOLL_CTL_DEL, watched[0], 0);
    close(ep);
    for (;; nap_ms(200)) write(watched[1], "x", 1);
  }
  for (struct epoll_event event;;) {
    char what[64];
    if (epoll_wait(ep, &event, 1, 3000) == 1) MUST(read(watched[0], what, sizeof what));
  }
}
