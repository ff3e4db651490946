// SPDX-License-Identifier: Apache-2.0
// SFML, non-blocking TcpSocket: send() of a packet loops until EWOULDBLOCK and then says "not ready", though a part of the packet has gone out.
// Whoever tries again sends the packet from its beginning, and the stream is garbage from there on.
// Report: https://github.com/SFML/SFML/issues/749
// Fix: tell how much was sent, and go on from there.
// Expect all: write-stalled likely
// Expect log: none: a log does not show what the bytes are
// Expect excerpt: none: a log does not show what the bytes are
// Begins: 0.3
// Load: idle
#include "museum.h"

enum { kPacket = 3 << 20 };

// As the library's: all of it, or "not ready".
static int send_packet(int fd, const char *packet, size_t *sent) {
  if (!fixed) *sent = 0;
  while (*sent < kPacket) {
    ssize_t n = send(fd, packet + *sent, kPacket - *sent, MSG_NOSIGNAL);
    if (n < 0) return 0;
    *sent += n;
  }
  return 1;
}

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    static char piece[65536];
    int fd = dial(listener);
    while (recv(fd, piece, sizeof piece, 0) > 0) nap_ms(2);
    return 0;
  }
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC)), fd = take(listener);
  control(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT);
  char *packet = malloc(kPacket);
  for (uint32_t at = 0; at < kPacket / 4; at++) memcpy(packet + at * 4, &at, 4);
  size_t sent = 0;
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1 || !(event.events & EPOLLOUT)) continue;
    if (send_packet(fd, packet, &sent)) sent = 0;  // and the next one
  }
}
