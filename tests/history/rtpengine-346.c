// SPDX-License-Identifier: Apache-2.0
// rtpengine's command-line listener: edge-triggered, one accept() per event, the command answered and closed at once. Of
// two rtpengine-ctl that started together one printed nothing and hung for ever.
// Report: https://github.com/sipwise/rtpengine/pull/346
// Fix: cli_incoming accepts until EAGAIN.
// Expect all: et-accept-not-drained likely
// Expect log: none: a log of system calls does not hold the backlog
// Expect excerpt: none: a log of system calls does not hold the backlog
// Run: 4
// Attach: 7
// Log: 4
// Load: idle
#include "museum.h"

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    for (int i = 0;; ++i) {
      MUST(write(dial(listener), "list numsessions\n", 17));
      if (i % 2) nap_ms(900);
    }
  }
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN | EPOLLET);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, 100) < 1) continue;
    do {
      nap_ms(20);  // what else there is to do for calls: the second comes meanwhile
      int client = accept(listener, NULL, NULL);
      if (client < 0) break;
      char command[64];
      if (read(client, command, sizeof command) > 0) MUST(write(client, "0\n", 2));
      close(client);
    } while (fixed);
  }
}
