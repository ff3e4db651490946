# SPDX-License-Identifier: Apache-2.0
"""What looks like a server that does not do its work: it is stopped, frozen, starved; and what truly is one that sleeps.
Wake-ups that reach one thread are no herd, and a program that closes what it inherited holds nothing."""
import contextlib
import os
import pathlib

from harness import BUILD, SLEEPERS, Skip, check, epaudit, nothing_found

STOPS = str(BUILD / "tests/stops")


def mount_of(kind, controller=None):
    """Where a cgroup hierarchy is mounted: v2, or the v1 one of `controller`."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, place, what, options, *_ = line.split()
        if what == kind and (controller is None or controller in options.split(",")):
            return pathlib.Path(place)
    raise Skip(f"no {kind}{' ' + controller if controller else ''} is mounted")


@contextlib.contextmanager
def group(kind, controller=None):
    """A cgroup for one test; by its end nobody is in it any more."""
    directory = mount_of(kind, controller) / f"epaudit-test-{os.getpid()}"
    try:
        directory.mkdir()
    except OSError as error:
        raise Skip(f"{directory}: {error.strerror}") from None
    try:
        yield directory
    finally:
        directory.rmdir()


def observe(*words, **more):
    outcome = epaudit("run", "--", STOPS, *map(str, words), **more)
    check(outcome.report and outcome.report["observation"]["complete"], outcome.describe())
    return outcome


def quiet(*words):
    nothing_found(observe(*words))


def frozen(how, kind, controller=None):
    def test():
        with group(kind, controller) as directory:
            quiet(how, directory)
    return test


def starved():
    """No finding, and the delay is named."""
    with group("cgroup", "cpu") as directory:
        (directory / "cpu.cfs_period_us").write_text("300000")
        (directory / "cpu.cfs_quota_us").write_text("5000")
        outcome = observe("starve", directory)
    check(outcome.code == 0, outcome.describe())
    found = [(f["rule"], f["level"]) for f in outcome.report["findings"]]
    check(found == [("EP404", "info")], outcome.describe())
    cost = dict(outcome.report["findings"][0]["cost"])
    check(cost["longest_run_queue_delay_s"] >= 0.1, f"{cost}")


def one_client_waits():
    outcome = observe("nap", 5)
    check(outcome.code == 1 and outcome.rules() == ["EP404"], outcome.describe())
    finding = outcome.report["findings"][0]
    check("1 client was ready" in finding["summary"] and "blocked in clock_nanosleep" in finding["summary"], finding["summary"])


def register(suite):
    with suite.side_by_side(SLEEPERS):
        suite.run("stops: SIGSTOP is not a sleep", lambda: quiet("signal"))
        suite.run("stops: a debugger's stop is not a sleep", lambda: quiet("ptrace"))
        suite.run("stops: a frozen cgroup (v2) is not asleep", frozen("freeze2", "cgroup2"))
        suite.run("stops: a frozen cgroup (v1) is not asleep", frozen("freeze1", "cgroup", "freezer"))
        suite.run("stops: one client waits for a sleeping handler", one_client_waits)
        suite.run("stops: inherited, and closed right after exec", lambda: quiet("lend"))
    suite.run("stops: a starved server is not at fault", starved)
    suite.run("stops: pollers that hand accept() over", lambda: quiet("relay", 4000))
    suite.run("stops: wake-ups asked for by epoll_ctl(MOD)", lambda: quiet("ring", 4000))
