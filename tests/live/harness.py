# SPDX-License-Identifier: Apache-2.0
"""What all live tests share: running epaudit as a user would, and keeping count."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("EPAUDIT_BUILD", ROOT / "build"))
EPAUDIT = str(BUILD / "epaudit")
# So many tests at once: of those that mostly wait, and of those whose programs keep a core busy.
SLEEPERS, SPINNERS = 5, 3
SPEED = float(os.environ.get("EPAUDIT_SLOWNESS", "1"))  # VMs: how much slower than the development machine

for name in ("SUDO_UID", "SUDO_GID"):  # what tests start runs as they do, also under sudo
    os.environ.pop(name, None)

# Runs a command as nobody, with the two capabilities that README promises are enough.
NOBODY_WITH_TWO = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", "-all,+bpf,+perfmon",
                   "--ambient-caps", "-all,+bpf,+perfmon", "--bounding-set", "-all,+bpf,+perfmon"]


class Skip(Exception):
    """The kernel or the machine truly refuses; the text says why."""


class Final(AssertionError):
    """A failure that no second try may hide."""


class Outcome:
    """One finished run of epaudit: exit code, JSON report (None when there is none), both outputs."""

    def __init__(self, code, report, out, err, seconds):
        self.code, self.report, self.out, self.err, self.seconds = code, report, out, err, seconds

    def rules(self, levels=("confirmed", "likely")):
        return sorted({f["rule"] for f in self.report["findings"] if f["level"] in levels})

    def accused(self):
        """(rule, number of the fd) of what is more than a risk."""
        return [(f["rule"], f["fd"]["number"]) for f in (self.report or {}).get("findings", []) if f["level"] != "risk"]

    def guilty(self):
        """The descriptor that the watched program itself said it was; None: it named none."""
        said = re.search(r"guilty (\d+)", self.out)
        return int(said[1]) if said else None

    def describe(self):
        findings = [(f["rule"], f["level"], f["summary"]) for f in (self.report or {"findings": []})["findings"]]
        observed = (self.report or {}).get("observation")
        return f"exit {self.code}, findings {findings}, observation {observed}\nstderr: {self.err[-1500:]}"


def epaudit(*arguments, timeout=60, json_report=True, env=None, prefix=(), stdin=subprocess.DEVNULL,
            program=EPAUDIT):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "report.json")
        words = list(arguments)
        if json_report:
            words[1:1] = ["--format", "json=" + path]
        start = time.monotonic()
        done = subprocess.run([*prefix, program, *map(str, words)], capture_output=True, timeout=timeout * SPEED,
                              env=env, stdin=stdin)
        seconds = time.monotonic() - start
        report = None
        if json_report and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                report = json.load(file)
        return Outcome(done.returncode, report, done.stdout.decode(errors="replace"),
                       done.stderr.decode(errors="replace"), seconds)


class Started:
    """epaudit attached in the background, hooks on (known by its ready file, not by sleeping)."""

    def __init__(self, *arguments, cwd=None):
        self.directory = tempfile.mkdtemp(prefix="epaudit-")
        self.path = os.path.join(self.directory, "report.json")
        ready = os.path.join(self.directory, "ready")
        words = [arguments[0], "--format", "json=" + self.path, "--ready-file", ready, *map(str, arguments[1:])]
        self.process = subprocess.Popen([EPAUDIT, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL, cwd=cwd)
        wait_for(lambda: os.path.exists(ready) or self.process.poll() is not None, 30, "hooks on")

    def finish(self, timeout=60):
        out, err = self.process.communicate(timeout=timeout * SPEED)
        report = None
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                report = json.load(file)
        shutil.rmtree(self.directory, ignore_errors=True)
        return Outcome(self.process.returncode, report, out.decode(errors="replace"), err.decode(errors="replace"), 0)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.finish()


@contextlib.contextmanager
def serving(path, seconds=60):
    """A demo, once it serves; it ends with the block."""
    with tempfile.TemporaryDirectory() as directory:
        ready = os.path.join(directory, "ready")
        server = subprocess.Popen([path, "--seconds", str(seconds), "--ready-file", ready], stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: os.path.exists(ready) or server.poll() is not None, 10, f"{path} to serve")
            yield server
        finally:
            server.kill()
            server.wait()


def end(process):
    """As a service manager does it."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(condition, seconds, what):
    """Polls until the condition holds; a bound, not a synchronising sleep."""
    deadline = time.monotonic() + seconds * SPEED
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for: {what}")
        time.sleep(0.01)


@contextlib.contextmanager
def bpf_stats():
    """The kernel notes how long programs run, and how often."""
    switch = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
    before = switch.read_text()
    switch.write_text("1")
    try:
        yield
    finally:
        switch.write_text(before)


def read_to_end(terminal):
    """All that is written to a pseudo-terminal, until the last who has it open has ended."""
    seen = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # EIO: nobody has it
            return seen
        if not piece:
            return seen
        seen += piece


def programs():
    """Ids of all BPF programs in the kernel."""
    listing = subprocess.run(["bpftool", "--json", "prog", "show"], capture_output=True, check=True)
    return {program["id"] for program in json.loads(listing.stdout or b"[]")}


