# SPDX-License-Identifier: Apache-2.0
"""Each demo's `bug` yields exactly its rule, each `fixed` nothing, from birth and attached."""
import source_lines
from harness import BUILD, ROOT, SLEEPERS, SPINNERS, Final, check, epaudit, expectations, serving

LEVELS = {"info": ("info",), "risk": ("risk",), "likely": ("likely", "confirmed"), "confirmed": ("confirmed",)}
ALARMS = ("likely", "confirmed")  # the others are told, and no reason to fail
LIMIT_SECONDS = 15
# No spins by their rule, yet nothing to run beside others: both twins keep a CPU busy (ghost-registration: the bug).
BUSY = ("concurrent-handlers", "ghost-registration", "mixed-trigger-modes", "small-maxevents", "thundering-herd")


def folders():
    return sorted(p for p in (ROOT / "demo_bugs").iterdir() if (p / "bug.cpp").exists())


def servers(kind="servers"):
    """Single servers: bugs as people write them and correct ones that look odd; or the ladder of correct ones."""
    return sorted((ROOT / "demo_bugs" / kind).glob("*.cpp"))


def spins(folder, twin="bug"):
    return any(rule.startswith("EP2") for rule, _ in expectations(folder, twin))


def binary(folder, twin):
    return str(BUILD / "demo_bugs" / folder.name / twin)


def verify(outcome, expected):
    check(outcome.report is not None, "no report\n" + outcome.describe())
    alarms = sorted({rule for rule, level in expected if level in ALARMS})
    if set(outcome.rules()) - set(alarms):
        raise Final("out of turn: " + outcome.describe())
    check(outcome.rules() == alarms, "wrong rules: " + outcome.describe())
    for rule, level in expected:
        check(rule in outcome.rules(LEVELS[level]), f"{rule} below {level}: " + outcome.describe())
    check(outcome.code == (1 if alarms else 0), "wrong exit code: " + outcome.describe())
    check(outcome.report["observation"]["complete"], "incomplete: " + str(outcome.report["observation"]))


def verify_finding(finding, twin):
    check(finding["fingerprint"] and finding["fix"] and finding["summary"], f"bare finding {finding}")
    # A timeline is that of an fd; some findings are about a loop.
    check(finding["evidence"]["timeline"] or finding["fd"]["number"] is None, f"no timeline in {finding}")
    check(finding["process"]["exe"].endswith("/" + twin), f"wrong process in {finding}")
    check(finding["cost"], f"no cost in {finding}")


def twin_test(folder, twin):
    def test():
        expected = expectations(folder, twin)
        outcome = epaudit("run", "--risks", "--format", "text", "--", binary(folder, twin))
        verify(outcome, expected)
        check(outcome.seconds < LIMIT_SECONDS, f"took {outcome.seconds:.1f} s")
        for finding in outcome.report["findings"]:
            if finding["level"] in ALARMS or finding["rule"] in {rule for rule, _ in expected}:
                verify_finding(finding, twin)
        if folder.name == "ladder":  # what each rung costs is what the ladder is for
            work = outcome.report["observation"]["work"]
            check(work["requests"] >= 100, f"hardly any request: {work}")
            each = work["calls_per_request"]
            check(each["io"] >= 2 and sum(each.values()) < 20, f"a request is read and answered: {work}")
            print(f"      {sum(each.values()):.2f} system calls per request: {each}")
        source_lines.verify(outcome, folder, twin)
        if twin == "fixed":  # remarks below the gate are gone as well
            said = {f["rule"] for f in outcome.report["findings"]}
            cured = {rule for rule, level in expectations(folder, "bug") if level not in ALARMS}
            check(not said & cured, "still remarked upon: " + outcome.describe())
    return test


def attach_test(name):
    """Attached to a server that already misbehaves, as an engineer would."""
    def test():
        folder = ROOT / "demo_bugs" / name
        with serving(binary(folder, "bug")) as server:
            outcome = epaudit("attach", "--profile", "test", "--duration", "5", "-p", server.pid)
            verify(outcome, expectations(folder, "bug"))
    return test


def armed_before():
    """Calls made before we attached are not seen, and the report says so instead of naming a place."""
    with serving(binary(ROOT / "demo_bugs/busy-epollout", "bug")) as server:
        outcome = epaudit("attach", "--format", "text", "--profile", "test", "--duration", "4", "-p", server.pid)
    stacks = [stack for finding in outcome.report["findings"] for stack in finding["evidence"]["stacks"]]
    check(any(stack["what"].startswith("armed before epaudit attached") for stack in stacks), f"stacks: {stacks}")
    waits = [stack for stack in stacks if stack["what"] == "waits here"]
    check(any("bug.cpp" in frame["file"] for stack in waits for frame in stack["frames"]), f"stacks: {stacks}")


def stacks_off():
    outcome = epaudit("run", "--stack-bytes", "0", "--", binary(ROOT / "demo_bugs/busy-epollout", "bug"))
    check(outcome.report["findings"], outcome.describe())
    check(not any(f["evidence"]["stacks"] for f in outcome.report["findings"]), "stacks though they are off")


def quick_test():
    """A spin is reported within 2 s of its first futile return (the test profile asks for 1 s of it)."""
    folder = ROOT / "demo_bugs" / "unread-spin"
    outcome = epaudit("run", "--", binary(folder, "bug"))
    lines = [line for line in outcome.err.splitlines() if "EP202" in line and line.startswith("epaudit: ")]
    check(lines, "no notice on stderr: " + outcome.err)
    seconds = float(lines[0].split()[1])
    first_futile = 0.0  # the demo spins from its first request on, some ms after birth
    check(seconds - first_futile <= 2.0, f"reported after {seconds} s")


def register(suite):
    busy = [folder for folder in folders() if spins(folder) or folder.name in BUSY]
    with suite.side_by_side(SPINNERS):
        for folder in busy:
            suite.run(f"run {folder.name} bug", twin_test(folder, "bug"))
        for source in servers():
            if spins(source.parent, source.stem):
                suite.run(f"run servers {source.stem}", twin_test(source.parent, source.stem))
        for name in ("busy-epollout", "et-read-not-drained"):
            suite.run(f"attach {name} bug", attach_test(name))
        suite.run("attached: what was armed before", armed_before)
        suite.run("no stacks when they are off", stacks_off)
    with suite.side_by_side(SLEEPERS):
        for folder in folders():
            if folder not in busy:
                suite.run(f"run {folder.name} bug", twin_test(folder, "bug"))
            suite.run(f"run {folder.name} fixed", twin_test(folder, "fixed"))
        for source in servers():
            if not spins(source.parent, source.stem):
                suite.run(f"run servers {source.stem}", twin_test(source.parent, source.stem))
    for source in servers("ladder"):
        suite.run(f"run ladder {source.stem}", twin_test(source.parent, source.stem))
    suite.run("spin is reported within 2 s", quick_test)
