# SPDX-License-Identifier: Apache-2.0
"""Whose event was it: registrations that share their data, calls that fail and change nothing, files in many epolls."""
import re

from harness import BUILD, SPINNERS, check, epaudit, names_the_guilty

WHOSE = str(BUILD / "tests/whose")


def healthy(role, count):
    def test():
        outcome = epaudit("run", "--", WHOSE, role, count)
        check(outcome.code == 0 and not outcome.report["findings"], outcome.describe())
        check(outcome.report["observation"]["complete"], outcome.describe())
    return test


def found(role, count, rule="EP202"):
    """The guilty descriptor is named, whatever its data."""
    def test():
        names_the_guilty(epaudit("run", "--", WHOSE, role, count), rule)
    return test


def crowded(count):
    """All registrations of one file are worth a look at once: that is more than an iterator may write of one row."""
    def test():
        outcome = epaudit("run", "--", WHOSE, "herd", count)
        check(outcome.code in (0, 1) and set(outcome.rules()) <= {"EP401"}, outcome.describe())
        check(outcome.report["observation"]["complete"], outcome.describe())
        check(outcome.report["observation"]["registrations"] == count, outcome.describe())
    return test


def overlapping():
    """Threads are told of what another one is just adding or closing: nothing of it is an unknown registration."""
    outcome = epaudit("run", "--", WHOSE, "threads", 4)
    seen = outcome.report["observation"]
    # Until the other one closes it, they are told of the end of a stream again and again: that is a spin, of many fds. And of
    # the byte all of them may be told, of whom one reads it.
    check(set(outcome.rules()) <= {"EP504", "EP203", "EP402"} and seen["complete"], outcome.describe())
    check(seen["calls"]["epoll_ctl"] > 1000, outcome.describe())


def overtaken_dup2():
    """dup2() closes what it is given, unless it fails. Where another thread makes it fail after it has begun, that is told."""
    outcome = epaudit("run", "--fail-on", "never", "--", WHOSE, "dups", 2)
    failed = int(re.search(r"(\d+) failed", outcome.out)[1])
    lost = outcome.report["observation"]["lost"]
    check(failed > 100, f"the race was not run: {outcome.out}")
    check(lost.get("dup2_calls_that_failed_after_they_began", 0) > 0 and outcome.code == 4, outcome.describe())


def register(suite):
    for count in (2, 40, 1000):
        suite.run(f"whose: a dispatcher of {count} with one data", healthy("dispatcher", count))
    with suite.side_by_side(SPINNERS):
        for count in (2, 5, 400):
            suite.run(f"whose: a spin on one of {count} with one data", found("shared", count))
        suite.run("whose: calls that fail close nothing", found("refused", 1))
        suite.run("whose: a file in 20 epolls", found("epolls", 20))
        for count in (60, 400, 512):  # the last is as many as are looked at, all of them
            suite.run(f"whose: a listener in {count} epolls", crowded(count))
        suite.run("whose: close_range() leaves a ghost", found("ranges", 1, "EP303"))
    suite.run("whose: dup2() fails after it has begun", overtaken_dup2)
    suite.run("whose: threads that add, close and are told", overlapping)
