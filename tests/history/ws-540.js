#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// ws, upgraded connections. Node's HTTP server makes its sockets with allowHalfOpen; after the upgrade nobody answers the client's end with one of
// its own, and servers collected "lots of connections" in CLOSE_WAIT. End of stream read, socket never closed.
// Report: https://github.com/websockets/ws/pull/540
// Fix: allowHalfOpen = false on the upgraded socket.
// Expect all: close-wait-leak likely
// Expect log: none: a log does not show the state of a socket
// Expect excerpt: none: a log does not show the state of a socket
// Log: 6
// Begins: 0.6
// Run: 7
// Attach: 8 --set close-wait-leak.leak_s=2 --set close-wait-leak.window_s=1
// Load: idle
'use strict';
const { spawn } = require('child_process');
const http = require('http');
const net = require('net');
const fixed = process.env.FIXED === '1';
setTimeout(process.exit, 60000, 0).unref();

if (process.argv[2]) {
  setInterval(() => {
    const visitor = net.connect(+process.argv[2], '127.0.0.1');
    visitor.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    visitor.once('data', () => visitor.end());
    visitor.on('error', () => process.exit());
  }, 100);
} else {
  const server = http.createServer();
  server.on('upgrade', (request, socket) => {
    if (fixed) socket.allowHalfOpen = false;
    socket.on('error', () => {});
    socket.resume();
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  server.listen(0, '127.0.0.1', () => spawn(process.execPath, [__filename, server.address().port]));
}
