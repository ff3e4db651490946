# SPDX-License-Identifier: Apache-2.0
"""Loops that answer what is reported by calls that fail or change nothing, and loops that serve what looks like nothing."""
import contextlib
import os
import shutil
import tempfile

from harness import BUILD, SPINNERS, Final, check, epaudit

PROGRAM = BUILD / "tests/answers"
# role -> the rules that may name it, and what the finding says it was answered by
SPINS = {
    "write_epipe": (("EP203", "EP204"), "write = EPIPE"),
    "read_enotconn": (("EP204",), "read = ENOTCONN"),
    "write_emsgsize": (("EP201",), "write = EMSGSIZE"),
    "connect_eisconn": (("EP201",), "connect = EISCONN"),
    "connect_enetunreach": (("EP204",), "connect = ENETUNREACH"),
    "read_einval": (("EP202",), "read = EINVAL"),
    "read_enotsock": (("EP202",), "read = ENOTSOCK"),
    "accept_einval": (("EP202",), "accept = EINVAL"),
    "shutdown_again": (("EP203",), None),
    "sendfile_epipe": (("EP204",), "write = EPIPE"),
    "read_nothing": (("EP202",), None),
    "writes_its_eventfd": (("EP202",), None),
}
SERVES = ("empty_datagrams", "empty_seqpackets", "discarded_datagrams", "refused_datagrams", "asks_by_accept")


@contextlib.contextmanager
def programs_named(roles):
    """A directory in which the program has each of these names: findings of one program are told together. Gives the
    command that runs all of them side by side."""
    with tempfile.TemporaryDirectory(prefix="epaudit-answers-") as directory:
        for role in roles:
            shutil.copy(PROGRAM, os.path.join(directory, role))
        yield lambda seconds: ["sh", "-c", "".join(f"{directory}/{role} {seconds} & " for role in roles) + "wait"]


def said_of(outcome, role):
    return [f for f in outcome.report["findings"]
            if f["level"] in ("likely", "confirmed") and f["process"]["exe"].endswith("/" + role)]


def judge_spins(outcome):
    check(outcome.code == 1, outcome.describe())
    for role, (rules, answer) in SPINS.items():
        found = said_of(outcome, role)
        if len(found) != 1 or found[0]["rule"] not in rules:
            raise Final(f"{role}: {[(f['rule'], f['level'], f['summary']) for f in found]}; {outcome.describe()[:2000]}")
        told = found[0]["facts"].get("answered by", "")
        check(told.startswith(f"{answer}, ") if answer else not told, f"{role} is answered by {told!r}, not by {answer}")
        if answer:
            times = int(told.split(", ")[1].split()[0])
            check(times >= found[0]["count"] * 0.9, f"{role}: {times} such answers to {found[0]['count']} returns")
            check(found[0]["shape"] == f"{answer} between returns", found[0]["shape"])


def spins_are_found():
    """Live, and once more from the recording."""
    with programs_named(SPINS) as command, tempfile.TemporaryDirectory() as directory:
        recording = os.path.join(directory, "recording")
        judge_spins(epaudit("record", "-o", recording, "--profile", "test", "--", *command(4)))
        judge_spins(epaudit("replay", "--profile", "test", recording))


def servers_are_silent():
    with programs_named(SERVES) as command:
        outcome = epaudit("run", "--", *command(3))
        if outcome.report["findings"] and outcome.rules():
            raise Final(outcome.describe())
        check(outcome.code == 0 and outcome.report["observation"]["postings"] > 10000, outcome.describe())


def a_lost_timeout_is_found():
    outcome = epaudit("run", "--", PROGRAM, "lost_timeout", 5)
    check(outcome.rules() == ["EP206"] and outcome.code == 1, outcome.describe())
    before = outcome.report["findings"][0]["facts"].get("before", "")
    check("waits with a timeout" in before, f"before: {before!r}")


def register(suite):
    with suite.side_by_side(SPINNERS):
        suite.run("answers: calls that fail or change nothing", spins_are_found)
        suite.run("answers: messages without bytes, errors taken", servers_are_silent)
        suite.run("answers: a loop that lost its timeout", a_lost_timeout_is_found)
