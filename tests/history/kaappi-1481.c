// SPDX-License-Identifier: Apache-2.0
// kaappi, a Scheme with fibers over EPOLLONESHOT: a reader gave up (its timeout), then data came and the oneshot fired for
// nobody. It was re-armed only if a waiter had been woken: a fiber waiting to write on the same fd hung for ever.
// Report: https://github.com/kaappi/kaappi/pull/1481
// Fix: re-arm whenever any waiter remains after the event, woken or not.
// Expect all: oneshot-not-rearmed likely
// Expect attach: missed oneshot-not-rearmed likely: a loop that writes elsewhere may wait for the answer: a risk, in production
// Expect log: none: a log of system calls does not hold whether input waits on a oneshot that fired
// Expect excerpt: none: a log of system calls does not hold whether input waits on a oneshot that fired
// Run: 4
// Attach: 14
// Log: 5
// Load: idle
#include "museum.h"

static char block[1 << 20];

// The other side of each connection: says a word while our output is stuck, then takes all of it.
static void *peer(void *argument) {
  int fd = (int)(intptr_t)argument;
  nap_ms(100);
  MUST(write(fd, "?", 1));
  nap_ms(100);
  while (read(fd, block, sizeof block) > 0) continue;
  return NULL;
}

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC)), done[256] = {0};
  long long due = now_us();
  for (struct epoll_event event;;) {
    if (now_us() >= due) {
      due += 700000;
      int pair[2];
      MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
      MUST(fcntl(pair[0], F_SETFL, O_NONBLOCK));
      start(peer, (void *)(intptr_t)pair[1]);
      while (write(pair[0], block, sizeof block) > 0) continue;
      // A fiber waits to write, another waited to read and has given up: nothing tells the kernel.
      control(ep, EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLOUT | EPOLLONESHOT);
    }
    if (epoll_wait(ep, &event, 1, 50) < 1) continue;
    int fd = event.data.fd, fired = event.events & EPOLLOUT;
    if (fired && !done[fd]) {
      if (write(fd, "rest", 4) == 4) done[fd] = 1;
      char word[8];
      while (done[fd] && read(fd, word, sizeof word) > 0) continue;  // the writer reads the answer itself
    }
    uint32_t left = done[fd] ? EPOLLIN : EPOLLOUT;
    if (fixed || fired) control(ep, EPOLL_CTL_MOD, fd, left | EPOLLONESHOT);
  }
}
