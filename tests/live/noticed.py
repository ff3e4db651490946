# SPDX-License-Identifier: Apache-2.0
"""Programs that a watched one starts and that have no epoll: nothing that they do is looked at, until it matters to somebody
who has one."""
from harness import BUILD, check, epaudit, names_the_guilty

NOTICED = str(BUILD / "tests/noticed")
READS = 30000  # one byte each, which a pipe holds
FEW = READS // 10  # what all the rest of it comes to


def calls_of(outcome):
    check(outcome.report and outcome.report["observation"]["complete"], outcome.describe())
    return outcome.report["observation"]["calls"]


def unseen(outcome):
    """What the child of `noticed own` does."""
    calls = calls_of(outcome)
    check(calls.get("read", 0) < FEW and calls.get("epoll_wait", 0) >= 2, f"{calls}: {outcome.describe()}")


def all_seen(outcome, call):
    calls = calls_of(outcome)
    check(calls.get(call, 0) >= READS, f"{calls}: {outcome.describe()}")


def run(role):
    return epaudit("run", "--fail-on", "never", "--", NOTICED, role, READS)


def makes_one():
    outcome = epaudit("run", "--", "sh", "-c", f"{NOTICED} late {READS} & wait")
    names_the_guilty(outcome, "EP202")
    check(calls_of(outcome).get("read", 0) < FEW, outcome.describe())


def register(suite):
    suite.run("without an epoll: a child that reads a pipe of its own", lambda: unseen(run("own")))
    suite.run("without an epoll: what its parent has registered", lambda: all_seen(run("registered"), "read"))
    suite.run("without an epoll: what is registered and sent to it", lambda: all_seen(run("sent"), "read"))
    suite.run("without an epoll: an epoll that is sent to it", lambda: all_seen(run("epoll"), "epoll_wait"))
    suite.run("without an epoll: a child that makes an epoll", makes_one)
