// SPDX-License-Identifier: Apache-2.0
// node's cluster: the parent accepts and hands the connections to two workers.
"use strict";

const cluster = require("cluster");

if (cluster.isMaster) {
  cluster.fork();
  cluster.fork();
} else {
  require("./server.js");
}
