# SPDX-License-Identifier: Apache-2.0
"""A finding names the line of source: the guilty call of each demo, in JSON and text. The demos are built with
-O2 -g and without frame pointers; so is the C library."""
from harness import check, places


def guilty(outcome, rule, role, source):
    """The innermost frame in `source` of the first stack with this role."""
    for finding in outcome.report["findings"]:
        if finding["rule"] != rule:
            continue
        for stack in finding["evidence"]["stacks"]:
            if stack["what"] == role:
                check(all(frame["function"] or frame["module"] for frame in stack["frames"]), f"bare frame: {stack}")
                return next((frame for frame in stack["frames"] if frame["file"].endswith(source)), None), stack
    return None, [finding["evidence"]["stacks"] for finding in outcome.report["findings"]]


def verify(outcome, folder, twin="bug"):
    """Of a run from birth, by its JSON report and, where it wrote one, by its text."""
    source = f"demo_bugs/{folder.name}/{twin}.cpp"
    for rule, role, line in places(folder, twin):
        frame, seen = guilty(outcome, rule, role, source)
        check(frame, f"{rule}: no frame of {source} {role}; stacks: {seen}\n" + outcome.describe())
        check(frame["line"] == line, f"{rule} {role}: line {frame['line']}, expected {line}: {seen}")
        check(not outcome.out or f"{twin}.cpp:{line}" in outcome.out,
              f"{rule}: {twin}.cpp:{line} is not in the text report:\n{outcome.out}")
