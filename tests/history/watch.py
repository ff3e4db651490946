# SPDX-License-Identifier: Apache-2.0
"""Builds the programs of the museum, runs them and their twins, and has epaudit watch them in the four modes."""
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import threading
import time

from harness import EPAUDIT, SPEED
from programs import LEVELS, MODES

# A spin has a core (nearly) to itself: two side by side on two cores. Sleepers take one place of these.
PLACES = 6
SPIN_PLACES = 3
SYMPTOM_AGE = 2.0  # attach comes when the trouble has been there for so long
EXCERPT_LINES = 200
BUILDERS = {".c": "cc", ".go": "go", ".rs": "rustc", ".java": "javac"}
READERS = {".py": "python3", ".js": "node"}


@dataclasses.dataclass
class OneOutcome:
    what: str
    kind: str  # passed, failed, skipped, missed
    said: str
    accuses: bool = False  # failed, because something is said of a program that does not have that fault


def loud(verdict):
    """Whether a verdict accuses: likely or above."""
    return "likely" in verdict or "confirmed" in verdict


class Places:
    """So many at once, by weight, in the order of asking: a heavy one is not starved by light ones."""

    def __init__(self, total):
        self.free, self.queue, self.turn = total, [], threading.Condition()

    @contextlib.contextmanager
    def take(self, places):
        with self.turn:
            me = object()
            self.queue.append(me)
            self.turn.wait_for(lambda: self.queue[0] is me and self.free >= places)
            self.queue.pop(0)
            self.free -= places
            self.turn.notify_all()
        try:
            yield
        finally:
            with self.turn:
                self.free += places
                self.turn.notify_all()


