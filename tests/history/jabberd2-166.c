// SPDX-License-Identifier: Apache-2.0
// jabberd2 c2s at 100 % CPU: clients that never log in use up the descriptors; accept fails with EMFILE, the listener is reported again at once.
// Logins were impossible until a restart, nearly every day.
// Report: https://github.com/jabberd2/jabberd2/issues/166
// Fix: stop listening until a descriptor is free, or a while has passed.
// Expect all: accept-spin likely
#include "museum.h"

int main(void) {
  int listener = listen_any();
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC));
  control(ep, EPOLL_CTL_ADD, listener, EPOLLIN);
  if (is_peer()) {
    for (int i = 0; i < 20; ++i) dial(listener);
    for (;;) pause();
  }
  struct rlimit limit = {12, 12};
  MUST(setrlimit(RLIMIT_NOFILE, &limit));
  int listening = 1;
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, listening ? 5000 : 200) < 1) {
      if (!listening) control(ep, EPOLL_CTL_MOD, listener, EPOLLIN);
      listening = 1;
      continue;
    }
    if (accept(listener, NULL, NULL) >= 0 || !fixed || errno != EMFILE) continue;
    control(ep, EPOLL_CTL_MOD, listener, 0);
    listening = 0;
  }
}
