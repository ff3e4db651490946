# SPDX-License-Identifier: Apache-2.0
"""Processes in trouble: storms, recycled numbers, deaths, depth and full tables. Whatever they do, no finding that is
not so, every row freed, and what could not be kept is said."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

from harness import BUILD, SPINNERS, Started, check, epaudit, fdinfo_of, nothing_found, serving, wait_for

TROUBLE = str(BUILD / "tests/trouble")
BUG = str(BUILD / "demo_bugs/busy-epollout/bug")
FIXED = str(BUILD / "demo_bugs/busy-epollout/fixed")
# bpftool knows 15 letters of a name.
TABLES = ("file_rows", "fault_rows", "registration_ro", "run_rows", "index_rows", "epoll_rows",
          "thread_rows", "process_rows")


def quiet(*words, arguments=(), postings=0):
    """Under `run`: the role ends well, nothing is found, nothing is lost."""
    def test():
        outcome = epaudit("run", *arguments, "--", TROUBLE, *map(str, words), timeout=120)
        nothing_found(outcome)
        check(outcome.report["observation"]["postings"] >= postings, outcome.describe())
    return test


def rows(tool_pid):
    """Table -> how many rows it holds, of the tables that this epaudit owns."""
    ids = {int(n) for text in fdinfo_of(tool_pid) for n in re.findall(r"^map_id:\s*(\d+)", text, re.M)}
    show = subprocess.run(["bpftool", "--json", "map", "show"], capture_output=True, check=True)
    owned = {m["name"]: m["id"] for m in json.loads(show.stdout) if m["id"] in ids and m.get("name") in TABLES}
    check(len(owned) == len(TABLES), f"found only the tables {sorted(owned)}")
    count = {}
    for name, number in owned.items():
        dump = subprocess.run(["bpftool", "--json", "map", "dump", "id", str(number)], capture_output=True, check=True)
        count[name] = len(json.loads(dump.stdout or b"[]"))
    return count


@contextlib.contextmanager
def watched_shell(*arguments):
    """A shell that epaudit follows; it runs what is written to it and answers each command with its status."""
    shell = subprocess.Popen(["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    tool = Started("attach", "--profile", "test", "--follow-forks", *arguments, "-p", shell.pid)
    try:
        yield shell, tool
    finally:
        shell.stdin.close()
        shell.wait()
        shell.stdout.close()
        if tool.process.poll() is None:
            tool.process.kill()
            tool.process.communicate()


def ask(shell, command):
    shell.stdin.write(command + " >/dev/null; echo done $?\n")
    shell.stdin.flush()
    answer = shell.stdout.readline()
    check(answer == "done 0\n", f"{command}: {answer!r}")


def rows_are_freed():
    with watched_shell() as (shell, tool):
        for command in ("forks 300", "threads 300", "reuse 0.5", "thrice 50", "nested 50", "handover 100"):
            ask(shell, f"{TROUBLE} {command}")
        last = {}

        def empty():
            last.update(rows(tool.process.pid))
            return all(count == 0 for name, count in last.items() if name != "process_rows") and \
                last["process_rows"] == 1  # the shell
        try:
            wait_for(empty, 30, "empty tables")
        except AssertionError as error:
            raise AssertionError(f"{error}; rows left: {last}") from None
        shell.stdin.close()
        outcome = tool.finish()
        check(outcome.code == 0 and not outcome.report["findings"], outcome.describe())


def table_is_full():
    outcome = epaudit("run", "--max-fds", "64", "--", TROUBLE, "idle", "500")
    lost = dict(outcome.report["observation"]["lost"])
    check(outcome.code == 4 and not outcome.report["observation"]["complete"], outcome.describe())
    check(lost.get("files_full") == 500 - 64, f"of 500 registrations 64 fit: {lost}")
    check(not outcome.report["findings"], outcome.describe())


def many_registrations():
    outcome = epaudit("run", "--max-fds", "131072", "--", TROUBLE, "idle", "100000", timeout=120)
    seen = outcome.report["observation"]
    check(outcome.code == 0 and seen["complete"] and seen["registrations"] == 100000, outcome.describe())


def each_row_is_seen_once():
    """More rows worth a look than a walk in pieces takes at a time (live_walk.cpp), by whichever walk this kernel allows."""
    count = 6000
    for words in ((), ("--walk-in-pieces",)):
        outcome = epaudit("run", *words, "--", TROUBLE, "halves", count)
        found = [(f["rule"], f["count"]) for f in outcome.report["findings"]]
        check(found and set(found) == {("EP301", count)} and outcome.code == 1, f"{words}: {found} {outcome.describe()[:2000]}")


def refused_calls_change_nothing():
    """dup2() onto the fd and onto the epoll, and close() of nothing, all of which fail: the spin that follows is seen."""
    outcome = epaudit("run", "--", TROUBLE, "refused", "4")
    check(outcome.code == 1 and outcome.rules() == ["EP202"], outcome.describe())


def spins_as_before():
    """epoll_ctl on an epoll that does not know the fd, or knows it already: what is known of it in its own stays."""
    outcome = epaudit("run", "--", TROUBLE, "meddled-spin", "4")
    check(outcome.code == 1 and outcome.rules(("confirmed",)) == ["EP202"] == outcome.rules(), outcome.describe())
    check(outcome.report["observation"]["complete"], outcome.describe())
    (finding,) = [f for f in outcome.report["findings"] if f["rule"] == "EP202"]
    check(finding["facts"]["mask"] == "EPOLLIN", str(finding))
    check("pattern" not in finding["facts"] or "epoll_ctl" not in finding["facts"]["pattern"], str(finding["facts"]))


def rearmed_elsewhere():
    outcome = epaudit("run", "--", TROUBLE, "wrong-rearm", "4")
    check(outcome.code == 1 and outcome.rules() == ["EP104"], outcome.describe())


def reuse_is_fast():
    """The storm must be one, or the test proves nothing."""
    outcome = epaudit("run", "--", TROUBLE, "reuse", "2")
    rate = int(re.search(r"(\d+) closes per second", outcome.out).group(1))
    check(outcome.code == 0 and not outcome.report["findings"] and outcome.report["observation"]["complete"],
          outcome.describe())
    check(rate >= 20000, f"only {rate} closes per second")
    print(f"      {rate} closes per second, {outcome.report['observation']['postings']} postings", flush=True)


def exec_starts_anew():
    outcome = epaudit("run", "--", TROUBLE, "exec", FIXED, "--seconds", "4")
    check(outcome.code == 0 and not outcome.report["findings"], outcome.describe())
    outcome = epaudit("run", "--", TROUBLE, "exec", BUG, "--seconds", "4")
    check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
    check(outcome.report["findings"][0]["process"]["exe"].endswith("busy-epollout/bug"), outcome.describe())


def stranger_with_a_known_number():
    """A watched child dies, and a process that nobody asked about gets its number and misbehaves."""
    with watched_shell() as (shell, tool), tempfile.TemporaryDirectory() as directory:
        told = os.path.join(directory, "pid")
        ask(shell, f"sh -c 'echo $$ > {told}; exec {TROUBLE} thrice 10'")
        pid = pathlib.Path(told).read_text().strip()
        stranger = subprocess.run([TROUBLE, "as-pid", pid, BUG, "--seconds", "4"], capture_output=True, timeout=60)
        check(stranger.returncode == 0, f"as-pid {pid}: {stranger.stderr}")
        shell.stdin.close()
        outcome = tool.finish()
        check(outcome.code == 0 and not outcome.report["findings"], outcome.describe())


def reborn_child_is_seen():
    """The same number again, this time of a watched process: its fault is found, the first one's past forgotten."""
    with watched_shell() as (shell, tool), tempfile.TemporaryDirectory() as directory:
        told = os.path.join(directory, "pid")
        ask(shell, f"sh -c 'echo $$ > {told}; exec {TROUBLE} thrice 10'")
        pid = pathlib.Path(told).read_text().strip()
        ask(shell, f"{TROUBLE} as-pid {pid} {BUG} --seconds 4 2>/dev/null")
        shell.stdin.close()
        outcome = tool.finish()
        check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
        check(outcome.report["findings"][0]["process"]["pid"] == int(pid), outcome.describe())


