// SPDX-License-Identifier: Apache-2.0
// libmill, a server without descriptors. tcpaccept() fails with EMFILE, the loop goes on, and since a connection is there accept never has to wait:
// strace shows accept = EMFILE and nothing else. A rule about accept, not about epoll_wait.
// Report: https://github.com/sustrik/libmill/issues/182
// Fix: wait (here 100 ms, in epoll) before the next accept.
// Expect all: accept-spin likely
// Expect excerpt: missed accept-spin likely: without an epoll call a log is not judged at all
// Log: 4
#include "museum.h"

static int tcpaccept(int ep, int listener) {
  for (struct epoll_event event;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd >= 0 || errno != EAGAIN) return fd;
    epoll_wait(ep, &event, 1, -1);
  }
}

int main(void) {
  int listener = listen_any();
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int idle = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN);
  if (is_peer()) {
    for (int i = 0; i < 20; ++i, nap_ms(20)) dial(listener);
    for (;;) pause();
  }
  struct rlimit limit = {idle + 6, idle + 6};
  MUST(setrlimit(RLIMIT_NOFILE, &limit));
  for (struct epoll_event event;;) {
    if (tcpaccept(ep, listener) >= 0) continue;
    if (fixed && errno == EMFILE) epoll_wait(idle, &event, 1, 100);
  }
}
