#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// node-gameloop schedules its next tick with setImmediate until the time has come: a game server without players
// used more than 100 % of a core. libuv polls with a timeout of 0 each turn.
// Report: https://github.com/tangmi/node-gameloop/issues/4
// Expect: EP206 zero-timeout-spin, info.
// Fix: a timer until shortly before the tick.
'use strict';
const net = require('net');
const fixed = process.env.FIXED === '1';

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
