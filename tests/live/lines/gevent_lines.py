# SPDX-License-Identifier: Apache-2.0
"""A server of gevent, one of whose greenlets blocks all the others."""
import socket
import threading
import time

import gevent
import gevent.server


def serve(one, _):
    while one.recv(64):
        time.sleep(1.2)  # expect: EP404


def talk(address):
    with socket.create_connection(address) as one:
        while True:
            time.sleep(0.05)
            one.send(b"x")


server = gevent.server.StreamServer(("127.0.0.1", 0), serve)
server.start()
for _ in range(3):
    threading.Thread(target=talk, args=(server.address,), daemon=True).start()
gevent.sleep(20)
