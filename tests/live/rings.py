# SPDX-License-Identifier: Apache-2.0
"""Interest lists and descriptors that io_uring changes: what it adds, re-arms, takes off and closes is known as if it had
been done by system calls."""
import pathlib

from harness import BUILD, SPINNERS, Skip, check, epaudit, names_the_guilty

RINGS = str(BUILD / "tests/rings")
OFF = pathlib.Path("/proc/sys/kernel/io_uring_disabled")


def audit(role):
    if OFF.exists() and OFF.read_text().strip() == "2":
        raise Skip("io_uring is switched off (kernel.io_uring_disabled)")
    outcome = epaudit("run", "--", RINGS, role)
    check(outcome.report["observation"]["complete"], outcome.describe())
    return outcome


def healthy(role, known=None):
    """Nothing is found, nothing is missing. `known`: what else the report must show, of its calls and registrations."""
    def test():
        outcome = audit(role)
        check(outcome.code == 0 and not outcome.report["findings"], outcome.describe())
        check(not known or known(outcome.report["observation"]), outcome.describe())
    return test


def found(role, rule):
    def test():
        names_the_guilty(audit(role), rule)
    return test


def register(suite):
    with suite.side_by_side(SPINNERS):
        suite.run("rings: EPOLLONESHOT re-armed by io_uring",
                  healthy("rearm", lambda seen: seen["calls"]["epoll_ctl"] >= seen["calls"]["epoll_wait"]))
        suite.run("rings: edge-triggered, added by io_uring", healthy("edges", lambda seen: seen["registrations"] == 1))
        suite.run("rings: sockets closed by io_uring",  # one end by the ring, the other by a system call
                  healthy("churn", lambda seen: seen["calls"]["close"] >= 2 * seen["calls"]["epoll_wait"]))
        suite.run("rings: taken off by io_uring", healthy("removed", lambda seen: seen["calls"]["epoll_ctl"] == 3))
        suite.run("rings: a spin on what io_uring added", found("spin", "EP202"))
        suite.run("rings: closed by io_uring, a duplicate lives on", found("ghost", "EP303"))
