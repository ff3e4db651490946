#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Cloud9 (pylon), terminals. After a page reload the server spins at 100 %: epoll_wait reports two descriptors with EPOLLHUP, libuv answers with
// epoll_ctl(EPOLL_CTL_DEL) = EBADF, again and again. The number was closed behind libuv's back, while a child still held the file. Reports of a
// descriptor that is closed, DEL = EBADF.
// Report: https://github.com/pylonide/pylon/issues/30
// Fix: let libuv close what it watches.
// Expect all: ghost-registration likely
// Expect excerpt: none: the close may lie outside of so few lines
// Also: ghost-registration excerpt: or within them
// Log: 6
// Begins: 0.8
// Run: 4
'use strict';
const { spawn } = require('child_process');
const fs = require('fs');
const fixed = process.env.FIXED === '1';
setTimeout(process.exit, 60000, 0).unref();

const talker = spawn('sh', ['-c', 'while sleep 0.2; do echo; done'], { stdio: ['ignore', 'pipe', 'ignore'] });
const terminal = talker.stdout;
terminal.on('error', () => {});
terminal.on('data', () => {});
// A second child that inherits the same file, as a shell in the terminal does.
const holder = spawn('sleep', ['3600'], { stdio: ['ignore', terminal._handle.fd, 'ignore'] });
holder.unref();
setTimeout(() => {
  if (fixed) {
    terminal.destroy();
  } else {
    fs.closeSync(terminal._handle.fd);
  }
}, 300);
setInterval(() => {}, 60000);
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    talker.kill();
    holder.kill();
    process.exit(0);
  });
}
