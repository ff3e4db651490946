#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Twisted, out of descriptors. A connection waits, accept() fails with EMFILE, the handler logs it and returns to the epoll reactor, which reports the
# listener again at once: a busy loop until some descriptor is closed. Accept4 = EMFILE after each EPOLLIN of the listener, the backlog stays.
# Report: https://github.com/twisted/twisted/issues/5368
# Fix: keep a descriptor in reserve; on EMFILE close it, accept the connection and close it, reserve again.
# Expect all: accept-spin likely
# Log: 4
import errno
import os
import resource
import select
import signal
import socket

FIXED = os.environ.get("FIXED") == "1"
signal.alarm(60)

listener = socket.create_server(("127.0.0.1", 0), backlog=16)
listener.setblocking(False)
client = socket.socket()
reactor = select.epoll()
reactor.register(listener, select.EPOLLIN)
reserve = os.open("/dev/null", os.O_RDONLY)
resource.setrlimit(resource.RLIMIT_NOFILE, (reserve + 1, reserve + 1))
client.connect(listener.getsockname())


def accept_one():
    global reserve
    try:
        return listener.accept()[0]
    except BlockingIOError:
        return None
    except OSError as e:
        if e.errno != errno.EMFILE:
            raise
    if FIXED:
        os.close(reserve)
        listener.accept()[0].close()
        reserve = os.open("/dev/null", os.O_RDONLY)
    return None


while True:
    for fd, events in reactor.poll(60):
        accept_one()
