// SPDX-License-Identifier: Apache-2.0
// redis, it was said, keeps connections of clients that were killed because its masks lack EPOLLRDHUP. Those clients had
// sent no FIN, so there was nothing to see; and where one comes, EPOLLIN and read() = 0 tell it. No bug of epoll's use.
// Report: https://github.com/redis/redis/issues/2093
// Fix: none needed; redis has its client timeout and TCP keep-alive (here: EPOLLRDHUP asked for all the same).
// Expect all: silent
// Run: 5
// Attach: 6
// Log: 4
// Load: idle
#include "museum.h"

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    for (;;) {
      int vanished = dial(listener), polite = dial(listener);
      MUST(write(vanished, "PING\r\n", 6));  // never heard of again, and never closed
      MUST(write(polite, "PING\r\n", 6));
      nap_ms(50);
      close(polite);
      nap_ms(250);
    }
  }
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, 100) < 1) continue;
    int fd = event.data.fd;
    char command[64];
    if (fd == listener) {
      control(ep, EPOLL_CTL_ADD, take(listener), fixed ? EPOLLIN | EPOLLRDHUP : EPOLLIN);
    } else if (read(fd, command, sizeof command) > 0) {
      MUST(write(fd, "+PONG\r\n", 7));
    } else {
      close(fd);
    }
  }
}
