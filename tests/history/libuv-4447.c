// SPDX-License-Identifier: Apache-2.0
// libuv with UV_UDP_LINUX_RECVERR: one datagram to a port where nobody listens, and the ICMP answer sits in the socket's
// error queue. The loop is told EPOLLERR and asks recvmsg(), which says EAGAIN; only MSG_ERRQUEUE would empty the queue.
// Report: https://github.com/libuv/libuv/issues/4447
// Fix: read the error queue when EPOLLERR is reported (pull request 4448).
// Expect all: hup-err-spin likely
#include "museum.h"

int main(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof at;
  int gone = MUST(socket(AF_INET, SOCK_DGRAM, 0)), on = 1;
  MUST(bind(gone, (struct sockaddr *)&at, sizeof at));
  MUST(getsockname(gone, (struct sockaddr *)&at, &length));
  close(gone);  // now nobody listens there
  int client = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  MUST(setsockopt(client, IPPROTO_IP, IP_RECVERR, &on, sizeof on));
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, client, EPOLLIN);
  MUST(sendto(client, "PING", 4, 0, (struct sockaddr *)&at, sizeof at));
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, 1000) < 1) continue;
    char data[2048], control_data[512];
    struct iovec part = {data, sizeof data};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    recvmsg(client, &message, 0);
    if (!fixed) continue;
    message.msg_control = control_data;
    message.msg_controllen = sizeof control_data;
    recvmsg(client, &message, MSG_ERRQUEUE);
  }
}
