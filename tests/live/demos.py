# SPDX-License-Identifier: Apache-2.0
"""Each demo's `bug` yields exactly its rule, each `fixed` nothing, from birth and attached."""
from harness import BUILD, ROOT, Final, check, epaudit, expectations, serving

LEVELS = {"info": ("info",), "risk": ("risk",), "likely": ("likely", "confirmed"), "confirmed": ("confirmed",)}
ALARMS = ("likely", "confirmed")  # the others are told, and no reason to fail
LIMIT_SECONDS = 15


def folders():
    return sorted(p for p in (ROOT / "demo_bugs").iterdir() if (p / "bug.cpp").exists())


def servers():
    """Single servers: bugs as people write them, correct ones that look odd, and the ladder of correct ones."""
    return sorted(p for name in ("servers", "ladder") for p in (ROOT / "demo_bugs" / name).glob("*.cpp"))


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
        outcome = epaudit("run", "--", binary(folder, twin))
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
    for folder in folders():
        for twin in ("bug", "fixed"):
            suite.run(f"run {folder.name} {twin}", twin_test(folder, twin))
    for source in servers():
        suite.run(f"run {source.parent.name} {source.stem}", twin_test(source.parent, source.stem))
    for name in ("busy-epollout", "et-read-not-drained"):
        suite.run(f"attach {name} bug", attach_test(name))
    suite.run("spin is reported within 2 s", quick_test)
