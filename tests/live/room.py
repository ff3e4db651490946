# SPDX-License-Identifier: Apache-2.0
"""Room that runs out while a program is watched: the kernel's memory for what is kept of it, the ring of a recording."""
import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile

from harness import BUILD, Skip, Started, check, epaudit, wait_for
from stops import mount_of

# Opens files when it is told to, and says when it is done.
NEWCOMERS = """import os, select, sys
epoll = select.epoll()
epoll.register(0)
print("ready", flush=True)
for line in sys.stdin:
    kept = [os.eventfd(0) for _ in range(int(line))]
    for fd in kept:
        epoll.register(fd, select.EPOLLIN)
    print("done", flush=True)
"""
SPINNING = BUILD / "demo_bugs/busy-epollout/bug"


def family(pid):
    """A process and all that descend from it."""
    found = [pid]
    for one in found:
        for task in pathlib.Path(f"/proc/{one}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


class Memory:
    """A cgroup that what we make is accounted to, and that no process is in any more when its memory is bounded."""

    def __init__(self):
        if tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) < (5, 11):
            raise Skip("rows are accounted to no cgroup here (they are since 5.11)")
        self.limit, self.usage = "memory.max", "memory.current"
        try:
            self.top = mount_of("cgroup", "memory")
            self.limit, self.usage = "memory.limit_in_bytes", "memory.usage_in_bytes"
        except Skip:
            self.top = mount_of("cgroup2")
        words = (line.split(":", 2) for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines())
        mine = {name: path for _, name, path in words}["memory" if self.limit != "memory.max" else ""]
        self.home = self.top / mine.lstrip("/")
        self.directory = self.top / f"epaudit-room-{os.getpid()}"
        if self.limit == "memory.max":
            with contextlib.suppress(OSError):
                (self.top / "cgroup.subtree_control").write_text("+memory")
        self.directory.mkdir()
        if not (self.directory / self.limit).exists():
            self.directory.rmdir()
            raise Skip("no cgroup bounds memory here")

    @staticmethod
    def moves(pid, to):
        (to / "cgroup.procs").write_text(str(pid))

    def leaves_only(self, more):
        (self.directory / self.limit).write_text(str(int((self.directory / self.usage).read_text()) + more))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        wait_for(self.removed, 15, f"{self.directory} to be empty")

    def removed(self):
        with contextlib.suppress(OSError):
            self.directory.rmdir()
        return not self.directory.exists()


def no_memory_for_rows():
    """What the kernel has no memory for is not said to need a larger table: that one had room."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = min(30000, most - 100)
    own = os.getpid()
    with Memory() as memory, \
         subprocess.Popen([sys.executable, "-c", NEWCOMERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))) as server:
        try:
            check(server.stdout.readline() == "ready\n", "the server does not serve")
            memory.moves(own, memory.directory)  # what is started from here on is there
            try:
                tool = Started("attach", "--profile", "test", "--max-fds", 2 * count, "-p", server.pid)
            finally:
                memory.moves(own, memory.home)
            for one in family(tool.process.pid):
                memory.moves(one, memory.home)
            memory.leaves_only(1 << 20)
            server.stdin.write(f"{count}\n")
            server.stdin.flush()
            check(server.stdout.readline() == "done\n", "the server ended")
            outcome = tool.interrupt()
        finally:
            server.kill()
    seen = outcome.report["observation"] if outcome.report else {}
    lost = dict(seen.get("lost", {}))
    check(outcome.code == 4 and not seen["complete"] and lost.get("rows_without_memory", 0) > 100, outcome.describe())
    check(not any(name.endswith("_full") for name in lost), f"a table with room is called full: {lost}")
    why = json.dumps(outcome.report["verdict"])
    check("the kernel had no memory" in why and "larger --max-fds" not in why, why)
    return f"{lost['rows_without_memory']} of {count}"


def cpu_ticks(pid):
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


def the_ring_is_full():
    """Nobody reads it for a second of a spin: the recording lacks some, and both reports say how many."""
    with tempfile.TemporaryDirectory(prefix="epaudit-room-") as home, \
         subprocess.Popen([SPINNING, "--seconds", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        recording = os.path.join(home, "r.epa")
        try:
            tool = Started("record", "--profile", "test", "--ring", 1, "-o", recording, "-p", server.pid)
            os.kill(tool.process.pid, signal.SIGSTOP)
            before = cpu_ticks(server.pid)
            wait_for(lambda: cpu_ticks(server.pid) > before + os.sysconf("SC_CLK_TCK"), 30, "a second of spinning")
            os.kill(tool.process.pid, signal.SIGCONT)
            outcome = tool.interrupt()
        finally:
            server.kill()
        said = re.search(r"([\d,]+) records of the recording were lost, because its ring was full",
                         " ".join(outcome.report["observation"]["notes"]))
        check(outcome.code == 1 and said and outcome.rules() == ["EP201"], outcome.describe())
        check(outcome.report["observation"]["complete"], f"the audit itself lost nothing: {outcome.describe()}")
        again = epaudit("replay", "--profile", "test", "--fail-on", "never", recording)
        seen = again.report["observation"]
        check(not seen["complete"] and dict(seen["lost"]).get("recording_records_lost") == int(said[1].replace(",", "")),
              again.describe())
    return said[1]


def register(suite):
    suite.run("room: no memory for what is new", no_memory_for_rows)
    suite.run("room: the ring is full", the_ring_is_full)
