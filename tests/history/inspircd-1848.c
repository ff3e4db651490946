// SPDX-License-Identifier: Apache-2.0
// inspircd 2.0 with gnutls: the socket is edge-triggered, and gnutls_record_recv reads one TLS record. Of two that came
// together the second stayed in the kernel, and every later message was answered one too late, for good.
// Report: https://github.com/inspircd/inspircd/issues/1848
// Fix: none in version 2, which was out of support; read until the library says EAGAIN.
// Expect all: et-read-not-drained likely
// Expect log: none: a log of system calls does not hold how much waits unread
// Expect excerpt: none: a log of system calls does not hold how much waits unread
// Run: 4
// Attach: 6
// Log: 4
// Load: idle
#include "museum.h"

enum { kRecord = 37 };

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    int server = dial(listener);
    char records[2 * kRecord] = "PRIVMSG";
    for (int i = 0;; ++i) {
      MUST(write(server, records, i == 0 ? sizeof records : kRecord));
      nap_ms(400);
    }
  }
  int client = take(listener);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, client, EPOLLIN | EPOLLET);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    char record[kRecord];
    do {
      ssize_t n = recv(client, record, 5, 0);  // the record's header, then its body
      if (n <= 0) break;
      MUST(recv(client, record + 5, sizeof record - 5, 0));
    } while (fixed);
  }
}
