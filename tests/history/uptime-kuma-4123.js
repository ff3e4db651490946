#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Uptime Kuma ran its ping command with spawnSync. A slow command hangs the whole application: no page, no other monitor, until it returns. Nobody
// polls for seconds while clients wait.
// Report: https://github.com/louislam/uptime-kuma/pull/4123
// Fix: run it asynchronously.
// Expect all: loop-stall likely
// Expect log: missed loop-stall likely: spawnSync runs an event loop of its own, with an epoll of its own, and that counts as polling
// Expect excerpt: none: one stall at most in so few lines
// Changed: a thread that polls another epoll is no poller of this one
// Begins: 3
// Run: 7
// Attach: 7
// Log: 8
// Load: idle
'use strict';
const { spawn, spawnSync } = require('child_process');
const net = require('net');
const fixed = process.env.FIXED === '1';
setTimeout(process.exit, 60000, 0).unref();

if (process.argv[2]) {
  for (let i = 0; i < 3; ++i) {
    const browser = net.connect(+process.argv[2], '127.0.0.1');
    setInterval(() => browser.write('ping'), 50);
    browser.on('data', () => {});
    browser.on('error', () => process.exit());
    browser.on('close', () => process.exit());
  }
} else {
  const server = net.createServer((s) => {
    s.on('data', (d) => s.write(d));
    s.on('error', () => {});
  });
  server.listen(0, '127.0.0.1', () => spawn(process.execPath, [__filename, server.address().port]));
  setInterval(() => (fixed ? spawn : spawnSync)('sleep', ['2']), 2500);
}
