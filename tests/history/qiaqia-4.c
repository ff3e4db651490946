// SPDX-License-Identifier: Apache-2.0
// qiaqia, a chat server: edge-triggered, and one recv() of a fixed buffer per event. Longer messages stay in the kernel
// until the user types again; the author marked it as a bug to be done.
// Report: https://github.com/Andrewpqc/qiaqia/issues/4
// Fix: read until EAGAIN.
// Expect all: et-read-not-drained likely
// Expect log: none: a log of system calls does not hold how much waits unread
// Expect excerpt: none: a log of system calls does not hold how much waits unread
// Run: 4
// Attach: 8
// Log: 4
// Load: idle
#include "museum.h"

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    int server = dial(listener);
    char message[3000] = {0}, echo[64];
    struct pollfd answer = {server, POLLIN, 0};
    for (;;) {
      message[sizeof message - 1] = '\n';
      MUST(write(server, message, sizeof message));
      if (poll(&answer, 1, 700) == 1) MUST(read(server, echo, sizeof echo));
      nap_ms(300);
    }
  }
  int client = take(listener);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, client, EPOLLIN | EPOLLET);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    char buffer[1024];
    ssize_t n;
    do {
      n = recv(client, buffer, sizeof buffer, 0);
      if (n > 0 && memchr(buffer, '\n', n)) MUST(send(client, "echo", 4, 0));
    } while (fixed && n > 0);
  }
}
