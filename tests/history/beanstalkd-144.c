// SPDX-License-Identifier: Apache-2.0
// beanstalkd 1.7: a client that waits in "reserve" is registered for EPOLLRDHUP only. When it hung up, the event was
// looked at for data alone, and the server used 99 % of a core for as long as the connection stayed registered.
// Report: https://github.com/beanstalkd/beanstalkd/issues/144
// Fix: EPOLLRDHUP closes the connection.
// Expect all: eof-spin likely
// Expect excerpt: eof-spin risk
#include "museum.h"

int main(void) {
  int listener = listen_any();
  if (is_peer()) {
    int server = dial(listener);
    MUST(write(server, "reserve\r\n", 9));
    nap_ms(100);
    close(server);
    pause();
  }
  int client = take(listener);
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, client, EPOLLIN | EPOLLRDHUP);
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, 1000) < 1) continue;
    char command[224];
    if (event.events & EPOLLIN && !(event.events & EPOLLRDHUP)) {
      MUST(read(client, command, sizeof command));
      control(ep, EPOLL_CTL_MOD, client, EPOLLRDHUP);  // no job: the client waits
    } else if (fixed) {
      close(client);
    }
  }
}
