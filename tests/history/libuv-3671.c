// SPDX-License-Identifier: Apache-2.0
// libuv v1.x of mid-2022: after a burst of output uv__drain() did not always stop POLLOUT. Each epoll_wait returned one
// EPOLLOUT with an empty write queue: 100 % CPU until that peer disconnected.
// Report: https://github.com/libuv/libuv/issues/3671
// Fix: stop POLLOUT whenever the write queue is empty (pull request 3675).
// Expect all: busy-epollout likely
// Expect excerpt: busy-epollout risk
#include "museum.h"

static char block[1 << 20];

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    int server = dial(listener);
    MUST(write(server, "get", 3));
    while (read(server, block, sizeof block) > 0) continue;
    pause();
  }
  int client = take(listener);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, client, EPOLLIN);
  size_t queued = 0;
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    char request[16];
    if (event.events & EPOLLIN && read(client, request, sizeof request) > 0) {
      queued = 8 * sizeof block;
      control(ep, EPOLL_CTL_MOD, client, EPOLLIN | EPOLLOUT);
    }
    while (queued > 0) {
      ssize_t sent = write(client, block, queued < sizeof block ? queued : sizeof block);
      if (sent < 0) break;
      queued -= sent;
    }
    if (fixed && queued == 0) control(ep, EPOLL_CTL_MOD, client, EPOLLIN);
  }
}
