#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# A web terminal on asyncio. The shell ends, the pseudo-terminal reports EPOLLHUP, read() fails with EIO, and the reader stays registered: the loop
# calls it again at once, for ever. EPOLLHUP each turn, read = EIO.
# Report: https://github.com/jupyter-server/jupyverse/pull/411
# Fix: remove the reader when the terminal quits.
# Expect all: hup-err-spin likely
# Log: 4
import asyncio
import os
import pty
import signal

FIXED = os.environ.get("FIXED") == "1"
signal.alarm(60)

shell, terminal = pty.fork()
if shell == 0:
    os.execvp("true", ["true"])


async def main():
    loop = asyncio.get_running_loop()

    def on_output():
        try:
            os.read(terminal, 65536)
        except OSError:
            if FIXED:
                loop.remove_reader(terminal)
                os.close(terminal)

    loop.add_reader(terminal, on_output)
    await asyncio.sleep(3600)


asyncio.run(main())
