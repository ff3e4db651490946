// SPDX-License-Identifier: Apache-2.0
// gaea (mio-st), the awakener: an eventfd, level-triggered, that is never read. After the first wake-up each poll returns at once. Its own test
// passed because of that: it saw "two" events where one was sent. EPOLLIN of an eventfd each turn, never read.
// Report: https://github.com/Thomasdezeeuw/gaea/issues/54
// Fix: EPOLLET; a new write is a new edge, and no read is needed.
// Expect all: unread-spin likely
// Expect excerpt: unread-spin risk
#include "museum.h"

static void *other_thread(void *awakener) {
  for (;; nap_ms(200)) eventfd_write(*(int *)awakener, 1);
  return NULL;
}

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int awakener = MUST(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  control(ep, EPOLL_CTL_ADD, awakener, EPOLLIN | (fixed ? EPOLLET : 0));
  start(other_thread, &awakener);
  for (struct epoll_event event;;) epoll_wait(ep, &event, 1, -1);
}
