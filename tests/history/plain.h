// SPDX-License-Identifier: Apache-2.0
// What the small programs of this directory share: calls that must not fail, and a peer process that ends with them.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#ifdef FIXED
enum { fixed = 1 };
#else
enum { fixed = 0 };
#endif

static inline long must(long result, const char *what) {
  if (result >= 0) return result;
  perror(what);
  exit(70);
}
#define MUST(call) must(call, #call)

static inline void nap_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&t, NULL);
}

static inline long long now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static inline void control(int ep, int operation, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  MUST(epoll_ctl(ep, operation, fd, &event));
}

static inline int listen_any(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  MUST(bind(fd, (struct sockaddr *)&at, sizeof at));
  MUST(listen(fd, 64));
  return fd;
}

static inline int dial(int listener) {
  struct sockaddr_in at;
  socklen_t length = sizeof at;
  MUST(getsockname(listener, (struct sockaddr *)&at, &length));
  int fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  MUST(connect(fd, (struct sockaddr *)&at, length));
  return fd;
}

// The other side, a process of its own that dies with this one. True in the child.
static inline int is_peer(void) {
  pid_t parent = getpid();
  if (MUST(fork()) != 0) return 0;
  MUST(prctl(PR_SET_PDEATHSIG, SIGKILL));
  if (getppid() != parent) _exit(0);
  return 1;
}

static inline void start(void *(*body)(void *), void *argument) {
  pthread_t thread;
  MUST(-pthread_create(&thread, NULL, body, argument));
}
