# SPDX-License-Identifier: Apache-2.0
"""What a pass leaves, and who comes back for it: mistakes that get their one name, and programs that know what they left
(tests/live/left.cpp)."""
from harness import BUILD, SLEEPERS, found, quiet

LEFT = str(BUILD / "tests/left")
MISTAKES = {"messages": ("EP101", "likely"), "inner": ("EP101", "likely"), "refused": ("EP601", "confirmed")}
KNOWN = ("messages-read", "inner-fetched", "inner-lent", "room-for-one-more", "share", "one-table")


def register(suite):
    with suite.side_by_side(SLEEPERS):
        for role, (rule, level) in MISTAKES.items():
            suite.run(f"left {role}", found(LEFT, role, rule, level))
        for role in KNOWN:
            suite.run(f"left {role} is quiet", quiet(LEFT, role))
