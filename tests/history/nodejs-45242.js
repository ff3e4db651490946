#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Node at its limit of descriptors. strace shows accept4 = EMFILE, close(spare), accept4 = 18, close(18), and again; the reporter took it for the
// cause of 100 % CPU. It is libuv's spare descriptor at work: each connection that cannot be served is taken and closed. Accept makes progress each
// time.
// Report: https://github.com/nodejs/node/issues/45242
// Fix: a higher limit (here: in the fixed form).
// Expect all: silent
// Log: 6
// Begins: 0.8
// Run: 5
// Load: idle
'use strict';
const { execFileSync, spawn } = require('child_process');
const fs = require('fs');
const net = require('net');
const fixed = process.env.FIXED === '1';
setTimeout(process.exit, 60000, 0).unref();

if (process.argv[2]) {
  setInterval(() => {
    const visitor = net.connect(+process.argv[2], '127.0.0.1');
    visitor.on('data', () => {});
    visitor.on('error', (e) => e.code === 'ECONNREFUSED' && process.exit());
    if (fixed) visitor.end();
  }, 20);
} else {
  const server = net.createServer((s) => {
    s.on('data', () => {});
    s.on('error', () => {});
  });
  server.listen(0, '127.0.0.1', () => {
    spawn(process.execPath, [__filename, server.address().port], { stdio: 'ignore' });
    if (fixed) return;
    const highest = Math.max(...fs.readdirSync('/proc/self/fd').map(Number));
    execFileSync('prlimit', ['--pid', process.pid, `--nofile=${highest + 3}:${highest + 3}`]);
  });
}
