# SPDX-License-Identifier: Apache-2.0
"""As lines.go, in Python."""
import select
import socket
import sys
import threading
import time


def arm_for_output(epoll, fd):
    epoll.register(fd, select.EPOLLOUT)  # expect: EP201


def handle(served):
    served.recv(64)
    time.sleep(1.2)  # expect: EP404


def ask(address, talks):
    with socket.create_connection(address) as talk:
        while True:
            time.sleep(0.05)
            if talks:
                talk.send(b"x")


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    epoll = select.epoll()
    sleeps = sys.argv[1] == "sleep"
    served = {}
    for _ in range(int(sys.argv[3]) if len(sys.argv) > 3 else 0):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    for _ in range(3):
        threading.Thread(target=ask, args=(listener.getsockname(), sleeps), daemon=True).start()
        one, _ = listener.accept()
        one.setblocking(False)
        served[one.fileno()] = one
        if sleeps:
            epoll.register(one, select.EPOLLIN)
        else:
            arm_for_output(epoll, one)
    end = time.monotonic() + (float(sys.argv[2]) if len(sys.argv) > 2 else 20)
    while time.monotonic() < end:
        for fd, _ in epoll.poll():
            if sleeps:
                handle(served[fd])
                break


main()
