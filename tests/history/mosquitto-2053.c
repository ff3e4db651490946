// SPDX-License-Identifier: Apache-2.0
// mosquitto 2.0 with TLS: a client that connected and said nothing (openssl s_client is enough) made the broker use a
// whole core until the handshake timed out. EPOLLOUT was armed for the handshake and answered by a read: EAGAIN.
// Report: https://github.com/eclipse-mosquitto/mosquitto/pull/2053
// Fix: arm EPOLLOUT only when the TLS library wants to write; CPU fell from 100 % to 0.7 %.
// Expect all: busy-epollout likely
#include "museum.h"

static int want_write(int fd) {
  char hello[512];
  return read(fd, hello, sizeof hello) > 0;  // the handshake's next step: it waits for the client's hello
}

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    dial(listener);
    pause();
  }
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  int client = take(listener);
  control(ep, EPOLL_CTL_ADD, client, EPOLLIN | EPOLLOUT);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, 100) < 1) continue;
    int wants = want_write(client);
    if (fixed) control(ep, EPOLL_CTL_MOD, client, EPOLLIN | (wants ? EPOLLOUT : 0));
  }
}
