#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# gevent under gunicorn: epoll_wait(10, [], 64, 1) = 0, getpid(), and so on for hours, in a process that was taken out of service and gets no request.
# Something comes back each millisecond to look whether there is work. Nearly all waits time out within milliseconds.
# Report: https://github.com/gevent/gevent/issues/1273
# Fix: wait for the work itself (here: until a deadline that is far).
# Expect all: polling-timeout info
# Expect excerpt: none: too short a time
# Run: 5
# Log: 4
# Attach: 6 --set polling-timeout.window_s=2
# Load: idle
import os
import select
import signal
import socket

FIXED = os.environ.get("FIXED") == "1"
signal.alarm(60)

listener = socket.create_server(("127.0.0.1", 0))
hub = select.epoll()
hub.register(listener, select.EPOLLIN)
while True:
    for fd, events in hub.poll(60 if FIXED else 0.001):
        listener.accept()[0].close()
    os.getpid()
