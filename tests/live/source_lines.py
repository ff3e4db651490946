# SPDX-License-Identifier: Apache-2.0
"""A finding names the line of source: the guilty call of each demo, in JSON and text. The demos are built with
-O2 -g and without frame pointers; so is the C library."""
from demos import binary, folders
from harness import check, epaudit, places, serving


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


def verify(outcome, folder):
    """Of a run from birth, by its JSON report."""
    source = f"demo_bugs/{folder.name}/bug.cpp"
    for rule, role, line in places(folder, "bug"):
        frame, seen = guilty(outcome, rule, role, source)
        check(frame, f"{rule}: no frame of {source} {role}; stacks: {seen}\n" + outcome.describe())
        check(frame["line"] == line, f"{rule} {role}: line {frame['line']}, expected {line}: {seen}")


def run_test(folder):
    def test():
        outcome = epaudit("run", "--risks", "--format", "text", "--", binary(folder, "bug"))
        verify(outcome, folder)
        for rule, _, line in places(folder, "bug"):
            check(f"bug.cpp:{line}" in outcome.out, f"{rule}: bug.cpp:{line} is not in the text report:\n{outcome.out}")
    return test


def attach_test(folder):
    """Calls made before we attached are not seen, and the report says so instead of naming a place."""
    def test():
        with serving(binary(folder, "bug")) as server:
            outcome = epaudit("attach", "--format", "text", "--profile", "test", "--duration", "4", "-p", server.pid)
        stacks = [stack for finding in outcome.report["findings"] for stack in finding["evidence"]["stacks"]]
        check(any(stack["what"].startswith("armed before epaudit attached") for stack in stacks), f"stacks: {stacks}")
        waits = [stack for stack in stacks if stack["what"] == "waits here"]
        check(any("bug.cpp" in frame["file"] for stack in waits for frame in stack["frames"]), f"stacks: {stacks}")
    return test


def off_test(folder):
    def test():
        outcome = epaudit("run", "--stack-bytes", "0", "--", binary(folder, "bug"))
        check(outcome.report["findings"], outcome.describe())
        check(not any(f["evidence"]["stacks"] for f in outcome.report["findings"]), "stacks though they are off")
    return test


def register(suite):
    for folder in folders():
        if places(folder, "bug"):
            suite.run(f"lines {folder.name}", run_test(folder))
        if folder.name == "busy-epollout":
            suite.run(f"lines {folder.name} attached", attach_test(folder))
            suite.run(f"lines {folder.name} off", off_test(folder))
