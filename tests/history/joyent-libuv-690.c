// SPDX-License-Identifier: Apache-2.0
// libuv, the spare descriptor. At the limit accept4 fails with EMFILE even when no connection waits: libuv closes the spare, accept4 says EAGAIN, it
// opens the spare again and tries once more, without end and without epoll_wait. The node process was at 100 % and answered nobody. Accept fails
// without end, though no wait lies in between.
// Report: https://github.com/joyent/libuv/issues/690
// Fix: EAGAIN after the spare was closed ends the loop.
// Expect all: accept-spin likely
// Expect excerpt: missed accept-spin likely: without an epoll call a log is not judged at all
// Log: 4
#include "museum.h"

static void on_connection(int listener, int *spare) {
  for (;;) {
    if (accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) >= 0) continue;
    if (errno != EMFILE) return;
    close(*spare);
    int fd, error = 0;
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) close(fd);
    error = errno;
    *spare = open("/", O_RDONLY | O_CLOEXEC);
    if (fixed && error == EAGAIN) return;
  }
}

int main(void) {
  int listener = listen_any();
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int spare = MUST(open("/", O_RDONLY | O_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN);
  if (is_peer()) {
    for (int i = 0; i < 8; ++i) dial(listener);
    for (;;) pause();
  }
  struct rlimit limit = {spare + 5, spare + 5};
  MUST(setrlimit(RLIMIT_NOFILE, &limit));
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) == 1) on_connection(listener, &spare);
  }
}
