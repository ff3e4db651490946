// SPDX-License-Identifier: Apache-2.0
// A timer that reads standard input and waits for it, while clients wait for an answer.
const { spawn } = require('child_process');
const fs = require('fs');
const net = require('net');

function refresh() { // expect: EP404
  fs.readSync(0, Buffer.alloc(1));
}

function serve() {
  const server = net.createServer((socket) => {
    socket.on('data', (data) => socket.write(data));
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1', () => spawn(process.execPath, [__filename, server.address().port]));
  setInterval(refresh, 100);
}

function ask(port) {
  for (let client = 0; client < 3; client++) {
    const socket = net.connect(port, '127.0.0.1');
    setInterval(() => socket.write('ping'), 50);
    socket.on('error', () => process.exit());
    socket.on('close', () => process.exit());
  }
}

if (process.argv[2]) ask(+process.argv[2]);
else serve();
setTimeout(() => process.exit(0), 20000);
