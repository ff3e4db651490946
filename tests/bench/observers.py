# SPDX-License-Identifier: Apache-2.0
"""Everything that can watch a process here, epaudit among it: start, be sure it watches, end."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from harness import BUILD, Skip, Started, wait_for

BENCH = BUILD / "bench"


def fdinfo(pid):
    """The fdinfo of each descriptor of a process, as dictionaries. BPF objects tell all about themselves there."""
    for path in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        yield {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def links(pid):
    """Program id -> hook, in the words of bench_empty; None for hooks it cannot imitate."""
    kinds = {"24": "fentry", "25": "fexit"}  # enum bpf_attach_type
    found = {}
    for info in fdinfo(pid):
        program = int(info.get("prog_id", 0))
        if info.get("link_type") == "raw_tracepoint":
            found[program] = "tp_btf:" + info["tp_name"]
        elif info.get("link_type") == "tracing" and info.get("attach_type") in kinds:
            found[program] = f"{kinds[info['attach_type']]}:#{info['target_btf_id']}"
        elif "link_type" in info and info["link_type"] != "iter":
            found[program] = None
    return found


def cpu_ns(pid):
    """CPU time of all threads, without what the hypervisor took where the kernel knows it."""
    return sum(int(pathlib.Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])
               for thread in os.listdir(f"/proc/{pid}/task"))


def measures(pid):
    """Does it have the kernel add up how long probes run?"""
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if "bpf-stats" in os.readlink(link):
                return True
    return False


def need(program):
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if not path:
        raise Skip(f"{program} is not installed")
    return path


class Nobody:
    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Epaudit(Nobody):
    """--follow-forks is not asked for: one process is watched, as by the others."""
    arguments = ("--budget", "none")
    quiet = ("--quiet",)

    def __enter__(self):
        self.tool = Started("attach", *self.quiet, "-p", self.pid, *self.arguments)
        if self.tool.process.poll() is not None:
            raise Skip("epaudit: " + self.tool.process.stderr.read().decode().strip())
        self.tool_pid = self.tool.process.pid
        # Its first measurement of itself ends: while the kernel measures, probes cost more. The next one comes after 2 s.
        wait_for(lambda: not measures(self.tool_pid), 5, "epaudit to have measured itself")
        return self

    def __exit__(self, *_):
        self.outcome = self.tool.interrupt()


class Stackless(Epaudit):
    """What source lines cost a healthy server is the difference."""
    arguments = (*Epaudit.arguments, "--stack-bytes", "0")


class Usual(Epaudit):
    """As by somebody who says nothing: within the budget of the production profile."""
    arguments = ()

    def __enter__(self):
        self.tool = Started("attach", *self.quiet, "-p", self.pid)
        return self


class Command(Nobody):
    """Any other tool: a command line with {pid}, and a word on its output that says that it watches."""

    def words(self):
        raise NotImplementedError

    ready_word = ""
    settle = 0.3
    pipe_in = None

    def __enter__(self):
        self.log = tempfile.NamedTemporaryFile(prefix="bench-")
        self.process = subprocess.Popen(self.words(), stdout=self.log, stderr=self.log, stdin=self.pipe_in or
                                        subprocess.DEVNULL)
        try:
            wait_for(lambda: self.ready_word in self.output() or self.process.poll() is not None, 20, "a tool to start")
            time.sleep(self.settle)
            if self.process.poll() is not None:
                raise Skip(f"it ended with {self.process.returncode}: {self.output().strip()[-200:]}")
        except BaseException:
            self.__exit__()
            raise
        self.tool_pid = self.process.pid
        return self

    def output(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def __exit__(self, *_):
        if self.pipe_in:
            self.process.stdin.close()
        elif self.process.poll() is None:
            self.process.send_signal(2)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Empty(Command):
    """Programs that do nothing, on the very hooks that epaudit uses here."""
    hooks = ()
    ready_word = "ready"
    settle = 0
    pipe_in = subprocess.PIPE

    def words(self):
        return [str(BENCH / "bench_empty"), *self.hooks]


class Bpftrace(Command):
    ready_word = "Attaching"

    def words(self):
        script = f"tracepoint:raw_syscalls:sys_exit /pid == {self.pid}/ {{ @[args->id] = count(); }}"
        # It looks tracepoints up in tracefs, which need not be mounted: here it is, for bpftrace alone.
        mounts = "mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing; exec \"$@\""
        return [need("unshare"), "--mount", "sh", "-c", mounts, "sh", need("bpftrace"), "-e", script]


class PerfTrace(Command):
    settle = 0.7

    def words(self):
        return [need("perf"), "trace", "-s", "-o", os.devnull, "-p", str(self.pid)]


class Strace(Command):
    ready_word = "attached"

    def words(self):
        return [need("strace"), "-f", "-o", os.devnull, "-p", str(self.pid)]


def learn_hooks(pid):
    """Which hooks epaudit uses on this kernel. Returns the name of the set and those that could not be imitated."""
    with Epaudit(pid) as short:
        found = links(short.tool_pid)
    Empty.hooks = sorted(hook for hook in found.values() if hook)
    return short.outcome.report["observation"]["hooks"], sum(hook is None for hook in found.values())
