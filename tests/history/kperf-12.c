// SPDX-License-Identifier: Apache-2.0
// kperf's server hands each accepted connection to a worker process and kept its own descriptor. The worker's close() was
// not the last one: its epoll_wait went on reporting a connection it had freed, and the look-up by fd crashed.
// Report: https://github.com/facebookexperimental/kperf/pull/12
// Fix: the server closes its descriptor once it is handed over, so that the worker's close is final.
// Expect all: ghost-registration likely
// Expect excerpt: unread-spin risk
// Changed: in a log, what its own thread registered and closed, and is told of all the same, is a ghost; attached, the number of what is reported is looked up: it led nowhere
// Also: eof-spin: the ghost spins
// Also: unread-spin: as above
// Also: hup-err-spin: as above
#include "museum.h"

static void serve(int listener, int channel) {
  int connection = take(listener);
  char where[CMSG_SPACE(sizeof connection)] = {0};
  struct iovec part = {"fd", 2};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = where, .msg_controllen = sizeof where};
  struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
  *rights = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
  memcpy(CMSG_DATA(rights), &connection, sizeof connection);
  MUST(sendmsg(channel, &message, 0));
  if (fixed) close(connection);
  pause();
}

int main(void) {
  int listener = listen_any(), pair[2], connection;
  MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
  if (is_peer()) serve(listener, pair[0]);
  if (is_peer()) {
    int server = dial(listener);
    nap_ms(100);
    close(server);
    pause();
  }
  char tag[2], where[CMSG_SPACE(sizeof connection)];
  struct iovec part = {tag, 2};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = where, .msg_controllen = sizeof where};
  MUST(recvmsg(pair[1], &message, 0));
  memcpy(&connection, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof connection);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC)), is_open = 1;
  control(ep, EPOLL_CTL_ADD, connection, EPOLLIN);
  for (struct epoll_event event;;) {
    char data[64];
    if (epoll_wait(ep, &event, 1, 1000) == 1 && is_open && read(connection, data, sizeof data) == 0)
      is_open = close(connection);  // the test is over
  }
}
