# SPDX-License-Identifier: Apache-2.0
"""Tornado's own HTTP server; flush() gives back-pressure."""
import asyncio
import sys

import tornado.web

LARGE = bytes(4 << 20)


class Small(tornado.web.RequestHandler):
    def get(self):
        self.write(b"hello world\n")


class Large(tornado.web.RequestHandler):
    async def get(self):
        self.set_header("Content-Length", str(len(LARGE)))
        self.write(LARGE)
        await self.flush()


class Slow(tornado.web.RequestHandler):
    async def get(self, ms):
        await asyncio.sleep(int(ms) / 1000)
        self.write(b"hello world\n")


async def main():
    tornado.web.Application([("/", Small), ("/large", Large), (r"/slow/(\d+)", Slow)],
                            log_function=lambda handler: None).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