def end_group(process):
    """A program of the museum and all that it started are one process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Watcher:
    def __init__(self, folder):
        self.folder, self.places = folder, Places(PLACES)

    def build(self, program, twin):
        """The command that runs it."""
        source, suffix = program.path, program.path.suffix
        if suffix in READERS:
            return [READERS[suffix], str(source)]
        # Bug and twin are built at the same time, and rustc names what it leaves beside its target by the source alone.
        target = self.folder / twin / f"{program.name}{suffix}-built"
        target.parent.mkdir(exist_ok=True)
        if not target.exists() or target.stat().st_mtime < max(p.stat().st_mtime for p in (source, source.parent / "museum.h")):
            made = {
                ".c": ["cc", "-O1", "-g", "-Wall", "-Wextra", "-pthread", *(["-DFIXED"] if twin == "fixed" else []), "-o", target, source],
                ".go": ["go", "build", "-o", target, source],
                ".rs": ["rustc", "-O", "-g", "--edition", "2021", "-o", target, source],
                ".java": ["javac", "-d", target, source],
            }[suffix]
            done = subprocess.run(made, capture_output=True, text=True, timeout=180 * SPEED)
            if done.returncode or (suffix == ".c" and done.stderr):
                raise RuntimeError(f"does not build: {done.stderr[-800:]}")
            os.utime(target)
        return ["java", "-XX:+UseSerialGC", "-cp", str(target), "Program"] if suffix == ".java" else [str(target)]

    def program(self, program, modes):
        """All that is to be seen of one: name, seconds, outcomes, verdicts by twin and mode."""
        outcomes, result = [], {}
        with self.places.take(1 if program.idle else SPIN_PLACES):
            start = time.monotonic()
            tool = BUILDERS.get(program.path.suffix) or READERS[program.path.suffix]
            if shutil.which(tool) is None:
                return program.name, 0, [OneOutcome("both", "skipped", f"there is no {tool} here")], None
            # The twin sleeps while its bug spins: they go side by side.
            with concurrent.futures.ThreadPoolExecutor(2) as pair:
                jobs = {twin: pair.submit(self.watch, program, twin, modes) for twin in ("bug", "fixed")}
            for twin, job in jobs.items():
                result[twin] = {}
                if job.exception():  # one broken program must not take the others down
                    outcomes.append(OneOutcome(twin, "failed", f"{type(job.exception()).__name__}: {job.exception()}"))
                    continue
                for mode, report in job.result().items():
                    result[twin][mode] = verdict(report)
                    outcomes.append(judge(program, twin, mode, report))
        return program.name, time.monotonic() - start, outcomes, result

    def watch(self, program, twin, modes):
        command = self.build(program, twin)
        base = self.folder / f"{program.name}{program.path.suffix}.{twin}"
        env = {**os.environ, "FIXED": "1" if twin == "fixed" else ""}
        reports = {}
        if "run" in modes:
            seconds, options = program.watched["run"]
            reports["run"] = self.audit(f"{base}.run", ["run", "--profile", "test", "--duration", seconds * SPEED, *options, "--", *command], env)
        if "attach" in modes:
            reports["attach"] = self.attach(program, f"{base}.attach", command, env)
        if "log" in modes or "excerpt" in modes:
            whole, cut = self.logs(program, base, command, env)
            for mode, log in (("log", whole), ("excerpt", cut)):
                if mode in modes:
                    options = program.watched["log"][1]
                    reports[mode] = self.audit(f"{base}.{mode}", ["strace", "--profile", "test", *options, log], env)
        return reports

    def audit(self, path, words, env):
        """A report, and a word about how it went wrong if there is none."""
        report = f"{path}.json"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(report)
        words = [EPAUDIT, words[0], "--no-config", "--format", f"json={report}", *map(str, words[1:])]
        with open(f"{path}.err", "w", encoding="utf-8") as err:
            process = subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, start_new_session=True)
            try:
                code = process.wait(90 * SPEED)
            finally:
                end_group(process)
        # An excerpt without any epoll call: nothing to audit, and no report.
        if not os.path.exists(report) and code == 3 and words[1] == "strace":
            return {"findings": [], "verdict": {"state": "not-observed"}}
        if not os.path.exists(report):
            with open(f"{path}.err", encoding="utf-8") as err:
                raise RuntimeError(f"epaudit {words[1]}: exit {code}, no report: {err.read()[-600:]}")
        with open(report, encoding="utf-8") as file:
            return json.load(file)

    def attach(self, program, path, command, env):
        seconds, options = program.watched["attach"]
        victim = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  start_new_session=True)
        try:
            # Not to synchronise: that the trouble is old when epaudit comes is what this mode is about.
            time.sleep((program.begins + SYMPTOM_AGE) * SPEED)
            if victim.poll() is not None:
                raise RuntimeError(f"the program ended by itself, status {victim.returncode}")
            words = ["attach", "-p", victim.pid, "--follow-forks", "--profile", "production", "--budget", "none", "--duration",
                     seconds * SPEED, *options]
            report = self.audit(path, words, env)
            if victim.poll() is not None:
                raise RuntimeError(f"the program ended while it was watched, status {victim.returncode}")
            return report
        finally:
            end_group(victim)

    def logs(self, program, base, command, env):
        """A whole strace log, and lines from its middle."""
        whole, cut = f"{base}.log", f"{base}.excerpt.log"
        traced = subprocess.Popen(["strace", "-f", "-tt", "-T", "-yy", "-o", whole, *command], env=env, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            time.sleep((program.begins + program.watched["log"][0]) * SPEED)
        finally:
            end_group(traced)
        with open(whole, encoding="utf-8", errors="replace") as file:
            lines = file.readlines()
        if not lines:
            raise RuntimeError("strace wrote nothing")
        first = max(0, len(lines) // 2 - EXCERPT_LINES // 2)
        with open(cut, "w", encoding="utf-8") as file:
            file.writelines(lines[first:first + EXCERPT_LINES])
        return whole, cut


def findings(report):
    """The highest level of each rule."""
    found = {}
    for finding in report["findings"]:
        rank = LEVELS.index(finding["level"])
        found[finding["name"]] = max(found.get(finding["name"], 0), rank)
    return found


def verdict(report):
    """As it is kept: rules and levels, the loudest first; what epaudit says of itself when it saw nothing."""
    found = sorted(findings(report).items(), key=lambda item: (-item[1], item[0]))
    if not found:
        state = report["verdict"]["state"]
        return "silent" if state == "clean" else f"silent ({state})"
    return ", ".join(f"{name} {LEVELS[rank]}" for name, rank in found)


def judge(program, twin, mode, report):
    found, said = findings(report), verdict(report)
    likely = LEVELS.index("likely")
    accused = {name for name, rank in found.items() if rank >= likely}
    what = mode if twin == "bug" else f"{mode} (twin)"
    if twin == "fixed":
        unknown = {name for name in accused if (name, mode) not in program.twin_also}
        if unknown:
            return OneOutcome(what, "failed", f"the repaired twin must be silent, and epaudit says {said}", True)
        if accused:
            return OneOutcome(what, "missed", f"says {said}: {program.twin_also[sorted(accused)[0], mode]}")
        return OneOutcome(what, "passed", said)
    want = program.expect[mode]
    wrong = {name for name in accused if name != want.rule and (name, mode) not in program.also}
    if wrong:
        return OneOutcome(what, "failed", f"wanted {want.rule or 'nothing'}, and epaudit says {said}", True)
    if not want.rule:
        return OneOutcome(what, "passed", said)
    met = want.rule in found and found[want.rule] >= LEVELS.index(want.level)
    if want.missed:
        if met:
            return OneOutcome(what, "failed", f"is seen now ({said}): no longer missed, change the expectation")
        return OneOutcome(what, "missed", f"wanted {want.rule} {want.level}, says {said}: {want.reason}")
    if not met:
        return OneOutcome(what, "failed", f"wanted {want.rule} {want.level}, and epaudit says {said}")
    return OneOutcome(what, "passed", said)
