#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# eventlet, the time to the next timer cut to whole milliseconds. With less than 1 ms to go the hub polls with a timeout of 0, five to ten times in a
# row, before each timer: a service that does nothing used 5 % of a core. Rows of empty waits with timeout 0, each ended by a timer.
# Report: https://github.com/eventlet/eventlet/issues/30
# Fix: round up (wait at least 1 ms); CPU fell to 1 %.
# Expect all: zero-timeout-spin info
# Expect log: none: strace slows the loop, and the rows of empty waits stay shorter than 8
# Expect excerpt: none: strace slows the loop, and the rows of empty waits stay shorter than 8
# Run: 5
# Log: 4
# Attach: 8
# Load: idle
import math
import os
import select
import signal
import socket
import time

FIXED = os.environ.get("FIXED") == "1"
signal.alarm(60)
round_ms = math.ceil if FIXED else math.floor

listener = socket.create_server(("127.0.0.1", 0))
hub = select.epoll()
hub.register(listener, select.EPOLLIN)
due = time.monotonic() + 0.02
while True:
    left = due - time.monotonic()
    if left <= 0:
        due += 0.02
        continue
    for fd, events in hub.poll(round_ms(left * 1000) / 1000):
        listener.accept()[0].close()
