// SPDX-License-Identifier: Apache-2.0
// Manticore with a configuration that is a script: on SIGHUP it forks, and the child holds all sockets until it execs. A
// connection that finished meanwhile was closed without EPOLL_CTL_DEL: events came for data that was freed, and crashes.
// Report: https://github.com/manticoresoftware/manticoresearch/pull/4057
// Fix: remove the socket from epoll before closing it.
// Expect all: ghost-registration likely
// Expect excerpt: eof-spin risk
// Also: eof-spin: while the child lives the ghost spins
// Also: unread-spin: as above
// Also: hup-err-spin: as above
// Run: 5
// Attach: 6
// Log: 4
#include "museum.h"

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    for (;;) {
      int master = dial(listener);
      nap_ms(100);
      close(master);  // the connection is finished, on both sides
      nap_ms(2400);
    }
  }
  signal(SIGCHLD, SIG_IGN);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  for (;;) {
    int agent = take(listener);
    control(ep, EPOLL_CTL_ADD, agent, EPOLLIN | EPOLLRDHUP);
    if (MUST(fork()) == 0) {
      nap_ms(1500);  // reads the configuration
      _exit(0);
    }
    nap_ms(50);
    if (fixed) control(ep, EPOLL_CTL_DEL, agent, 0);
    close(agent);
    struct epoll_event event;
    for (long long end = now_us() + 2000000; now_us() < end;)
      if (epoll_wait(ep, &event, 1, 100) == 1 && fixed) return 1;
  }
}
