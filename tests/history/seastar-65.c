// SPDX-License-Identifier: Apache-2.0
// seastar's epoll backend: a connection that was torn down and not closed yet reports EPOLLIN|EPOLLHUP. What to take out of
// the set was worked out before the wanted events were cleared, so nothing was taken out: the reactor at 100 %.
// Report: https://github.com/redpanda-data/seastar/pull/65
// Fix: take the fd out of the epoll set in the error branch.
// Expect all: hup-err-spin likely
#include "museum.h"

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    int server = dial(listener);
    MUST(write(server, "produce", 7));
    nap_ms(100);
    struct linger reset = {1, 0};
    MUST(setsockopt(server, SOL_SOCKET, SO_LINGER, &reset, sizeof reset));
    close(server);
    pause();
  }
  int client = take(listener);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  uint32_t requested = EPOLLIN;
  control(ep, EPOLL_CTL_ADD, client, requested);
  for (struct epoll_event event;;) {
    if (epoll_pwait(ep, &event, 1, 1000, NULL) < 1) continue;
    if (event.events & (EPOLLHUP | EPOLLERR)) {
      uint32_t to_remove = event.events & requested & ~requested;  // too late: those that were wanted a moment ago
      requested = 0;  // whoever waited is told of the error, and will close it some day
      if (fixed || to_remove) control(ep, EPOLL_CTL_DEL, client, 0);
      continue;
    }
    char request[512];
    MUST(read(client, request, sizeof request));
  }
}
