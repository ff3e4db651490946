#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# An async function that calls input(). The prompt blocks in read(0) until the user types, and with it all else on the asyncio loop: connections are
# not served meanwhile, and sessions time out. Nobody polls for seconds while clients wait; the call is read on a pipe.
# Report: https://github.com/openai/openai-agents-python/pull/4671
# Fix: read the prompt off the loop.
# Expect all: loop-stall likely
# Expect excerpt: none: one stall at most in so few lines
# Log: 11
# Begins: 0.5
# Run: 5
# Load: idle
import asyncio
import os
import signal
import socket
import sys
import time

FIXED = os.environ.get("FIXED") == "1"
signal.alarm(60)

listener = socket.create_server(("127.0.0.1", 0))
stdin_read, stdin_write = os.pipe()
if os.fork() == 0:
    os.close(stdin_read)
    if os.fork() == 0:
        while True:  # the user, who thinks for two seconds before each line
            time.sleep(2)
            os.write(stdin_write, b"hello\n")
    os.close(stdin_write)
    clients = [socket.create_connection(listener.getsockname()) for _ in range(3)]
    while True:
        for c in clients:
            c.send(b"ping")
        for c in clients:
            if not c.recv(64):
                sys.exit()
        time.sleep(0.05)
os.close(stdin_write)
os.dup2(stdin_read, 0)


async def echo(reader, writer):
    while data := await reader.read(64):
        writer.write(data)
        await asyncio.sleep(0)


async def main():
    async with await asyncio.start_server(echo, sock=listener):
        while True:
            await asyncio.sleep(0.1)
            line = await asyncio.to_thread(input) if FIXED else input()


asyncio.run(main())
