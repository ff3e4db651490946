# SPDX-License-Identifier: Apache-2.0
"""How fast a recording is replayed and a log of strace is read."""
import os
import subprocess
import tempfile
import time

from harness import BUILD, check, epaudit

LOG_BYTES = 100_000_000
SPIN = ('4711 %d.%06d epoll_wait(4, [{events=EPOLLIN, data={u32=7, u64=7}}], 64, -1) = 1 <0.000010>\n'
        '4711 %d.%06d recvfrom(7, "", 4096, 0, NULL, NULL) = 0 <0.000006>\n')
HEAD = ('4711 1700000000.000001 epoll_create1(EPOLL_CLOEXEC) = 4 <0.000010>\n'
        '4711 1700000000.000010 epoll_ctl(4, EPOLL_CTL_ADD, 7, {events=EPOLLIN, data={u32=7, u64=7}}) = 0 <0.000010>\n')


def timed(*arguments):
    """Seconds, and the report of a source that holds a spin."""
    start = time.monotonic()
    outcome = epaudit(*arguments)
    seconds = time.monotonic() - start
    check("EP203" in outcome.rules(), outcome.describe())
    return seconds, outcome.report


def replay(path):
    demo = str(BUILD / "demo_bugs/eof-spin/bug")
    made = subprocess.run([str(BUILD / "epaudit"), "record", "-q", "-o", path, "--", demo, "--seconds", "3"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
    check(made.returncode == 1, f"record ended with {made.returncode}")
    seconds, report = timed("replay", "-q", path)
    return {"postings": report["observation"]["postings"], "seconds": seconds, "bytes": os.path.getsize(path)}


def strace(path):
    with open(path, "w", encoding="utf-8") as log:
        written, at = log.write(HEAD), 100
        while written < LOG_BYTES:
            written += log.write(SPIN % (1700000000 + at // 1000000, at % 1000000,
                                         1700000000 + (at + 15) // 1000000, (at + 15) % 1000000))
            at += 30
    seconds, report = timed("strace", "-q", path)
    return {"postings": report["observation"]["postings"], "seconds": seconds, "bytes": written}


def measure():
    with tempfile.TemporaryDirectory(prefix="epaudit-bench-") as directory:
        return {"replay": replay(os.path.join(directory, "recording")), "strace": strace(os.path.join(directory, "log"))}
