// SPDX-License-Identifier: Apache-2.0
// .NET, Socket.Send from several threads. A "blocking" Send is a loop of sendmsg on a non-blocking socket; what did not fit is sent when epoll says
// so, and meanwhile another thread's message goes out: the receiver finds it scrambled. A message cut short, another thread's bytes follow.
// Report: https://github.com/dotnet/runtime/issues/44422
// Fix: a lock around each Send.
// Expect all: interleaved-writes likely
// Expect log: none: a log does not show from which memory a write takes its bytes
// Expect excerpt: none: the same
#include "museum.h"

enum { kMessage = 3 << 20 };
static int connection;
static pthread_mutex_t whole_message = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t writable = PTHREAD_COND_INITIALIZER;
static unsigned edges;

static void send_all(const char *message) {
  for (size_t done = 0; done < kMessage;) {
    pthread_mutex_lock(&lock);
    unsigned seen = edges;
    ssize_t n = send(connection, message + done, kMessage - done, MSG_NOSIGNAL);
    if (n > 0) done += n;
    while (n < 0 && errno == EAGAIN && edges == seen) pthread_cond_wait(&writable, &lock);
    pthread_mutex_unlock(&lock);
  }
}

static void *sender(void *message) {
  for (;; nap_ms(1)) {
    if (fixed) pthread_mutex_lock(&whole_message);
    send_all(message);
    if (fixed) pthread_mutex_unlock(&whole_message);
  }
  return NULL;
}

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    static char piece[65536];
    int fd = dial(listener);
    while (recv(fd, piece, sizeof piece, 0) > 0) continue;
    return 0;
  }
  fcntl(listener, F_SETFL, 0);
  connection = MUST(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, connection, EPOLLIN | EPOLLOUT | EPOLLET);
  for (int i = 0; i < 2; ++i) start(sender, calloc(1, kMessage));
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    pthread_mutex_lock(&lock);
    ++edges;
    pthread_cond_broadcast(&writable);
    pthread_mutex_unlock(&lock);
  }
}
