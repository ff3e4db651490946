# SPDX-License-Identifier: Apache-2.0
"""Rare descriptors. Of some the kernel keeps no number that tells progress: only read() empties them, and a pidfd nothing;
multipath TCP keeps its numbers elsewhere. A loop that ignores one of them spins; a loop that reads as fast as input comes
does not."""
import pathlib

from harness import BUILD, SPINNERS, Skip, check, epaudit, nothing_found

READERS = str(BUILD / "tests/readers")
# What the program calls it -> what a report calls it.
KINDS = {"inotify": "inotify", "terminal": "terminal", "netlink": "netlink", "pidfd": "pidfd", "mptcp": "tcp",
         "mptcp-listener": "listener"}


def need(kind):
    switch = pathlib.Path("/proc/sys/net/mptcp/enabled")
    if kind.startswith("mptcp") and not (switch.exists() and switch.read_text().strip() == "1"):
        raise Skip("this kernel has no multipath TCP, or it is switched off (net.mptcp.enabled)")


def ignored(kind):
    def test():
        need(kind)
        outcome = epaudit("run", "--", READERS, kind, "ignore", "2.5")
        check(outcome.code == 1 and outcome.rules() == ["EP202"], outcome.describe())
        finding = outcome.report["findings"][0]
        check(finding["fd"]["kind"] == KINDS[kind] and finding["level"] == "confirmed", outcome.describe())
    return test


def read(kind):
    def test():
        need(kind)
        nothing_found(epaudit("run", "--", READERS, kind, "read", "2"))
    return test


def register(suite):
    with suite.side_by_side(SPINNERS):
        for kind in KINDS:
            suite.run(f"readers: {kind} ignored", ignored(kind))
            suite.run(f"readers: {kind} read", read(kind))
