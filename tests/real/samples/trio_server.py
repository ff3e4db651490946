# SPDX-License-Identifier: Apache-2.0
"""Streams of trio: send_all() waits until all is written, and nothing is read meanwhile."""
import sys

import trio

LARGE = bytes(4 << 20)
SMALL = b"hello world\n"


async def serve(stream):
    data = b""
    try:
        while True:
            while b"\r\n\r\n" not in data:
                got = await stream.receive_some(4096)
                if not got:
                    return
                data += got
            request, _, data = data.partition(b"\r\n\r\n")
            if request.startswith(b"GET /slow/"):
                await trio.sleep(int(request[10:].split()[0]) / 1000)
            body = LARGE if request.startswith(b"GET /large") else SMALL
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    except trio.BrokenResourceError:
        pass


trio.run(lambda: trio.serve_tcp(serve, int(sys.argv[1]), host="127.0.0.1"))
