#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Uptime Kuma ran its ping command with spawnSync. A slow command hangs the whole application: no page, no other
// monitor, until it returns.
// Report: https://github.com/louislam/uptime-kuma/pull/4123
// Expect: EP404 loop-stall, likely: nobody polls for seconds while clients wait.
// Fix: run it asynchronously.
'use strict';
const { spawn, spawnSync } = require('child_process');
const net = require('net');
const fixed = process.env.FIXED === '1';

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
