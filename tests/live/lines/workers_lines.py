# SPDX-License-Identifier: Apache-2.0
"""A hub with workers, as Celery has it: the main process waits on pipes to children that it forked, and on connections from them, and calls back."""
import os
import select
import socket
import sys
import time


class Hub:
    def __init__(self):
        self.poller = select.epoll()
        self.readers = {}
        self.writers = {}

    def add_reader(self, fd, callback):
        self.readers[fd] = callback
        self.poller.register(fd, select.EPOLLIN)

    def add_writer(self, fd, callback):
        self.writers[fd] = callback
        self.poller.register(fd, select.EPOLLOUT)

    def fire(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for fd, events in self.poller.poll(0.5):
                if events & select.EPOLLIN:
                    self.readers[fd](fd)
                elif fd in self.writers:
                    self.writers[fd](fd)


def work(jobs, results):
    while os.read(jobs, 1):
        time.sleep(0.05)
        results.send(b"done")
    os._exit(0)


class Pool:
    def __init__(self, hub, blocks):
        self.hub, self.blocks, self.jobs, self.results = hub, blocks, [], {}
        listener = socket.create_server(("127.0.0.1", 0))
        for _ in range(3):
            jobs = os.pipe()
            if os.fork() == 0:
                for fd in (*self.jobs, jobs[1]):
                    os.close(fd)
                work(jobs[0], socket.create_connection(listener.getsockname()))
            os.close(jobs[0])
            self.jobs.append(jobs[1])
            results, _ = listener.accept()
            self.results[results.fileno()] = results
            os.write(jobs[1], b"j")
            hub.add_reader(results.fileno(), lambda fd, to=jobs[1]: self.on_result(fd, to))
        if not blocks:
            self.watch_jobs()

    def watch_jobs(self):
        for fd in self.jobs:
            self.hub.add_writer(fd, lambda fd: None)  # expect: EP201

    def on_result(self, fd, to):
        self.results[fd].recv(64)
        if self.blocks:
            self.store()
        os.write(to, b"j")

    def store(self):
        time.sleep(1.2)  # expect: EP404


hub = Hub()
Pool(hub, sys.argv[1] == "sleep")
hub.fire(20)
