// SPDX-License-Identifier: Apache-2.0
// EloqSQL: COM_STMT_CLOSE and COM_QUIT came in one segment, then the client closed. The edge was answered by reading one
// command of 9 bytes; the 5 of COM_QUIT stayed, no further edge came, and the connection was never closed.
// Report: https://github.com/eloqdata/eloqsql/issues/43
// Fix: look for further commands in the socket before waiting again.
// Expect all: et-read-not-drained likely
// Expect log: none: a log of system calls does not hold how much waits unread
// Expect excerpt: none: a log of system calls does not hold how much waits unread
// Run: 4
// Attach: 9
// Log: 4
// Load: idle
#include "museum.h"

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    for (;;) {
      int server = dial(listener);
      char answer[8];
      MUST(write(server, "prepare!!", 9));
      MUST(read(server, answer, sizeof answer));
      MUST(write(server, "closestmtquit!", 14));
      close(server);
      nap_ms(500);
    }
  }
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    int fd = event.data.fd;
    if (fd == listener) {
      control(ep, EPOLL_CTL_ADD, take(listener), EPOLLIN | EPOLLRDHUP | EPOLLET);
      continue;
    }
    char command[9];
    do {
      ssize_t n = recv(fd, command, sizeof command, 0);
      if (n == 9 && command[0] == 'p') MUST(write(fd, "ok", 2));
      if (n >= 0 && n < 9) {  // COM_QUIT, or the end
        close(fd);
        break;
      }
      if (n < 0) break;
    } while (fixed);
  }
}
