// SPDX-License-Identifier: Apache-2.0
// Several threads wait on one epoll without a lock. Each gets the same events: the first thread succeeds, and the others fail, because the event is
// handled already. (Asked for wepoll; its author: the same happens on Linux.) One event handed to several threads, most find EAGAIN.
// Report: https://github.com/piscisaureus/wepoll/issues/28
// Fix: EPOLLONESHOT, as the author advises.
// Expect all: duplicate-delivery likely
// Expect excerpt: none: too few events
// Log: 5
// Run: 4
// Attach: 8
#include "museum.h"

static int ep;

static void find_session(void) { nap_ms(1); }  // whoever knows the session is asked

static void *worker(void *unused) {
  for (;;) {
    struct epoll_event event;
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    char request[256];
    find_session();
    ssize_t n = recv(event.data.fd, request, sizeof request, 0);
    if (n > 0) send(event.data.fd, request, n, MSG_NOSIGNAL);
    if (fixed) control(ep, EPOLL_CTL_MOD, event.data.fd, EPOLLIN | EPOLLONESHOT);
  }
  return unused;
}

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    char answer[256];
    for (int fd = dial(listener);; nap_ms(1)) {
      send(fd, "ping", 4, 0);
      if (recv(fd, answer, sizeof answer, 0) < 1) return 0;
    }
  }
  ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  fcntl(listener, F_SETFL, 0);
  int fd = MUST(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, fd, EPOLLIN | (fixed ? EPOLLONESHOT : 0));
  for (int i = 0; i < 7; ++i) start(worker, NULL);
  worker(NULL);
}
