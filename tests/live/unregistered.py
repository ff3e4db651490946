# SPDX-License-Identifier: Apache-2.0
"""Clients that wait in a socket which no epoll holds: forgotten, or looked after by somebody else (unregistered.cpp)."""
import pathlib
import tempfile

from harness import BUILD, SLEEPERS, check, epaudit, found, quiet

UNREGISTERED = str(BUILD / "tests/unregistered")
MISTAKES = {"forgotten": "likely", "many": "confirmed", "forgotten-end": "likely", "listener": "likely"}
RIGHT = ("idle", "queue", "turn", "upstream", "acceptor")


def replayed():
    """What was found is found again in the recording."""
    with tempfile.TemporaryDirectory() as directory:
        recording = pathlib.Path(directory) / "run.epaurec"
        epaudit("record", "-o", recording, "--profile", "test", "--", UNREGISTERED, "many")
        outcome = epaudit("replay", recording)
        check(outcome.rules(("confirmed",)) == ["EP106"], outcome.describe())


def register(suite):
    with suite.side_by_side(SLEEPERS):
        for role, level in MISTAKES.items():
            suite.run(f"unregistered {role}", found(UNREGISTERED, role, "EP106", level))
        for role in RIGHT:
            suite.run(f"unregistered {role} is quiet", quiet(UNREGISTERED, role))
        suite.run("unregistered many, recorded and replayed", replayed)
