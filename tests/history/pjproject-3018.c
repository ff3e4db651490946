// SPDX-License-Identifier: Apache-2.0
// pjlib's ioqueue with EPOLLONESHOT and several workers: a worker that got an event while the key's callback still ran
// elsewhere had "no event to process" and did not re-arm. From then on the UDP socket was deaf; pjlib's own test stalled.
// Report: https://github.com/pjsip/pjproject/pull/3018
// Fix: always re-arm after pj_ioqueue_poll() took an event, processed or not.
// Expect all: oneshot-not-rearmed likely
// Expect log: none: a log of system calls does not hold whether input waits on a oneshot that fired
// Expect excerpt: none: a log of system calls does not hold whether input waits on a oneshot that fired
// Changed: the program: at first it sent from the socket that was deaf, and whoever sends has touched it
// Run: 4
// Attach: 14
// Log: 5
// Load: idle
#include "museum.h"

enum { kSockets = 24 };
static int ep, sockets[kSockets], phones[kSockets];
static pthread_mutex_t keys[kSockets];

static void arm(int operation, int key) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u32 = key};
  MUST(epoll_ctl(ep, operation, sockets[key], &event));
}

static void *worker(void *unused) {
  for (struct epoll_event event; epoll_wait(ep, &event, 1, -1) == 1;) {
    int key = event.data.u32;
    if (pthread_mutex_trylock(&keys[key]) != 0) {
      if (fixed) arm(EPOLL_CTL_MOD, key);
      nap_ms(1);
      continue;
    }
    char packet[256];
    while (recv(sockets[key], packet, sizeof packet, MSG_DONTWAIT) > 0) continue;
    arm(EPOLL_CTL_MOD, key);  // the callback asks for the next packet, then works on
    nap_ms(5);
    pthread_mutex_unlock(&keys[key]);
  }
  return unused;
}

int main(void) {
  ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  for (int key = 0; key < kSockets; ++key) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sockets[key] = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    MUST(bind(sockets[key], (struct sockaddr *)&at, sizeof at));
    MUST(getsockname(sockets[key], (struct sockaddr *)&at, &(socklen_t){sizeof at}));
    phones[key] = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    MUST(connect(phones[key], (struct sockaddr *)&at, sizeof at));
    pthread_mutex_init(&keys[key], NULL);
    arm(EPOLL_CTL_ADD, key);
  }
  for (int i = 0; i < 2; ++i) start(worker, NULL);
  for (int turn = 0;; ++turn) {  // one more socket comes into use every second
    for (int key = 0; key <= turn / 10 && key < kSockets; ++key)
      for (int i = 0; i < 2; ++i, nap_ms(2)) MUST(send(phones[key], "sip", 3, 0));
    nap_ms(60);
  }
}
