# SPDX-License-Identifier: Apache-2.0
"""epaudit inspect: what it says of an interest list, against /proc/PID/fdinfo and ss as independent witnesses."""
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios

from harness import BUILD, EPAUDIT, NOBODY_WITH_TWO, Skip, check, epaudit, programs_of, read_to_end, wait_for
from servers import answers, nginx, redis

KINDS = str(BUILD / "tests/kinds")


class Kinds:
    """The target with one of each kind; `fds` are the numbers it told."""

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="epaudit-")
        os.chmod(self.directory, 0o755)
        self.process = subprocess.Popen([KINDS, self.directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.fds = self.read_until("ready")
        return self

    def read_until(self, word):
        fds = {}
        for line in self.process.stdout:
            if line.strip() == word:
                return fds
            name, number = line.split()
            fds[name] = int(number)
        raise AssertionError("the target ended: " + str(fds))

    def change(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.fds.update(self.read_until("changed"))

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        shutil.rmtree(self.directory, ignore_errors=True)


def inspect(*arguments, prefix=()):
    outcome = epaudit("inspect", "--format", "json", "-p", *arguments, json_report=False, prefix=prefix)
    check(outcome.code == 0, outcome.err)
    report = json.loads(outcome.out)
    check(report["schema"] == "epaudit-inspect/1" and report["complete"], outcome.out)
    return report


def epoll_of(report, pid, fd):
    for epoll in report["epolls"]:
        if {"pid": pid, "fd": fd} in epoll["descriptors"]:
            return epoll
    raise AssertionError(f"no epoll fd {fd}: {report}")


def by_fd(epoll):
    return {r["fd"]: r for r in epoll["registrations"]}


def fdinfo(pid, fd):
    """(fd, mask, data) of each registration, as the kernel's own listing has them."""
    with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as file:
        found = re.findall(r"tfd:\s*(\d+) events:\s*([0-9a-f]+) data:\s*([0-9a-f]+)", file.read())
    return sorted((int(number), int(mask, 16), int(data, 16)) for number, mask, data in found)


def listed(epoll):
    return sorted((r["fd"], r["mask_bits"], int(r["data"], 16)) for r in epoll["registrations"])


def sockets(pid, *families):
    """ss: fd -> (state, receive queue, send queue, local, peer)."""
    if not shutil.which("ss"):
        raise Skip("ss is not installed")
    found = {}
    out = subprocess.run(["ss", "-Hanp", *families], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        match = re.search(rf"pid={pid},fd=(\d+)\)", line)
        if match:
            words = line.split()
            if not words[0].isupper():  # with one family ss leaves out the type
                words = words[1:]
            found[int(match[1])] = (words[0], int(words[1]), int(words[2]), words[3], words[4])
    return found


STATES = {"ESTAB": "ESTABLISHED", "CLOSE-WAIT": "CLOSE_WAIT", "LISTEN": "LISTEN", "UNCONN": "unconnected",
          "FIN-WAIT-1": "FIN_WAIT1", "FIN-WAIT-2": "FIN_WAIT2", "SYN-SENT": "SYN_SENT"}


def agree_with_ss(epoll, seen):
    """Says for how many sockets both were asked."""
    compared = 0
    for r in epoll["registrations"]:
        if r["kind"] not in ("tcp", "listener", "udp") or "socket" not in r or r["fd"] not in seen:
            continue
        state, received, sent, local, peer = seen[r["fd"]]
        check(r["socket"]["state"] == STATES[state], f"{r} {state}")
        check(r["socket"]["local"] == local, f"{r} {local}")
        if r["kind"] == "listener":
            check((r["backlog"]["length"], r["backlog"]["limit"]) == (received, sent), f"{r} {received} {sent}")
        elif r["kind"] == "tcp":
            check(r["socket"]["peer"] == peer, f"{r} {peer}")
            # ss counts the FIN as a byte
            check(r["unread_bytes"] + r["socket"]["eof_unread"] == received, f"{r} {received}")
            check(r["socket"]["unacknowledged_bytes"] == sent, f"{r} {sent}")
        compared += 1
    return compared


def each_kind():
    with Kinds() as target:
        report = inspect(target.pid)
        fds = target.fds
        for name in ("epoll", "nested", "waited"):
            check(listed(epoll_of(report, target.pid, fds[name])) == fdinfo(target.pid, fds[name]), f"{name}: {report}")
        epoll = epoll_of(report, target.pid, fds["epoll"])
        check(agree_with_ss(epoll, sockets(target.pid, "-t")) == 4, "ss and epaudit have other sockets")
        check(agree_with_ss(epoll, sockets(target.pid, "-u")) == 1, "ss and epaudit have other sockets")
        named = by_fd(epoll)
        kinds = {"listener": "listener", "drained": "tcp", "unread": "tcp", "ended": "tcp", "udp": "udp",
                 "unix-listener": "listener", "unix-client": "unix", "unix-pair": "unix", "eventfd": "eventfd",
                 "timerfd": "timerfd", "signalfd": "signalfd", "pipe": "pipe", "pipe-out": "pipe", "inotify": "inotify",
                 "nested": "epoll"}
        for name, kind in kinds.items():
            check(named[fds[name]]["kind"] == kind, f"{name}: {named[fds[name]]}")
        ready = {"listener", "unread", "ended", "udp", "unix-listener", "unix-pair", "eventfd", "pipe", "pipe-out", "nested"}
        for name in set(kinds) - {"inotify"}:
            check(named[fds[name]]["ready"] == (name in ready), f"{name}: {named[fds[name]]}")
        expected = {
            "unread": {"unread_bytes": 12, "trigger": ["edge"], "data": "0x7f0012345678", "nonblocking": True},
            "ended": {"unread_bytes": 3},
            "udp": {"unread_messages": 2},
            "listener": {"backlog": {"length": 2, "limit": 17}, "trigger": ["level", "exclusive"]},
            "unix-listener": {"backlog": {"length": 1, "limit": 5}},
            "unix-pair": {"unread_bytes": 7, "unread_messages": 2, "nonblocking": False},
            "eventfd": {"counter": 3},
            "timerfd": {"ticks": 0},
            "signalfd": {"details": {"signals": "SIGUSR1,SIGTERM"}},
            "pipe": {"unread_bytes": 7},
            "inotify": {"details": {"watches": "2"}},
            "nested": {"nested": [{"pid": target.pid, "fd": fds["nested"]}]},
        }
        for name, fields in expected.items():
            for field, value in fields.items():
                check(named[fds[name]].get(field) == value, f"{name} {field}: {named[fds[name]]}")
        check(named[fds["ended"]]["socket"]["eof_unread"], f"{named[fds['ended']]}")
        check(named[fds["timerfd"]]["details"]["every"] == "100.0 s", f"{named[fds['timerfd']]}")
        path = named[fds["unix-listener"]]["socket"]["local"]
        check(path == target.directory + "/listener" == named[fds["unix-client"]]["socket"]["peer"], path)
        inner = by_fd(epoll_of(report, target.pid, fds["nested"]))
        check(not inner[fds["fired"]]["armed"] and inner[fds["eventfd"]]["armed"], f"{inner}")


def closed_numbers():
    with Kinds() as target:
        epoll = epoll_of(inspect(target.pid), target.pid, target.fds["epoll"])
        closed = {int(r["data"], 16): r for r in epoll["registrations"] if r["fd_closed"]}
        check(set(closed) == {0xdead1, 0xdead2}, f"{closed}")
        check(closed[0xdead1]["descriptors"] == [{"pid": target.pid, "fd": target.fds["ghost-lives-as"]}], f"{closed}")
        check(closed[0xdead2]["descriptors"] == [], f"{closed}")


def waiters():
    """The kernel's queue of waiters, against each thread's own system call."""
    with Kinds() as target:
        def asleep():
            return epoll_of(inspect(target.pid), target.pid, target.fds["waited"])["waiters"]
        wait_for(lambda: len(asleep()) == 2, 10, "both threads in epoll_wait")
        found = asleep()
        for waiter in found:
            with open(f"/proc/{target.pid}/task/{waiter['tid']}/syscall", encoding="ascii") as file:
                words = file.read().split()
            check(int(words[1], 16) == target.fds["waited"], f"{waiter} {words}")
            check(0 <= waiter["asleep_at_most_s"] < 60, f"{waiter}")
        check(sorted(w["timeout_ms"] for w in found) == [-1, 3600000], f"{found}")
        check(not epoll_of(inspect(target.pid), target.pid, target.fds["epoll"])["waiters"], "nobody waits there")


def without_ptrace():
    with Kinds() as target:
        report = inspect(target.pid, prefix=NOBODY_WITH_TWO)
        check(any("CAP_SYS_PTRACE" in note for note in report["notes"]), str(report["notes"]))
        epoll = epoll_of(report, target.pid, target.fds["epoll"])
        wanted = [r for r in fdinfo(target.pid, target.fds["epoll"]) if r[2] != 0xdead2]
        check(listed(epoll) == wanted, f"{listed(epoll)}")
        check(by_fd(epoll)[target.fds["unread"]]["unread_bytes"] == 12, f"{epoll}")
        check(not any("CAP_SYS_PTRACE" in note for note in inspect(target.pid)["notes"]), "root may read it")


def watching():
    """On a pipe, snapshot by snapshot; what came, what went; Ctrl-C is no failure."""
    with Kinds() as target:
        words = [EPAUDIT, "inspect", "--format", "json", "--watch=0.1", "-p", str(target.pid)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tool:
            first = json.loads(tool.stdout.readline())
            check(all(r["registered"] == "before attach" for e in first["epolls"] for r in e["registrations"]), f"{first}")
            loaded = programs_of(tool.pid)
            check(len(loaded) == 3, f"it loads {len(loaded)} programs, not the 3 iterators")
            target.change()
            for line in tool.stdout:
                look = json.loads(line)
                new = [r for e in look["epolls"] for r in e["registrations"] if r["change"] == "new"]
                if new and new[0]["fd"] == target.fds["fresh"]:
                    break
            check(new[0]["registered"] == "while watching" and 0 < new[0]["age_at_most_s"] < 30, f"{new}")
            tool.send_signal(signal.SIGINT)
            check(tool.wait(10) == 0, f"exit {tool.returncode}: {tool.stderr.read()}")


def watch_ends_with_target():
    with Kinds() as target:
        words = [EPAUDIT, "inspect", "--watch=0.1", "-p", str(target.pid)]
        tool = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check("kinds[" in tool.stdout.readline() + tool.stdout.readline(), "no first look")
    out, err = tool.communicate(timeout=30)
    check(tool.returncode == 0 and not err, f"exit {tool.returncode}: {err}\n{out}")


def watch_at_a_terminal():
    """On a screen of its own: what could be scrolled to is left alone, and the last look stays. What has no room is counted."""
    for term in ("xterm", "dumb"):
        with Kinds() as target:
            ours, its = pty.openpty()
            fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 8, 80, 0, 0))
            words = [EPAUDIT, "inspect", "--watch=100ms", "-p", str(target.pid)]
            with subprocess.Popen(words, stdin=its, stdout=its, stderr=its, env=os.environ | {"TERM": term}) as tool:
                os.close(its)
                out = b""
                while out.count(b"kinds[") < 2:
                    out += os.read(ours, 65536)
                tool.send_signal(signal.SIGINT)
                out += read_to_end(ours)
                check(tool.wait(10) == 0, f"{term}: exit {tool.returncode}")
            os.close(ours)
        check(b"\x1b[3J" not in out and b"\x1b[2J" not in out, f"{term}: the terminal is cleared")
        if term == "dumb":
            check(b"\x1b" not in out, f"{out[:200]!r}")
            continue
        head, _, last = out.rpartition(b"\x1b[?1049l")
        check(head.startswith(b"\x1b[?1049h") and head.count(b"\x1b[?1049h") == 1, f"{out[:80]!r}")
        check(b" more lines: make the window taller" in head and head.count(b"\x1b[H") >= 2, f"{head[-300:]!r}")
        check(b"kinds[" in last and last.count(b"\n") > 8, f"what stays: {last!r}")


def refusals():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:
        outcome = epaudit("inspect", "-p", other.pid, json_report=False)
        other.stdin.close()
    check(outcome.code == 3 and outcome.err.startswith("epaudit: no epoll in "), f"{outcome.code} {outcome.err}")
    outcome = epaudit("inspect", "-p", 4194304 - 1, json_report=False)
    check(outcome.code == 3 and outcome.err.startswith("epaudit: no process "), f"{outcome.code} {outcome.err}")
    for words in (["-p", "x"], ["--watch=0", "-p", "1"], ["--format", "sarif", "-p", "1"], []):
        outcome = epaudit("inspect", *words, json_report=False)
        check(outcome.code == 2 and outcome.err.startswith("epaudit: "), f"{words}: {outcome.code} {outcome.err}")


def server_test(start, clients):
    """A real server with idle connections: its whole list, and every socket of it."""
    def test():
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o755)
            with start(directory) as server:
                wait_for(lambda: answers(server.port), 10, "the server")
                peers = [socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(clients)]
                pids = [server.pid] + [int(p) for p in subprocess.run(
                    ["pgrep", "-P", str(server.pid)], capture_output=True, text=True).stdout.split()]

                def served():
                    report = inspect(",".join(map(str, pids)))
                    return sum(r["kind"] == "tcp" for e in report["epolls"] for r in e["registrations"]) >= clients
                wait_for(served, 10, "the server to register its connections")
                report = inspect(",".join(map(str, pids)))
                compared = 0
                for epoll in report["epolls"]:
                    owner = epoll["descriptors"][0]
                    check(listed(epoll) == fdinfo(owner["pid"], owner["fd"]), f"{epoll}")
                    check(not any(r["fd_closed"] for r in epoll["registrations"]), f"{epoll}")
                    compared += agree_with_ss(epoll, sockets(owner["pid"], "-t"))
                check(compared >= clients + 1, f"only {compared} sockets compared: {report}")
                for peer in peers:
                    peer.close()
    return test


def register(suite):
    suite.run("inspect each kind", each_kind)
    suite.run("inspect closed numbers", closed_numbers)
    suite.run("inspect waiters", waiters)
    suite.run("inspect without ptrace", without_ptrace)
    suite.run("inspect watching", watching)
    suite.run("inspect watch ends with target", watch_ends_with_target)
    suite.run("inspect watch at a terminal", watch_at_a_terminal)
    suite.run("inspect refusals", refusals)
    suite.run("inspect redis", server_test(redis, 20))
    suite.run("inspect nginx", server_test(nginx, 20))
