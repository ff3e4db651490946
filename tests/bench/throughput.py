# SPDX-License-Identifier: Apache-2.0
"""How much slower is a saturated server while somebody watches? Load never stops; watchers come and go. Each
watched window is compared with the unobserved windows right before and after it, so that drift cancels out."""
import contextlib
import http.client
import os
import re
import socket
import statistics
import subprocess
import tempfile
import time

import servers
from harness import Skip, wait_for
from observers import Bpftrace, Empty, Epaudit, PerfTrace, Stackless, Strace, Usual, cpu_ns

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
WATCHERS = {"empty": Empty, "epaudit": Epaudit, "without stacks": Stackless, "bpftrace": Bpftrace, "perf trace": PerfTrace, "strace": Strace}


def pin(pid, core):
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {core})


class Redis:
    def __init__(self, directory, pipeline):
        self.server = servers.redis(directory)
        self.pid = self.server.pid
        self.load_words = [servers.need("redis-benchmark"), "-p", str(self.server.port), "-c", "50", "-P",
                           str(pipeline), "-n", "2000000000", "-t", "get", "-q"]
        self.control = socket.create_connection(("127.0.0.1", self.server.port))

    def requests(self):
        self.control.sendall(b"INFO stats\r\n")
        text = b""
        while b"total_commands_processed:" not in text or not text.endswith(b"\r\n"):
            text += self.control.recv(65536)
        return int(re.search(rb"total_commands_processed:(\d+)", text).group(1))


class Nginx:
    def __init__(self, directory, _):
        self.server = servers.nginx(directory, workers=1, more="location /status { stub_status; }")
        self.pid = servers.children_of(self.server.pid)[0]
        self.load_words = [servers.need("wrk"), "-t1", "-c32", "-d3600s", f"http://127.0.0.1:{self.server.port}/"]
        self.control = http.client.HTTPConnection("127.0.0.1", self.server.port)

    def requests(self):
        self.control.request("GET", "/status")
        return int(self.control.getresponse().read().split()[9])


LOADS = {"redis GET -c 50": (Redis, 1), "redis GET -c 50 -P 16": (Redis, 16), "nginx wrk -c 32": (Nginx, 1)}


@contextlib.contextmanager
def under_load(kind, argument):
    with tempfile.TemporaryDirectory() as directory:
        target = kind(directory, argument)
        with target.server:
            pin(target.pid, SERVER_CORE)
            load = subprocess.Popen(["taskset", "-c", str(LOAD_CORE), *target.load_words], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
            try:
                first = target.requests()
                wait_for(lambda: target.requests() > first + 2000, 20, "load")
                yield target
            finally:
                load.kill()
                load.wait()
                target.control.close()


def window(target, seconds):
    """Requests per second, and requests per second of the server's own CPU time."""
    start, before, spent = time.monotonic(), target.requests(), cpu_ns(target.pid)
    time.sleep(seconds)
    elapsed, after, spent = time.monotonic() - start, target.requests(), cpu_ns(target.pid) - spent
    return {"per_second": (after - before) / elapsed, "per_cpu_second": (after - before) / (spent / 1e9),
            "busy": spent / 1e9 / elapsed}


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}


STEADY = 1.5  # two unobserved windows further apart than this say that the machine was doing something else


def steady(before, after):
    low, high = sorted((before["per_second"], after["per_second"]))
    return low > 0 and high / low <= STEADY


def compare(watched, before, after, what):
    return watched[what] / statistics.mean((before[what], after[what]))


def measure_load(name, plan, seconds, deadline, say):
    """`plan`: rounds, each a list of watchers. Stops early, after whole windows, at the deadline."""
    throughput, cpu, bases, skipped, lost, discarded = {}, {}, [], {}, {}, {}
    kind, argument = LOADS[name]
    with under_load(kind, argument) as target:
        before = window(target, seconds)
        bases.append(before)
        for watcher in (watcher for turn in plan for watcher in turn):
            if watcher in skipped or time.monotonic() > deadline:
                continue
            try:
                with WATCHERS[watcher](target.pid) as held:
                    watched = window(target, seconds)
            except Skip as reason:
                skipped[watcher] = str(reason)
                say(f"  {watcher}: {reason}")
                continue
            after = window(target, seconds)
            bases.append(after)
            if watcher == "epaudit":
                lost.update(held.outcome.report["observation"]["lost"])
            calm, earlier, before = steady(before, after), before, after
            if not calm:
                discarded[watcher] = discarded.get(watcher, 0) + 1
                continue
            throughput.setdefault(watcher, []).append(compare(watched, earlier, after, "per_second"))
            cpu.setdefault(watcher, []).append(compare(watched, earlier, after, "per_cpu_second"))
    return {"requests_per_second": spread([b["per_second"] for b in bases]),
            "server_busy": spread([b["busy"] for b in bases]),
            "throughput": {w: spread(v) for w, v in throughput.items()},
            "per_server_cpu": {w: spread(v) for w, v in cpu.items()},
            "pairs": throughput, "cpu_pairs": cpu, "skipped": skipped, "lost": lost, "discarded": discarded}


def in_production(rounds, seconds, say):
    """A saturated nginx, attached to for `seconds` by somebody who says nothing of a budget; before and after it half as long
    unobserved. And for how much of the time the probes were attached."""
    kind, argument = LOADS["nginx wrk -c 32"]
    ratios, shares = [], []
    with under_load(kind, argument) as target:
        before = window(target, seconds / 2)
        for turn in range(rounds):
            say(f"throughput: nginx within the usual budget, {turn + 1} of {rounds}")
            with Usual(target.pid) as held:
                watched = window(target, seconds)
            after = window(target, seconds / 2)
            shares.append(held.outcome.report["observation"]["budget"]["attached_share"])
            if steady(before, after):
                ratios.append(compare(watched, before, after, "per_second"))
            before = after
    return {"seconds": seconds, "ratios": ratios, "attached": spread(shares)}


def measure(rounds, other_rounds, seconds, budget, say):
    """All loads within `budget` seconds."""
    plan = [["empty", "epaudit", "without stacks"] + (["bpftrace", "perf trace", "strace"] if turn < other_rounds else [])
            for turn in range(rounds)]
    results = {}
    for done, name in enumerate(LOADS):
        left = budget / (len(LOADS) - done)
        start = time.monotonic()
        say(f"throughput: {name}")
        try:
            results[name] = measure_load(name, plan, seconds, start + left, say)
        except (Skip, AssertionError, OSError) as reason:  # the other loads are still worth having
            results[name] = {"skipped": {"all": str(reason)}}
        budget -= time.monotonic() - start
    return results
