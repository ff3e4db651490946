// SPDX-License-Identifier: Apache-2.0
// tcproxy: after the first client had gone the proxy never slept again. Each turn it read 0 bytes from every connection
// whose peer had closed, and every further connection added one more such read.
// Report: https://github.com/dccmx/tcproxy/issues/1
// Fix: close both sides when the remote peer has closed.
// Expect all: eof-spin likely
#include "museum.h"

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    for (;;) {
      int server = dial(listener);
      MUST(write(server, "GET key\r\n", 9));
      nap_ms(150);
      close(server);
      nap_ms(1500);
    }
  }
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN);
  for (struct epoll_event events[1024];;) {
    int count = epoll_wait(ep, events, 1024, -1);
    for (int i = 0; i < count; ++i) {
      int fd = events[i].data.fd;
      static char buffer[65536];
      if (fd == listener)
        control(ep, EPOLL_CTL_ADD, take(listener), EPOLLIN);
      else if (recv(fd, buffer, sizeof buffer, 0) == 0 && fixed)
        close(fd);
    }
  }
}