def killed_under_load():
    """SIGKILL while events pour in: the report comes at once and says nothing that is not so."""
    with serving(FIXED, 30) as server:
        tool = Started("attach", "--profile", "test", "-p", server.pid)
        time.sleep(0.3)  # some of its life; any moment will do
        server.send_signal(signal.SIGKILL)
        server.wait()
        began = time.monotonic()
        outcome = tool.finish()
        check(outcome.code == 0 and not outcome.report["findings"], outcome.describe())
        check(time.monotonic() - began < 10, "the end of the target was noticed late")


def register(suite):
    with suite.side_by_side(SPINNERS):  # no storms
        suite.run("trouble: exec starts anew", exec_starts_anew)
        suite.run("trouble: epoll_ctl on a wrong epoll, not re-armed", rearmed_elsewhere)
        suite.run("trouble: epoll_ctl on a wrong epoll, the spin is seen", spins_as_before)
        suite.run("trouble: calls that fail change nothing", refused_calls_change_nothing)
    suite.run("trouble: fork storm", quiet("forks", 1500, postings=1500 * 5))
    suite.run("trouble: thread storm", quiet("threads", 2000, postings=2000 * 5))
    suite.run("trouble: descriptors recycled in a storm", reuse_is_fast)
    suite.run("trouble: epoll nested three deep", quiet("nested", 20000, postings=20000 * 5))
    suite.run("trouble: one socket in three epolls", quiet("thrice", 20000, postings=20000 * 5))
    suite.run("trouble: descriptors handed over", quiet("handover", 5000, postings=5000 * 6))
    suite.run("trouble: epoll_ctl on a wrong epoll, the loop reads", quiet("meddled", 3, postings=10000))
    suite.run("trouble: 100,000 registrations", many_registrations)
    suite.run("trouble: each of 6,000 rows is seen once", each_row_is_seen_once)
    suite.run("trouble: a full table is said", table_is_full)
    suite.run("trouble: a stranger with a known number", stranger_with_a_known_number)
    suite.run("trouble: a reborn child", reborn_child_is_seen)
    suite.run("trouble: killed under load", killed_under_load)
    suite.run("trouble: rows are freed", rows_are_freed)
