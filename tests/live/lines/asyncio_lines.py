# SPDX-License-Identifier: Apache-2.0
"""A server of asyncio that blocks its loop, and one that is told of input which it leaves where it is."""
import asyncio
import socket
import sys
import time


async def serve(reader, writer):
    while await reader.read(64):
        time.sleep(1.2)  # expect: EP404
    writer.close()


async def ask(address):
    _, writer = await asyncio.open_connection(*address)
    return writer


def talk(address):
    with socket.create_connection(address) as one:
        while True:
            time.sleep(0.05)
            one.send(b"x")


async def sleeps():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    for _ in range(3):
        asyncio.get_running_loop().run_in_executor(None, talk, address)
    await asyncio.sleep(20)


def ignore():
    pass


def watch(loop, one):
    loop.add_reader(one, ignore)  # expect: EP202


async def spins():
    one, other = socket.socketpair()
    one.setblocking(False)
    other.send(b"never read")
    watch(asyncio.get_running_loop(), one)
    await asyncio.sleep(20)


asyncio.run(sleeps() if sys.argv[1] == "sleep" else spins())
