# SPDX-License-Identifier: Apache-2.0
"""What a guest is asked to do, and what must come of it. The guest only reports; everything is judged here."""
import dataclasses
import json
import re
import typing

import demos
import servers
from harness import Outcome, Skip, check, expectations

CONFIG = servers.NGINX.format(dir="/srv", port=8080, user="user root;")
ATTACHED = ("busy-epollout", "et-read-not-drained")
PATIENCE = "--seconds 9"  # for demos whose harm takes seconds to show: guests are slow to get going
QUICK = ("thundering-herd",)
LEAST_POSTINGS = 1000  # of a server under load; guests are slow
SPLAT = re.compile(r"\bOops\b|BUG:|WARNING:|general protection|Call Trace|Kernel panic|kernel BUG|detected stalls|"
                   r"refcount_t|corruption|double fault|blocked for more than|UBSAN|KASAN")
# Lines of a healthy kernel that look like splats.
HARMLESS = re.compile(r"Spectre V2 : WARNING: Unprivileged eBPF|ommand line:")


@dataclasses.dataclass(frozen=True)
class Case:
    """`kind`, `name` and `words` make a line of the guest's plan; `judge` raises what is wrong."""
    kind: str
    name: str
    words: str
    judge: typing.Callable
    busy: bool = False  # spins: how often depends on the machine's speed

    def plan(self):
        return f"{self.kind} {self.name} {self.words}".rstrip()


def outcome(record):
    report = None
    if "report" in record.parts:
        try:
            report = json.loads(record.text("report"))
        except ValueError as error:
            raise AssertionError(f"the report is not JSON: {error}") from error
    check(record.exit is not None, "epaudit left no exit code")
    check(record.exit not in (137, 143), f"no end in sight, killed after {record.seconds:.0f} s: {record.text('err')[-400:]}")
    return Outcome(record.exit, report, record.text("out"), record.text("err"), record.seconds)


def cannot_see(report, rule):
    """Why this kernel and hook set do not allow the rule, or None."""
    for covered in (report or {}).get("coverage", []):
        if covered["rule"] == rule and covered["status"] == "unavailable":
            return covered["reason"]
    return None


def demo(folder, twin):
    expected = expectations(folder, twin)

    def judge(record):
        result = outcome(record)
        for rule, _ in expected:
            reason = cannot_see(result.report, rule)
            if reason:
                raise Skip(f"{rule}: {reason}")
        check(result.report is None or result.report["observation"]["hooks"].startswith(record.hooks),
              "another hook set: " + result.describe())
        demos.verify(result, expected)
        for finding in result.report["findings"]:
            if finding["level"] in ("likely", "confirmed"):
                demos.verify_finding(finding)
    return judge


def quiet_twin(name):
    """One of the twins that ran together: nothing is said about it."""
    def judge(record):
        result = outcome(record)
        check(result.report is not None, result.describe())
        said = [(f["rule"], f["level"], f["summary"]) for f in result.report["findings"]
                if f["level"] in ("likely", "confirmed") and f["process"]["exe"] == f"/demo/{name}"]
        check(not said, f"{said} {result.report['observation']}")
    return judge


def together(number):
    """What is asked of all the quiet twins at once."""
    def judge(record):
        result = outcome(record)
        check(result.report is not None and result.code == 0 and result.rules() == [], result.describe())
        check(result.report["observation"]["complete"], "incomplete: " + str(result.report["observation"]))
        check(result.report["observation"]["epolls"] >= number, f"not all were seen: {result.report['observation']}")
    return judge


def refuses(code, text):
    """One clear line, the right exit code."""
    def judge(record):
        result = outcome(record)
        first = (result.err.splitlines() or [""])[0]
        check(result.code == code, f"exit {result.code}, not {code}: {result.err}")
        check(first.startswith("epaudit: ") and text in first, f"first line: {first!r}")
    return judge


def silent_server(record):
    result = outcome(record)
    check(result.report is not None, result.describe())
    check(result.code == 0 and result.rules() == [], result.describe())
    check(result.report["observation"]["complete"], "incomplete: " + str(result.report["observation"]))
    check(result.report["observation"]["postings"] >= LEAST_POSTINGS,
          f"hardly any load: {result.report['observation']}\n{record.text('log')}")


def no_problem(record):
    check(record.exit is not None and not record.parts.get("problem"), record.text("problem") + record.text("err"))


def skipped(reason):
    def judge(_):
        raise Skip(reason)
    return judge


def plan(missing, only=()):
    """All cases of one hook set, or those whose name holds a word of `only`. `missing`: programs that are not
    installed on the host."""
    cases = []
    for folder in demos.folders():
        spins = any(rule.startswith("EP2") for rule, _ in expectations(folder, "bug"))
        cases.append(Case("alone", f"run/{folder.name}/bug", "" if spins or folder.name in QUICK else PATIENCE, demo(folder, "bug"), spins))
    for folder in demos.folders():
        check(not expectations(folder, "fixed"), f"{folder.name}/fixed.cpp is not quiet")
        cases.append(Case("together", f"run/{folder.name}/fixed", "", quiet_twin(f"{folder.name}/fixed")))
    cases.append(Case("none", "together", "", together(len(demos.folders()))))
    for folder in demos.folders():
        if folder.name in ATTACHED:
            cases.append(Case("attach", f"attach/{folder.name}", "", demo(folder, "bug")))
    cases += [
        Case("redis", "redis", "", silent_server),
        Case("nginx", "nginx", "", silent_server),
        Case("capabilities", "capabilities", "busy-epollout", demo(demos.ROOT / "demo_bugs/busy-epollout", "bug")),
        Case("refuse", "no-such-pid", "attach -p 999999", refuses(3, "no process 999999")),
        Case("refuse", "missing-file", "run -- /no/such/program", refuses(2, "No such file")),
        Case("refuse", "no-epoll", "run -- true", refuses(3, "no epoll instance")),
        Case("refuse", "unknown-hooks", "run --hooks nonsense -- true", refuses(2, "nonsense")),
        Case("killed", "killed-tool", "", no_problem),
    ]
    needs = {"redis": {"redis-server", "redis-cli", "redis-benchmark"}, "nginx": {"nginx", "wrk"},
             "capabilities": {"setpriv"}}
    for number, case in enumerate(cases):
        absent = sorted(needs.get(case.kind, set()) & set(missing))
        if absent:
            cases[number] = dataclasses.replace(case, kind="skip", judge=skipped(", ".join(absent) + " not installed"))
    # The guest adds this one itself, when all others are over (and `together`, for all of that kind).
    cases.append(Case("none", "nothing-left", "", no_problem))
    if not only:
        return cases
    wanted = [case for case in cases if case.kind != "none" and any(word in case.name for word in only)]
    quiet = [case for case in wanted if case.kind == "together"]
    if quiet:
        wanted.append(Case("none", "together", "", together(len(quiet))))
    return [*wanted, cases[-1]]


def splats(log):
    return [line.strip() for line in log.splitlines() if SPLAT.search(line) and not HARMLESS.search(line)]
