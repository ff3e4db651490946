// SPDX-License-Identifier: Apache-2.0
// pika (now pikiwidb): after one write() returned EAGAIN the worker armed EPOLLOUT; later replies went out directly, and
// nobody removed it. 100 % of a core, for hours, sometimes, though every now and then a reply is written.
// Report: https://github.com/OpenAtomFoundation/pikiwidb/issues/251
// Fix: a change of the network library pink was reverted; EPOLLOUT goes with the last byte of the buffer.
// Expect all: busy-epollout likely
// Expect excerpt: busy-epollout risk
#include "museum.h"

static char block[1 << 20];

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    int server = dial(listener);
    for (;;)
      if (read(server, block, sizeof block) <= 0) return 0;
  }
  int client = take(listener);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, client, EPOLLIN);
  while (write(client, block, sizeof block) == sizeof block) continue;
  control(ep, EPOLL_CTL_MOD, client, EPOLLIN | EPOLLOUT);
  long long due = now_us();
  for (struct epoll_event event;;) {
    // Somebody publishes four times a second; the reply fits.
    if (now_us() >= due) {
      due += 250000;
      if (write(client, "message", 7) < 0) continue;
    }
    if (epoll_wait(ep, &event, 1, 50) < 1) continue;
    if (fixed && event.events & EPOLLOUT) control(ep, EPOLL_CTL_MOD, client, EPOLLIN);
  }
}
