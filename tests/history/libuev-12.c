// SPDX-License-Identifier: Apache-2.0
// libuEv: `bar < foo.txt` does nothing. epoll_ctl(ADD) of a regular file fails with EPERM, the library does not mind, and the loop waits for input
// that nobody will ever announce; with a pipe it works. ADD = EPERM, then a wait without end.
// Report: https://github.com/troglobit/libuev/issues/12
// Fix: a file is always readable: call its handler without epoll.
// Expect all: failed-epoll-ctl likely
// Expect run: missed failed-epoll-ctl likely: a signal or another thread may end the wait on the empty epoll: a risk
// Expect log: missed failed-epoll-ctl likely: EPERM is taken for a question, and what is done with the answer is not looked at
// Expect attach: none: it failed before epaudit came
// Expect excerpt: missed failed-epoll-ctl likely: the same
// Load: idle
#include "museum.h"

int main(void) {
  char name[] = "/tmp/foo.txt.XXXXXX", text[64];
  int file = MUST(mkstemp(name));
  MUST(write(file, "foo\n", 4));
  MUST(lseek(file, 0, SEEK_SET));
  MUST(dup2(file, 0));
  MUST(unlink(name));
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  struct epoll_event event = {.events = EPOLLIN, .data.fd = 0};
  int always_readable = 0;
  if (epoll_ctl(ep, EPOLL_CTL_ADD, 0, &event) < 0 && errno == EPERM) always_readable = fixed;
  while (always_readable && read(0, text, sizeof text) > 0) continue;
  for (;;) {
    if (epoll_wait(ep, &event, 1, -1) == 1) MUST(read(0, text, sizeof text));
  }
}
