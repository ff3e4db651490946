// SPDX-License-Identifier: Apache-2.0
// libre (baresip's library): a handler closed another socket of the same batch and opened a new one, which got the same
// number. The pending event was then delivered to the new socket, which had nothing to read.
// Report: https://github.com/creytiv/re/pull/266
// Fix: fd_close() cancels what is pending for that number in the current batch.
// Expect all: missed stale-event likely: the number was reused in the same batch, so the call meets a living file: EAGAIN
// Load: idle
#include "museum.h"

static int new_pair(int ep, int *peer) {
  int pair[2];
  MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
  control(ep, EPOLL_CTL_ADD, pair[0], EPOLLIN);
  *peer = pair[1];
  return pair[0];
}

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC)), peer[2], fd[2];
  for (int i = 0; i < 2; ++i) fd[i] = new_pair(ep, &peer[i]);
  for (;; nap_ms(50)) {
    for (int i = 0; i < 2; ++i) MUST(send(peer[i], "sip", 3, 0));
    struct epoll_event events[8];
    char message[64];
    int count = epoll_wait(ep, events, 8, -1), closed = -1;
    for (int i = 0; i < count; ++i) {
      int number = events[i].data.fd;
      if (fixed && number == closed) continue;
      if (recv(number, message, sizeof message, 0) < 0 || i > 0) continue;
      // The first one hangs up the other call and starts a new one.
      int other = number == fd[0];
      closed = fd[other];
      close(fd[other]);
      close(peer[other]);
      fd[other] = new_pair(ep, &peer[other]);
    }
  }
}
