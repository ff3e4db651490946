// SPDX-License-Identifier: Apache-2.0
// ProxySQL: a throttled session is moved from the worker to the thread for idle sessions, which has an epoll of its own and waits for EPOLLIN only. A
// session that still has output stays there: the client hangs.
// Report: https://github.com/sysown/proxysql/pull/1952
// Fix: a session with output pending is not moved.
// Expect all: write-stalled likely
// Expect attach: none: cut short before epaudit came, and the kernel does not remember that
// Expect log: none: a log shows neither unread bytes nor whether there is room to write
// Expect excerpt: none: a log shows neither unread bytes nor whether there is room to write
// Load: idle
#include "museum.h"

static int worker_ep, idle_ep;

static void *idle_thread(void *unused) {
  for (struct epoll_event event;;) {
    if (epoll_wait(idle_ep, &event, 1, -1) < 1) continue;
    control(idle_ep, EPOLL_CTL_DEL, event.data.fd, 0);
    control(worker_ep, EPOLL_CTL_ADD, event.data.fd, EPOLLIN | EPOLLOUT);
  }
  return unused;
}

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    static char piece[65536];
    int fd = dial(listener);
    send(fd, "SELECT", 6, 0);
    nap_ms(200);
    while (recv(fd, piece, sizeof piece, 0) > 0) continue;
    return 0;
  }
  fcntl(listener, F_SETFL, 0);
  worker_ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  idle_ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  start(idle_thread, NULL);
  int fd = MUST(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
  control(worker_ep, EPOLL_CTL_ADD, fd, EPOLLIN);
  size_t left = 0;
  char *rows = calloc(1, 8 << 20), query[64];
  for (struct epoll_event event;;) {
    if (epoll_wait(worker_ep, &event, 1, -1) < 1) continue;
    if (recv(fd, query, sizeof query, 0) > 0) left += 8 << 20;
    ssize_t n = left > 0 ? send(fd, rows, left, MSG_NOSIGNAL) : 0;
    if (n > 0) left -= n;
    if (left > 0 && fixed) {
      control(worker_ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT);
    } else {
      control(worker_ep, EPOLL_CTL_DEL, fd, 0);
      control(idle_ep, EPOLL_CTL_ADD, fd, EPOLLIN);
    }
  }
}
