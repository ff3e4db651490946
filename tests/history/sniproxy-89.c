// SPDX-License-Identifier: Apache-2.0
// sniproxy out of descriptors: repeatedly 100 % CPU, one log line "accept failed: Too many open files" after the other. The writes to the log in
// between change nothing.
// Report: https://github.com/dlundquist/sniproxy/issues/89
// Fix: a back-off timer before the listener is watched again (there: also ulimit -n 65535 in the start script).
// Expect all: accept-spin likely
// Expect excerpt: none: six lines per turn, and 100 turns are asked for
#include "museum.h"

int main(void) {
  int listener = listen_any();
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int timer = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  int log = MUST(open("/dev/null", O_WRONLY | O_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN);
  control(ep, EPOLL_CTL_ADD, timer, EPOLLIN);
  if (is_peer()) {
    for (int i = 0; i < 20; ++i) dial(listener);
    for (;;) pause();
  }
  struct rlimit limit = {log + 6, log + 6};
  MUST(setrlimit(RLIMIT_NOFILE, &limit));
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, 59743) < 1) continue;
    if (event.data.fd == timer) {
      uint64_t ticks;
      MUST(read(timer, &ticks, sizeof ticks));
      control(ep, EPOLL_CTL_ADD, listener, EPOLLIN);
      continue;
    }
    if (accept(listener, NULL, NULL) >= 0) continue;
    dprintf(log, "%ld accept failed: %s\n", (long)time(NULL), strerror(errno));
    if (!fixed) continue;
    control(ep, EPOLL_CTL_DEL, listener, 0);
    struct itimerspec back_off = {.it_value.tv_nsec = 200000000};
    MUST(timerfd_settime(timer, 0, &back_off, NULL));
  }
}
