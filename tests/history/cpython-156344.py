#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# asyncio, self-pipe at its end of stream. An asyncio loop is woken through a pair of sockets. When the other end was shut down (there: by the OS,
# after a suspend), recv() returns b"", the reader stays registered, and the loop spins at 100 % of a core for ever, with nothing logged. The kernel
# sees EPOLLIN, recv = 0, again and again.
# Report: https://github.com/python/cpython/issues/156344
# Fix: at the end of the stream, make a new pair (as #156343 did for the proactor loop).
# Expect all: eof-spin likely
# Log: 4
import asyncio
import os
import signal
import socket

FIXED = os.environ.get("FIXED") == "1"
signal.alarm(60)


class Loop(asyncio.SelectorEventLoop):
    def _read_from_self(self):
        if not FIXED:
            return super()._read_from_self()
        try:
            if not self._ssock.recv(4096):
                self._close_self_pipe()
                self._make_self_pipe()
        except BlockingIOError:
            pass


async def main():
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    asyncio.get_running_loop()._csock.shutdown(socket.SHUT_WR)
    async with server:
        await server.serve_forever()


Loop().run_until_complete(main())
