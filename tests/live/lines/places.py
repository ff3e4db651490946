# SPDX-License-Identifier: Apache-2.0
"""Two functions that register a socket for output that nobody needs: in the first thread, in another, or in a child."""
import os
import select
import socket
import sys
import threading
import time


def first(epoll, one):
    epoll.register(one, select.EPOLLOUT)  # place: first


def second(epoll, one):
    epoll.register(one, select.EPOLLOUT)  # place: second


def run():
    epoll = select.epoll()
    pairs = [socket.socketpair() for _ in range(2)]
    first(epoll, pairs[0][0])
    second(epoll, pairs[1][0])
    end, parent = time.monotonic() + 20, os.getppid()
    while time.monotonic() < end and os.getppid() == parent:  # a child alone would keep whoever waits for its output
        epoll.poll()
        time.sleep(0.0002)


if sys.argv[1] == "thread":
    idle = [threading.Thread(target=time.sleep, args=(20,), daemon=True) for _ in range(20)]
    for one in idle:
        one.start()
    worker = threading.Thread(target=run)
    worker.start()
    worker.join()
elif sys.argv[1] == "fork":
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    else:
        run()
else:
    run()
