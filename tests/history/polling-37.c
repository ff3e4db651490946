// SPDX-License-Identifier: Apache-2.0
// smol's polling: a server forks for each connection. The child drops its Poller, whose destructor takes the timerfd and
// the eventfd out of the epoll set, which the parent goes on using: its timers and notifications are gone.
// Report: https://github.com/smol-rs/polling/issues/37
// Fix: the reporter's: close the descriptors, do not delete them from the set first.
// Expect all: epoll-shared-across-fork likely
// Expect attach: none: what was deleted was deleted two seconds before epaudit came
// Expect excerpt: none: 200 lines from the middle of a log do not hold a deed at its beginning
// Run: 5
// Attach: 5
// Log: 5
// Load: idle
#include "museum.h"

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    for (;; nap_ms(200)) MUST(write(dial(listener), "hello", 5));
  }
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int event_fd = MUST(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  int timer_fd = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, event_fd, EPOLLIN);
  control(ep, EPOLL_CTL_ADD, timer_fd, EPOLLIN);
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN);
  for (struct epoll_event event;;) {
    struct itimerspec in_50_ms = {.it_value.tv_nsec = 50000000};
    MUST(timerfd_settime(timer_fd, 0, &in_50_ms, NULL));
    uint64_t ticks;
    if (epoll_wait(ep, &event, 1, 1000) < 1) continue;
    if (event.data.fd == timer_fd) MUST(read(timer_fd, &ticks, sizeof ticks));
    if (event.data.fd != listener) continue;
    int client = take(listener);
    if (is_peer()) {
      if (!fixed) {
        epoll_ctl(ep, EPOLL_CTL_DEL, timer_fd, &event);
        epoll_ctl(ep, EPOLL_CTL_DEL, event_fd, &event);
      }
      close(timer_fd), close(event_fd), close(ep);
      nap_ms(5000);  // serves its client
      _exit(0);
    }
    close(client);
  }
}
