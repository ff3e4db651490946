// SPDX-License-Identifier: Apache-2.0
// Fossilize, the master of several replay processes. Each has a pipe for crash reports; later children inherit the earlier pipes. When a child has
// died, the master closes its end, but a sibling holds a copy: epoll_wait returns EPOLLHUP of the closed descriptor at once, each time, and the main
// loop is a busy loop.
// Report: https://github.com/ValveSoftware/Fossilize/pull/133
// Fix: close inherited files in the child, and EPOLL_CTL_DEL before close.
// Expect all: ghost-registration likely
// Expect excerpt: none: the close is not in these lines
// Changed: attached, the number of what is reported is looked up: it led nowhere
// Also: hup-err-spin excerpt: the spin itself
// Begins: 0.5
#include "museum.h"

int main(void) {
  int ep = MUST(epoll_create1(EPOLL_CLOEXEC)), crash_file[2], files[2] = {-1, -1};
  for (int child = 0; child < 2; ++child) {
    MUST(pipe(crash_file));
    if (is_peer()) {
      close(crash_file[0]);
      if (fixed && files[0] >= 0) close(files[0]);
      nap_ms(child == 0 ? 300 : 3600000);  // the first one crashes early
      return 0;
    }
    close(crash_file[1]);
    files[child] = crash_file[0];
    control(ep, EPOLL_CTL_ADD, files[child], EPOLLIN);
  }
  for (struct epoll_event event;;) {
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    for (int child = 0; child < 2; ++child) {
      char report[256];
      if (files[child] != event.data.fd || read(files[child], report, sizeof report) > 0) continue;
      if (fixed) control(ep, EPOLL_CTL_DEL, files[child], 0);
      close(files[child]);
      files[child] = -1;
    }
  }
}
