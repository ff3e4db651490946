# SPDX-License-Identifier: Apache-2.0
"""Processes with unusual lives: 32-bit ones, one whose first thread has ended, execs, broods, and servers that close a lot."""
import contextlib
import os
import pathlib
import re
import subprocess
import tempfile
import time

from harness import BUILD, ROOT, SPINNERS, Final, Skip, Started, check, epaudit, wait_for

LIVES = str(BUILD / "tests/lives")
FIXED = str(BUILD / "demo_bugs/busy-epollout/fixed")


@contextlib.contextmanager
def started(*words):
    """A program that has said its first line."""
    with subprocess.Popen([*map(str, words)], stdout=subprocess.PIPE, text=True) as program:
        try:
            check(program.stdout.readline(), f"{words} said nothing")
            yield program
        finally:
            program.kill()
            program.wait()


# --- 32-bit programs ---


def build_narrow(program, seconds):
    """Without any library: the compiler alone makes it."""
    subprocess.run(["cc", "-m32", "-O1", "-nostdlib", "-static", "-ffreestanding", "-fno-pie", "-no-pie", "-fno-stack-protector",
                    f"-DSECONDS={seconds}", "-o", str(program), str(ROOT / "tests/live/narrow.c")], check=True, capture_output=True)


def narrow(directory, seconds):
    program = os.path.join(directory, "narrow-server")
    build_narrow(program, seconds)
    try:
        subprocess.run([program], timeout=0.2, check=False)
    except subprocess.TimeoutExpired:
        return program
    except OSError as error:
        raise Skip(f"this kernel runs no 32-bit programs: {error.strerror}") from None
    raise AssertionError("the 32-bit server ended at once")


def told_as_32bit(outcome, count=1):
    seen = outcome.report["observation"]
    if outcome.report["findings"]:
        raise Final(outcome.describe())
    check(outcome.code == 4 and outcome.report["verdict"]["state"] == "inconclusive", outcome.describe())
    check(seen["lost"] == {"processes_of_32_bits": count}, outcome.describe())
    check(any("narrow-server" in note and "32-bit" in note for note in seen["notes"]), outcome.describe())
    calls = set(seen["calls"]) - {"fork", "exec", "exit"}
    return calls


def run_32bit():
    with tempfile.TemporaryDirectory() as directory:
        outcome = epaudit("run", "--", narrow(directory, 2))
        # The child is ours until it executes the command: what it reads until then is 64-bit code's.
        check(told_as_32bit(outcome) <= {"read", "close", "write"}, outcome.describe())
        outcome = epaudit("run", "--", "sh", "-c", f"{directory}/narrow-server & {FIXED} --seconds 2; wait")
        told_as_32bit(outcome)
        check(outcome.report["observation"]["epolls"] == 1, outcome.describe())  # the 64-bit one is watched as ever


def attach_32bit():
    with tempfile.TemporaryDirectory() as directory:
        with subprocess.Popen([narrow(directory, 20)]) as server:
            try:
                wait_for(lambda: os.path.lexists(f"/proc/{server.pid}/fd/5"), 10, "its epoll and its sockets")
                outcome = epaudit("attach", "--profile", "test", "--duration", "2", "-p", server.pid)
                calls = told_as_32bit(outcome)
                check(not calls and outcome.report["observation"]["epolls"] == 0, outcome.describe())
                look = epaudit("inspect", "-p", server.pid, json_report=False)
                check(look.code == 0 and "unix" in look.out, look.out + look.err)
            finally:
                server.kill()


# --- the first thread has ended ---


def leaderless():
    with started(LIVES, "leaderless", 30) as server:
        stat = pathlib.Path(f"/proc/{server.pid}/stat").read_text()
        check(") Z " in stat, f"the test proves nothing: {stat}")
        outcome = epaudit("attach", "--profile", "test", "--duration", "3", "-p", server.pid)
        check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
        check(outcome.report["observation"]["seconds"] > 2.9, outcome.describe())
        process = outcome.report["findings"][0]["process"]
        check(process["exe"] == LIVES and process["comm"] == "lives", str(process))
        names = {frame["function"] for stack in outcome.report["findings"][0]["evidence"]["stacks"] for frame in stack["frames"]}
        check(any("poll_until" in name for name in names), f"no stack of it: {names}")
        look = epaudit("inspect", "-p", server.pid, json_report=False)
        check(look.code == 0 and "unix" in look.out, look.out + look.err)
    with started(LIVES, "served-leaderless", 60) as server:
        tool = Started("attach", "--profile", "test", "-p", server.pid)
        time.sleep(2)  # that long it is observed
        server.kill()
        outcome = tool.finish(20)  # by itself: the end of its last thread is noticed
        check(outcome.code == 0 and not outcome.report["findings"], outcome.describe())
        check(outcome.report["observation"]["seconds"] > 1.5, outcome.describe())


def zombie():
    """A process that has ended and was not waited for is nobody to watch."""
    child = subprocess.Popen(["true"])
    wait_for(lambda: ") Z " in pathlib.Path(f"/proc/{child.pid}/stat").read_text(), 10, "a zombie")
    outcome = epaudit("attach", "-p", child.pid, json_report=False)
    child.wait()
    check(outcome.code == 3 and f"process {child.pid} has ended" in outcome.err, outcome.describe())


# --- forks and execs ---


