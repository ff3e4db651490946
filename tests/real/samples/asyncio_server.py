# SPDX-License-Identifier: Apache-2.0
"""Streams of Python's asyncio; drain() and a bounded reader give back-pressure both ways."""
import asyncio
import sys

LARGE = bytes(2 << 20)
SMALL = b"hello world\n"


async def serve(reader, writer):
    try:
        while True:
            request = await reader.readuntil(b"\r\n\r\n")
            if request.startswith(b"GET /slow/"):
                await asyncio.sleep(int(request[10:].split()[0]) / 1000)
            body = LARGE if request.startswith(b"GET /large") else SMALL
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), limit=4096)
    async with server:
        await server.serve_forever()


asyncio.run(main())
