// SPDX-License-Identifier: Apache-2.0
// Node's http module.
const http = require('http');
const large = Buffer.alloc(2 << 20);

http.createServer((request, response) => {
  if (request.url.startsWith('/slow/'))
    setTimeout(() => response.end('hello world\n'), Number(request.url.slice(6)));
  else
    response.end(request.url === '/large' ? large : 'hello world\n');
}).listen(Number(process.argv[2]), '127.0.0.1');
