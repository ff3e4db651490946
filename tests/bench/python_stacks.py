# SPDX-License-Identifier: Apache-2.0
"""What a wanted stack costs a Python program: its frames are walked, and a piece of the C stack is copied, within its call."""
import statistics
import subprocess
import sys
import time

from harness import check
from observers import Epaudit

DEPTH = 20  # Python functions that call one another
BATCH = 8   # so that none finds the ring full: it is emptied some times a second
BATCHES = 12
BUDGET_NS = 15000

# An epoll_ctl that fails leaves the stack of its call, once for each file: the second of two that are alike leaves none. By the
# thread's own clock, since kernel.bpf_stats_enabled counts what all other programs of the machine do, too.
PROGRAM = f"""
import os, select, sys, time
epoll = select.epoll()
def refused(fd, depth):
    if depth:
        return refused(fd, depth - 1)
    start = time.thread_time_ns()
    try:
        epoll.modify(fd, select.EPOLLIN)
    except FileNotFoundError:
        return time.thread_time_ns() - start
print("ready", flush=True)
kept = os.eventfd(1)
for line in sys.stdin:
    if line == "often\\n":  # so that there is a finding, which shows what was taken
        for _ in range(150):
            refused(kept, {DEPTH})
    fds = [os.eventfd(0) for _ in range({BATCH})]
    with_stack = [refused(fd, {DEPTH}) for fd in fds]
    without = [refused(fd, {DEPTH}) for fd in fds]
    print(*(a - b for a, b in zip(with_stack, without)), flush=True)
    for fd in fds:
        os.close(fd)
"""


class Refusals(Epaudit):
    arguments = ("--profile", "test", "--select", "EP601", "--risks")


def measure(python=sys.executable):
    with subprocess.Popen([python, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as program:
        try:
            check(program.stdout.readline() == "ready\n", "the Python program did not start")
            with Refusals(program.pid) as tool:
                time.sleep(0.5)  # its interpreter is looked for
                costs = []
                for _ in range(BATCHES):
                    program.stdin.write("\n")
                    costs += map(int, program.stdout.readline().split())
                    time.sleep(0.3)  # the ring is emptied
                program.stdin.write("often\n")
                program.stdout.readline()
                time.sleep(0.5)  # it is looked at
        finally:
            program.kill()
    stacks = [stack for finding in tool.outcome.report["findings"] for stack in finding["evidence"]["stacks"]
              if stack["what"] == "refused here"]
    frames = max((sum(frame["function"] == "refused" for frame in stack["frames"]) for stack in stacks), default=0)
    check(frames >= DEPTH, f"no Python stack was taken: {tool.outcome.describe()}")
    return {"median_ns": statistics.median(costs), "least_ns": min(costs), "most_ns": max(costs), "taken": len(costs), "frames": frames}
