// SPDX-License-Identifier: Apache-2.0
// tunneldigger's broker reads a descriptor only when EPOLLIN is set. A client whose connections keep dropping leaves a UDP
// socket with a pending error: EPOLLERR alone, at once, each time. The server was at 100 % because of one such client.
// Report: https://github.com/wlanslovenija/tunneldigger/pull/148
// Fix: close what reports EPOLLERR or EPOLLHUP; the load went "from 100 % to basically nothing".
// Expect all: hup-err-spin likely
#include "museum.h"

int main(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof at;
  int client = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  MUST(bind(client, (struct sockaddr *)&at, sizeof at));
  MUST(getsockname(client, (struct sockaddr *)&at, &length));
  int tunnel = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  MUST(connect(tunnel, (struct sockaddr *)&at, length));
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, tunnel, EPOLLIN);
  close(client);  // it dropped
  MUST(send(tunnel, "keepalive", 9, 0));
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, 1000) < 1) continue;
    char message[1500];
    if (event.events & EPOLLIN)
      recv(tunnel, message, sizeof message, 0);
    else if (fixed && event.events & (EPOLLERR | EPOLLHUP))
      close(tunnel);
  }
}
