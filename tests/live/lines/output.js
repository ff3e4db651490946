// SPDX-License-Identifier: Apache-2.0
// EPOLLOUT that nobody needs, by an addon: libuv drops its own when there is nothing to send, and tells the kernel of what was
// asked for in its loop, where no line of JavaScript stands.
const addForOutput = require(process.argv[2]);

function watch() { // expect: EP201
  addForOutput();
}

setTimeout(watch, 100);
setTimeout(() => process.exit(0), 20000);