def fdinfo_of(pid):
    """What the kernel says of each descriptor; a process opens files in /proc all the time, and closes them meanwhile."""
    for entry in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            yield entry.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue


def programs_of(pid):
    """Ids of those that a process holds open."""
    return {int(found) for text in fdinfo_of(pid) for found in re.findall(r"^prog_id:\s*(\d+)", text, re.M)}


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def nothing_found(outcome):
    """Not even a risk; and nothing was missed."""
    if outcome.report["findings"]:
        raise Final(outcome.describe())
    check(outcome.code == 0 and outcome.report["observation"]["complete"], outcome.describe())


def names_the_guilty(outcome, rule):
    """Just this rule speaks, of the descriptor that the program itself said it was; and nothing was missed."""
    alarms, guilty = outcome.accused(), outcome.guilty()
    check(guilty is not None, outcome.describe())
    check(outcome.code == 1 and alarms == [(rule, guilty)], f"{alarms}, guilty {guilty}: {outcome.describe()}")
    check(outcome.report["observation"]["complete"], outcome.describe())


def found(program, role, rule, level):
    """A test: of this role just this rule speaks, and at this level."""
    def test():
        outcome = epaudit("run", "--", program, role)
        check(outcome.rules() == [rule] and rule in outcome.rules((level,)), outcome.describe())
        check(outcome.code == 1 and outcome.report["observation"]["complete"], outcome.describe())
    return test


def quiet(program, role):
    """A test: of this role no rule speaks, at likely or more."""
    def test():
        outcome = epaudit("run", "--", program, role)
        if outcome.rules():
            raise Final(outcome.describe())
        check(outcome.code == 0 and outcome.report["observation"]["complete"], outcome.describe())
    return test


def expectations(folder, twin):
    """Reads `// expect: EP201 confirmed` (or none) from the demo's source."""
    text = (folder / f"{twin}.cpp").read_text(encoding="utf-8")
    found = re.findall(r"//\s*expect:\s*(?:(none)|(EP\d{3})\s+(confirmed|likely|risk|info))", text)
    check(found, f"{folder.name}/{twin}.cpp has no expectation comment")
    return [(rule, level) for none, rule, level in found if not none]


def places(folder, twin):
    """(rule, role, line) of each `// expect: EP201 confirmed, armed here`: a comment alone speaks of the next line."""
    found = []
    lines = (folder / f"{twin}.cpp").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        match = re.search(r"//\s*expect:\s*(EP\d{3})\s+\w+,\s*([a-z ]+ (?:here|in))", line)
        if match:
            found.append((match[1], match[2], number + line.lstrip().startswith("//")))
    return found


def attempt(test):
    """What became of it, and in words; a test returns what else is worth saying."""
    try:
        said = test()
    except Skip as reason:
        return "skipped", f"SKIPPED: {reason}"
    except Final as error:
        return "final", f"FAILED: {error}"
    except AssertionError as error:
        return "failed", "FAILED: " + (str(error) or type(error).__name__)
    except Exception as error:  # a failing test must not take the others down
        return "failed", f"FAILED: {error}\n{traceback.format_exc()}"
    return "passed", f"ok ({said})" if said else "ok"


class Suite:
    """Counts tests and prints a line for each; tests may run side by side in threads."""

    def __init__(self, only, label="live"):
        self.only, self.label = only, label
        self.passed, self.failed, self.skipped = 0, 0, 0
        self.lock = threading.Lock()
        self.pool, self.at_once, self.beside = None, 0, False

    @contextlib.contextmanager
    def side_by_side(self, how_many):
        """Tests of this block do not mind others: so many run at once. Its last ones go on beside the first of the next block
        of as many; a test that runs alone waits for all of them."""
        if self.at_once != how_many:
            self.wait_for_all()
            self.pool, self.at_once = concurrent.futures.ThreadPoolExecutor(how_many), how_many
        self.beside = True
        try:
            yield
        finally:
            self.beside = False

    def wait_for_all(self):
        if self.pool:
            self.pool.shutdown()
        self.pool, self.at_once = None, 0

    def run(self, name, test):
        if self.only and not any(word in name for word in self.only):
            return
        if self.beside:
            self.pool.submit(self.judge, name, test)
        else:
            self.wait_for_all()
            self.judge(name, test)

    def judge(self, name, test):
        """What two programs do to one another in a few seconds may go another way once: a failure is tried again, and
        said. What must never be, a rule that speaks out of turn, is not (Final)."""
        start = time.monotonic()
        kind, verdict = attempt(test)
        if kind == "failed":
            first = verdict
            kind, verdict = attempt(test)
            if kind != "failed":
                verdict += f" at the second try; the first: {first[:400]}"
        with self.lock:
            self.passed += kind == "passed"
            self.failed += kind in ("failed", "final")
            self.skipped += kind == "skipped"
            print(f"{self.label}  {name:<52} {time.monotonic() - start:5.1f} s  {verdict}", flush=True)

    def close(self):
        self.wait_for_all()
        print(f"{self.label}: {self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        sys.exit(1 if self.failed else 0)
