#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// node-gameloop schedules its next tick with setImmediate until the time has come: a game server without players used more than 100 % of a core.
// libuv polls with a timeout of 0 each turn.
// Report: https://github.com/tangmi/node-gameloop/issues/4
// Fix: a timer until shortly before the tick.
// Expect all: zero-timeout-spin info
// Run: 5
// Log: 6
// Attach: 8 --set zero-timeout-spin.cpu=0.1
// Begins: 0.6
'use strict';
const net = require('net');
const fixed = process.env.FIXED === '1';
setTimeout(process.exit, 60000, 0).unref();

net.createServer((s) => s.end()).listen(0, '127.0.0.1');
const tickMs = 50;
let due = Date.now() + tickMs;
function loop() {
  const left = due - Date.now();
  if (left <= 0) due += tickMs;
  if (fixed) {
    setTimeout(loop, Math.max(1, due - Date.now()));
  } else {
    setImmediate(loop);
  }
}
loop();
