// SPDX-License-Identifier: Apache-2.0
// eventlet: a green thread in send() waits with EPOLLOUT only. The remote server shut its socket down; ours went to
// CLOSE_WAIT, its send buffer stayed full, and epoll never woke anybody: no EPOLLRDHUP in the mask.
// Report: https://github.com/eventlet/eventlet/issues/539
// Fix: none merged; the reporter adds EPOLLRDHUP to the write mask by hand.
// Expect all: half-close-missed likely
// Expect run: missed half-close-missed likely: output is pending, and the next write may find out: a risk
// Expect attach: missed half-close-missed likely: output is pending, and the next write may find out: a risk
// Expect log: none: a log of system calls does not hold the state of a socket
// Expect excerpt: none: a log of system calls does not hold the state of a socket
// Run: 5
// Note: in production a half-closed connection may be one-sided on purpose: 300 s. Here 2, or nobody could wait for it.
// Attach: 6 --set half-close-missed.half_close_s=2 --set half-close-missed.from_start_s=2
// Log: 5
// Load: idle
#include "museum.h"

static char block[1 << 20];

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    int server = dial(listener);
    nap_ms(200);
    MUST(shutdown(server, SHUT_WR));
    pause();  // and it does not read any more either
  }
  int socket = take(listener);
  int hub = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(hub, EPOLL_CTL_ADD, socket, fixed ? EPOLLOUT | EPOLLRDHUP : EPOLLOUT);
  for (struct epoll_event event;;) {
    if (epoll_wait(hub, &event, 1, 500) < 1) continue;
    if (event.events & EPOLLRDHUP)
      close(socket);
    else
      while (send(socket, block, sizeof block, MSG_NOSIGNAL) > 0) continue;
  }
}
