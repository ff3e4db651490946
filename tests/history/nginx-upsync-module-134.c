// SPDX-License-Identifier: Apache-2.0
// nginx-upsync-module calls getaddrinfo() in the worker's event loop. When the name server does not answer, the resolver sits in poll() for 5 s per
// try, and so does everything else that worker serves. Poll() on a UDP socket while clients wait.
// Report: https://github.com/weibocom/nginx-upsync-module/issues/134
// Fix: resolve elsewhere (here: a thread), or with the loop's own resolver.
// Expect all: loop-stall likely
// Expect excerpt: none: one stall at most in so few lines
// Changed: a loop that takes one event at a time is told of what waited by several returns: in a log they count together now
// Attach: 6
// Log: 11
// Begins: 0.5
// Run: 4
// Load: idle
#include "museum.h"

#include <poll.h>

static void *getaddrinfo_of_a_dead_server(void *unused) {
  int fd = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  struct pollfd query = {fd, POLLIN, 0};
  poll(&query, 1, 2000);
  close(fd);
  return unused;
}

int main(void) {
  int listener = listen_any();
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN);
  if (is_peer()) {
    char answer[64];
    int clients[3];
    for (int i = 0; i < 3; ++i) clients[i] = dial(listener);
    for (;; nap_ms(20)) {
      for (int i = 0; i < 3; ++i) send(clients[i], "GET", 3, 0);
      for (int i = 0; i < 3; ++i) {
        if (recv(clients[i], answer, sizeof answer, 0) < 1) return 0;
      }
    }
  }
  for (long long due = now_us() + 500000;;) {
    struct epoll_event event;
    char request[64];
    int n = epoll_wait(ep, &event, 1, 500);
    if (n == 1 && event.data.fd == listener) {
      control(ep, EPOLL_CTL_ADD, MUST(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)), EPOLLIN);
    } else if (n == 1) {
      n = recv(event.data.fd, request, sizeof request, 0);
      if (n > 0) send(event.data.fd, request, n, MSG_NOSIGNAL);
    }
    if (now_us() < due) continue;
    if (fixed) start(getaddrinfo_of_a_dead_server, NULL);
    if (!fixed) getaddrinfo_of_a_dead_server(NULL);
    due = now_us() + 500000;
  }
}
