// SPDX-License-Identifier: Apache-2.0
// h2o took it that an fd registered with events = 0 reports nothing. EPOLLERR and EPOLLHUP are always reported: a client
// that reset its connection while its request was worked on made the event loop spin.
// Report: https://github.com/h2o/h2o/pull/603
// Fix: take the fd out of the epoll set while nothing is wanted of it.
// Expect all: hup-err-spin likely
#include "museum.h"

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    int server = dial(listener);
    struct linger reset = {1, 0};
    MUST(write(server, "GET / HTTP/1.1\r\n\r\n", 18));
    nap_ms(100);
    MUST(setsockopt(server, SOL_SOCKET, SO_LINGER, &reset, sizeof reset));
    close(server);
    pause();
  }
  int client = take(listener);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, client, EPOLLIN);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, 1000) < 1) continue;
    char request[512];
    if (!(event.events & EPOLLIN) || read(client, request, sizeof request) <= 0) continue;
    // The request is with the upstream: we want nothing of this client until its answer is there.
    control(ep, fixed ? EPOLL_CTL_DEL : EPOLL_CTL_MOD, client, 0);
  }
}
