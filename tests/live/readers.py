# SPDX-License-Identifier: Apache-2.0
"""Descriptors for which the kernel keeps no number that tells progress: only read() empties them, and a pidfd nothing.
A loop that ignores one of them spins; a loop that reads as fast as input comes does not."""
from harness import BUILD, Final, check, epaudit

READERS = str(BUILD / "tests/readers")
KINDS = ("inotify", "terminal", "netlink", "pidfd")


def ignored(kind):
    def test():
        outcome = epaudit("run", "--", READERS, kind, "ignore", "2.5")
        check(outcome.code == 1 and outcome.rules() == ["EP202"], outcome.describe())
        finding = outcome.report["findings"][0]
        check(finding["fd"]["kind"] == kind and finding["level"] == "confirmed", outcome.describe())
    return test


def read(kind):
    def test():
        outcome = epaudit("run", "--", READERS, kind, "read", "2")
        if outcome.report["findings"]:
            raise Final(outcome.describe())
        check(outcome.code == 0 and outcome.report["observation"]["complete"], outcome.describe())
    return test


def register(suite):
    for kind in KINDS:
        suite.run(f"readers: {kind} ignored", ignored(kind))
        suite.run(f"readers: {kind} read", read(kind))
