#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# eventlet, a hub made before the fork. Prefork workers inherit the parent's epoll and share it. The same fd number means another socket in each
# process; one registers fd N, the other is woken for it: events went to the wrong process, epoll_ctl failed with EEXIST, and requests hung in a
# production service. Both processes add registrations to one epoll and wait on it.
# Report: https://github.com/eventlet/eventlet/pull/68
# Fix: the child makes a hub of its own.
# Expect all: epoll-shared-across-fork likely
# Expect excerpt: none: that both have one epoll is not in these lines
# Also: unread-spin: each is woken for the other's listener
# Log: 4
# Attach: 8
import os
import select
import signal
import socket

FIXED = os.environ.get("FIXED") == "1"
signal.alarm(60)

hub = select.epoll()
listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]


def serve(listener):
    listener.setblocking(False)
    connections = {}
    hub.register(listener, select.EPOLLIN)
    while True:
        for fd, _ in hub.poll(1):
            if fd == listener.fileno():
                try:
                    connection = listener.accept()[0]
                    hub.register(connection, select.EPOLLIN)
                    connections[connection.fileno()] = connection
                except (BlockingIOError, FileExistsError):
                    continue
            elif fd in connections:
                if request := connections[fd].recv(64):
                    connections[fd].send(request)
                else:
                    hub.unregister(fd)
                    connections.pop(fd).close()


if os.fork() == 0:
    while True:  # the clients: one request after the other to each of the two
        for listener in listeners:
            with socket.create_connection(listener.getsockname(), 1) as s:
                s.settimeout(0.2)
                try:
                    s.send(b"ping")
                    s.recv(64)
                except OSError:
                    pass
if os.fork() == 0:
    hub = select.epoll() if FIXED else hub
    serve(listeners[0])
serve(listeners[1])