def brood():
    """Children die while they are looked for. The observation ends with the last of them, and watches nobody else."""
    with started(LIVES, "brood", 60) as parent:
        for _ in range(3):  # each attach meets other children half dead
            tool = Started("attach", "--profile", "test", "--follow-forks", "--duration", "0.5", "-p", parent.pid)
            outcome = tool.finish(20)
            check(outcome.code == 0 and not outcome.report["findings"], outcome.describe())
        tool = Started("attach", "--profile", "test", "--follow-forks", "-p", parent.pid)
        time.sleep(2)  # that long it is observed
        parent.kill()
        outcome = tool.finish(20)  # by itself, when the parent and its last child have ended
        check(outcome.code == 0 and not outcome.report["findings"], outcome.describe())
        check(outcome.report["observation"]["calls"]["fork"] > 20, outcome.describe())


def family_counts(outcome, total):
    """All that a family of processes waited, by its own count, is posted: nobody came to be watched unseen."""
    seen = outcome.report["observation"]
    check(seen["complete"] and not seen["lost"], outcome.describe())
    check(total > 2000 and seen["calls"]["epoll_wait"] == total, f"{total} waits, {seen['calls']} posted")


def lineage():
    width = 60
    command = ["sh", "-c", f"echo go | {LIVES} lineage {width}"]  # the shell and what it starts are forks as well
    outcome = epaudit("run", "--profile", "test", "--fail-on", "never", "--", *command)
    family_counts(outcome, int(re.search(r"^(\d+)$", outcome.out, re.M)[1]))
    with subprocess.Popen([LIVES, "lineage", str(width)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        check(parent.stdout.readline() == "ready\n", "lineage did not start")
        tool = Started("attach", "--profile", "test", "--fail-on", "never", "--follow-forks", "-p", parent.pid)
        total = int(parent.communicate("go\n", timeout=60)[0])
        family_counts(tool.finish(20), total)


class Poller:
    """Polls as often as it is told, under a number that is given, or any."""

    def __init__(self, number=0):
        self.process = subprocess.Popen([LIVES, "poller", str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise Skip("no process can be given a number here")
        self.pid = int(line)

    def poll(self, times):
        self.process.stdin.write(f"{times}\n")
        self.process.stdin.flush()
        check(self.process.stdout.readline() == "done\n", "the poller did not poll")

    def end(self):
        self.process.communicate()


def namesakes():
    """Processes whose numbers end in the same bits, by which those that are not watched are told apart first."""
    slots = 16384  # CROWD_SLOTS of bpf/tables.h
    one = Poller()
    other = Poller(one.pid + slots if one.pid + slots < int(pathlib.Path("/proc/sys/kernel/pid_max").read_text()) else one.pid - slots)
    check((one.pid - other.pid) % slots == 0, f"the test proves nothing: {one.pid} and {other.pid}")
    tool = Started("attach", "--profile", "test", "--fail-on", "never", "-p", one.pid)
    other.poll(500)
    one.poll(40)
    outcome = tool.interrupt()
    check(outcome.report["observation"]["calls"]["epoll_wait"] == 40, f"of the one alone: {outcome.describe()}")
    tool = Started("attach", "--profile", "test", "--fail-on", "never", "-p", f"{one.pid},{other.pid}")
    other.poll(30)
    other.end()
    one.poll(40)
    one.end()
    outcome = tool.finish(20)
    check(outcome.report["observation"]["calls"]["epoll_wait"] == 70, f"and of one whose namesake has ended: {outcome.describe()}")


def keeps():
    for number in (255, 256, 15000):
        outcome = epaudit("run", "--risks", "--", LIVES, "keeps", number, "/bin/sleep", "3")
        found = [f for f in outcome.report["findings"] if f["rule"] == "EP603"]
        check(outcome.code == 0 and len(found) == 1, f"{number}: {outcome.describe()}")
        check(outcome.report["observation"]["complete"], outcome.describe())


def thread_execs():
    """Its old number is nobody's: what it waited for is not held against, or for, the new program."""
    with tempfile.TemporaryDirectory() as directory:
        books = os.path.join(directory, "books")
        recording = os.path.join(directory, "r.epr")
        outcome = epaudit("record", "-o", recording, "--", LIVES, "thread-exec", FIXED, "--seconds", "3")
        check(outcome.code == 0 and not outcome.report["findings"], outcome.describe())
        tid = int(re.search(r"^(\d+)$", outcome.out, re.M)[1])
        text = subprocess.run([os.environ.get("EPAUDIT", str(BUILD / "epaudit")), "replay", "--books-file", books, recording],
                              capture_output=True, text=True, check=False)
        check(text.returncode == 0, text.stderr)
        check(f'"tid":{tid}' not in pathlib.Path(books).read_text().replace(" ", ""), f"thread {tid} is still in the books")


# --- last words ---


def last_words():
    seconds, rate = 4, 5000
    outcome = epaudit("run", "--profile", "production", "--", LIVES, "last-words", seconds, rate)
    closed = int(re.search(r"(\d+) closed", outcome.out)[1])
    check(closed >= 0.8 * seconds * rate, f"the test proves nothing: only {closed} were closed in {seconds} s")
    check("last_words_lost" not in outcome.report["observation"]["lost"], f"{closed} closed: {outcome.describe()}")
    check(outcome.report["observation"]["complete"], outcome.describe())


def register(suite):
    with suite.side_by_side(SPINNERS):
        suite.run("lives: an epoll under any number survives exec", keeps)
        suite.run("lives: the first thread has ended", leaderless)
        suite.run("lives: a 32-bit program is told, under run", run_32bit)
        suite.run("lives: a 32-bit program is told, at attach", attach_32bit)
        suite.run("lives: a zombie is nobody to watch", zombie)
        suite.run("lives: children that die while they are looked for", brood)
        suite.run("lives: a thread that is not the first executes a program", thread_execs)
    suite.run("lives: all of a family is watched, by its own count", lineage)
    suite.run("lives: numbers that end in the same bits", namesakes)
    suite.run("lives: 5,000 closes a second leave their last words", last_words)
