# SPDX-License-Identifier: Apache-2.0
"""What watching may cost is kept, and what goes wrong meanwhile is found all the same."""
import re
import socket
import subprocess
import sys
import tempfile
import time

import servers
from harness import BUILD, Final, Started, check, end, epaudit, serving, wait_for

SPINNER = str(BUILD / "demo_bugs/busy-epollout/bug")
SECONDS = 75
CALM_AT = 15  # by then the load has been measured, and the first gap has begun

# Edge-triggered, and reads four bytes of what has come: the rest stays until more comes. And starts a program that spins.
HANGER = """
import select, socket, subprocess, sys
listener = socket.socket(); listener.bind(("127.0.0.1", int(sys.argv[1]))); listener.listen(); listener.setblocking(False)
epoll = select.epoll(); epoll.register(listener, select.EPOLLIN); clients = {}
while True:
    for fd, events in epoll.poll():
        if fd == listener.fileno():
            client, peer = listener.accept(); ready = select.select([client], [], [], 1)[0]; client.setblocking(False)
            clients[client.fileno()] = client; epoll.register(client, select.EPOLLIN | select.EPOLLET)
            if ready and client.recv(1, socket.MSG_PEEK) == b"x":
                subprocess.Popen([sys.argv[2], "--seconds", sys.argv[3]], stderr=subprocess.DEVNULL)
        else:
            clients[fd].recv(4)
"""


def storm(port, seconds):
    return subprocess.Popen(["timeout", str(seconds), servers.need("redis-benchmark"), "-p", str(port), "-c", "50", "-P", "64",
                             "-t", "get,set", "-l", "-n", "1000000", "-q"], stdout=subprocess.DEVNULL)


def kept_in_a_storm():
    """A busy server that does nothing wrong, and two programs that go wrong while the probes are detached."""
    hang_port = servers.free_port()
    with tempfile.TemporaryDirectory() as directory, servers.redis(directory) as server:
        hanger = subprocess.Popen([sys.executable, "-c", HANGER, str(hang_port), SPINNER, str(SECONDS - CALM_AT)])
        running = [hanger]
        try:
            wait_for(lambda: servers.answers(hang_port), 10, "the server to listen")
            tool = Started("attach", "--budget", "1", "--format", "text", "--duration", SECONDS, "--follow-forks",
                           "-p", f"{server.pid},{hanger.pid}")
            began = time.monotonic()
            running.append(storm(server.port, SECONDS))
            try:
                running[-1].wait(CALM_AT)
                raise AssertionError("the load ended early")
            except subprocess.TimeoutExpired:
                pass
            client = socket.create_connection(("127.0.0.1", hang_port))
            client.sendall(b"x" * 100)
            wait_for(lambda: servers.children_of(hanger.pid), 5, "the program that spins")
            spun_at = time.monotonic() - began
            outcome = tool.finish(SECONDS)
            client.close()
        finally:
            for process in running:
                end(process)
    check(outcome.report, outcome.describe())
    seen = outcome.report["observation"]
    found = {(f["rule"], f["process"]["pid"]) for f in outcome.report["findings"]}
    check("EP201" in {rule for rule, _ in found}, outcome.describe())
    check(("EP101", hanger.pid) in found, outcome.describe())
    if any(pid == server.pid for _, pid in found):
        raise Final(outcome.describe())
    told = re.search(r"epaudit: ([0-9.]+) s: \w+ EP201", outcome.err)
    check(told and float(told[1]) - spun_at < 10.5, f"spun at {spun_at}: {outcome.err}")
    check(not seen["lost"], f"lost: {seen['lost']}")
    cost, budget = seen["cost"], seen["budget"]
    check(budget["share"] == 0.01 and budget["attached_share"] < 0.2, str(budget))
    check(budget["longest_gap_s"] < 20, str(budget))
    # The first second, in which it is measured, is in it.
    check(cost["probes_cores"] + cost["epaudit_cores"] < 0.03 * max(1, cost["watched_cores"]), str(seen))
    check(re.search(r"budget +1 %: the probes were attached", outcome.out), outcome.out)
    return (f"attached {budget['attached_share']:.1%} of the time, probes {cost['probes_cores']:.2%} and epaudit "
            f"{cost['epaudit_cores']:.2%} of a core, a spin found after {float(told[1]) - spun_at:.1f} s")


def usual_in_production():
    """Who says nothing of a budget: a storm is seen in full for five seconds, and then costs hardly anything. A test has none."""
    seconds = 15
    with tempfile.TemporaryDirectory() as directory, servers.redis(directory) as server:
        load = storm(server.port, seconds)
        try:
            usual = epaudit("attach", "--format", "text", "--duration", seconds, "-p", server.pid)
        finally:
            end(load)
        short = epaudit("attach", "--duration", 1, "-p", server.pid)
        test = epaudit("attach", "--profile", "test", "--duration", 1, "-p", server.pid)
        none = epaudit("attach", "--budget", "none", "--duration", 1, "-p", server.pid)
    budget = usual.report["observation"]["budget"]
    check(budget["share"] == 0.01 and 5 / seconds <= budget["attached_share"] < 9 / seconds, usual.describe())
    check(budget["longest_gap_s"] < 10 and usual.code == 0, usual.describe())
    said = re.search(r"no epoll misuse found in ([0-9.]+) s of 15.. s", usual.out)
    check(said and 5 <= float(said[1]) < 9, usual.out)
    check("--budget none" in usual.out, usual.out)
    check(short.report["observation"]["budget"]["attached_share"] == 1, short.describe())
    for outcome in (test, none):
        check("budget" not in outcome.report["observation"], outcome.describe())
    return f"probes attached {budget['attached_share'] * seconds:.1f} of {seconds} s"


def nothing_is_lost_at_the_edges():
    """A program that waits a hundred thousand times in a second is always about to, as a window begins or ends."""
    with serving(SPINNER) as busy:
        outcome = epaudit("attach", "--duration", "20", "-p", busy.pid)
    seen = outcome.report["observation"]
    check(0 < seen["budget"]["attached_share"] < 0.9, f"no window: {seen['budget']}")
    check(seen["complete"] and not seen["lost"], f"lost: {seen['lost']}")


def unused_when_quiet():
    """Who costs less than the budget is watched all the time."""
    with tempfile.TemporaryDirectory() as directory, servers.redis(directory) as server:
        outcome = epaudit("attach", "--budget", "3", "--duration", "5", "-p", server.pid)
    check(outcome.report["observation"]["budget"]["attached_share"] == 1, outcome.describe())


def nonsense_is_refused():
    for text in ("0", "much", "101"):
        outcome = epaudit("attach", "--budget", text, "-p", "1", json_report=False)
        check(outcome.code == 2, f"{text}: {outcome.describe()}")
        check("budget" in outcome.err, outcome.err)


def not_for_strace():
    outcome = epaudit("attach", "--source", "strace", "--budget", "1", "-p", "1", json_report=False)
    check(outcome.code == 2 and "strace keeps no budget" in outcome.err, outcome.describe())


def register(suite):
    suite.run("budget: kept in a storm, and what goes wrong is found", kept_in_a_storm)
    suite.run("budget: usual in production", usual_in_production)
    suite.run("budget: nothing is lost at the edges of a window", nothing_is_lost_at_the_edges)
    suite.run("budget: unused when there is little to do", unused_when_quiet)
    suite.run("budget: nonsense is refused", nonsense_is_refused)
    suite.run("budget: not for strace", not_for_strace)
