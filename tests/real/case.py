# SPDX-License-Identifier: Apache-2.0
"""A server under load, judged twice: attached to while it runs, with the patient defaults of `attach`, and from its
first instruction, with the strict ones of `run`."""
import dataclasses
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import tempfile
import threading
import typing

from paths import BUILD
from harness import EPAUDIT, Final, Started, check, end, epaudit, wait_for
from servers import answers

LOAD_SECONDS = 6
READY_SECONDS = 60  # RabbitMQ takes five of both CPUs
LEGS = ("attach", "run")
SPOKEN = ("likely", "confirmed")
ORDER = ("info", "risk", "likely", "confirmed")
BITS = {"LT": lambda m: not m & (1 << 31) and m & 0x1f, "ET": lambda m: m & (1 << 31), "ONESHOT": lambda m: m & (1 << 30),
        "EXCLUSIVE": lambda m: m & (1 << 28), "mask 0": lambda m: not m & 0x201f}


@dataclasses.dataclass
class Site:
    """One server, ready to be started."""
    words: list
    port: int
    directory: str
    pid: int = 0
    ready: typing.Callable = None
    close: typing.Callable = lambda: None

    def is_ready(self):
        return self.ready() if self.ready else answers(self.port)


@dataclasses.dataclass
class Case:
    name: str
    lay: typing.Callable       # directory -> Site
    load: typing.Callable      # site, seconds
    about: str                 # the load, for the table
    version: typing.Callable   # -> text
    found: dict = dataclasses.field(default_factory=dict)   # rule -> lowest level at which it must be found
    hazard: tuple = ()         # rules that must be shown at risk or above when attached
    faulty: tuple = ()         # rules that may speak: it has the fault, but whether it shows in so short a time is chance
    least: int = 1000          # postings below which the load was none


def rules_listed():
    return json.loads(epaudit("rules", "--format", "json", json_report=False).out)["rules"]


def rules_known():
    return [rule["id"] for rule in rules_listed()]


def descendants(pid):
    found = [pid]
    for one in found:
        try:
            for task in pathlib.Path(f"/proc/{one}/task").glob("*/children"):
                found += [int(word) for word in task.read_text().split()]
        except OSError:
            pass  # it has ended
    return found


def command_of(pid):
    """The child of an epaudit that is none of its own helpers."""
    for child in descendants(pid)[1:]:
        if os.readlink(f"/proc/{child}/exe") != os.path.realpath(EPAUDIT):
            return child
    raise AssertionError(f"epaudit {pid} has no command")


def registrations_of(pid):
    """What /proc says about the registrations of a process and its children: kind -> how many."""
    seen = dict.fromkeys(BITS, 0)
    sets = set()
    for one in descendants(pid):
        for info in pathlib.Path(f"/proc/{one}/fdinfo").glob("*"):
            try:
                text = info.read_text()
            except OSError:
                continue  # closed meanwhile
            masks = [int(word, 16) for word in re.findall(r"^tfd:.*events:\s*([0-9a-f]+)", text, re.M)]
            if masks:
                sets.add((one, info.name))
            for name, has in BITS.items():
                seen[name] += sum(bool(has(mask)) for mask in masks)
    return {**seen, "epolls": len(sets)}


class Witness:
    """Looks at /proc while the load runs, and keeps the most of each kind that was seen."""

    def __init__(self, pid):
        self.pid, self.most, self.over = pid, {}, threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.over.wait(0.5):
            for name, count in registrations_of(self.pid).items():
                self.most[name] = max(self.most.get(name, 0), count)

    def close(self):
        self.over.set()
        self.thread.join()
        return self.most


def server_log(site):
    return pathlib.Path(site.directory, "log").read_text(errors="replace")[-600:]


def attached(case, site, words):
    with open(os.path.join(site.directory, "log"), "wb") as log:
        server = subprocess.Popen(site.words, cwd=site.directory, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            wait_for(lambda: site.is_ready() or server.poll() is not None, READY_SECONDS, site.words[0] + " to listen")
            check(server.poll() is None, f"{site.words[0]} ended: {server_log(site)}")
            site.pid = server.pid
            tool = Started("attach", "--follow-forks", "--budget", "none", *words, "-p", server.pid)
            witness = Witness(server.pid)
            try:
                case.load(site, LOAD_SECONDS)
            except Exception as error:
                check(server.poll() is None, f"{site.words[0]} ended under load ({error}): {server_log(site)}")
                raise
            finally:
                seen = witness.close()
                outcome = tool.interrupt()
            check(server.poll() is None, f"{site.words[0]} did not survive: {server_log(site)}")
        finally:
            end(server)
    return outcome, seen


def from_birth(case, site, words):
    # Into a file: a server that talks much would fill the pipe that nobody reads yet, and sleep in write().
    tool = Started("run", *words, "--", "sh", "-c", 'exec "$@" >log 2>&1', "sh", *site.words, cwd=site.directory)
    witness = None
    try:
        wait_for(lambda: site.is_ready() or tool.process.poll() is not None, READY_SECONDS, site.words[0] + " to listen")
        check(tool.process.poll() is None, f"{site.words[0]} ended under `run`: {server_log(site)}")
        site.pid = command_of(tool.process.pid)
        witness = Witness(site.pid)
        case.load(site, LOAD_SECONDS)
    finally:
        seen = witness.close() if witness else {}
        outcome = tool.interrupt()
    return outcome, seen


def highest(outcome):
    levels = {}
    for finding in outcome.report["findings"]:
        best = max(levels.get(finding["rule"], "info"), finding["level"], key=ORDER.index)
        levels[finding["rule"]] = best
    return levels


def judge(case, leg, outcome, known):
    """Nothing at or above likely but the faults this server has; and those must be there."""
    check(outcome.report is not None, outcome.describe())
    observation = outcome.report["observation"]
    check(observation["complete"], f"incomplete: {observation}")
    check(observation["postings"] >= case.least, f"only {observation['postings']} postings: {observation}")
    wanted = {rule: level for rule, level in case.found.items() if rule in known}
    levels = highest(outcome)
    spoken = {rule for rule, level in levels.items() if level in SPOKEN}
    extra = sorted(spoken - set(wanted) - set(case.faulty))
    if extra:
        raise Final(f"{', '.join(extra)} speaks out of turn: {talk(outcome, extra)}")
    for rule, least in wanted.items():
        check(ORDER.index(levels.get(rule, "info")) >= ORDER.index(least),
              f"{rule} should be found, {least} at least: {outcome.describe()}")
    for rule in case.hazard if leg == "attach" else ():
        check(levels.get(rule) in ORDER[1:], f"{rule} should be shown as a risk: {outcome.describe()}")
    check(outcome.code == (1 if spoken else 0), f"wrong exit code: {outcome.describe()}")


def talk(outcome, rules):
    """What those rules said, in full: this is what somebody will have to understand."""
    return json.dumps([{key: finding[key] for key in ("rule", "level", "summary", "shape", "process", "fd", "count", "cost",
                                                      "facts", "evidence")}
                       for finding in outcome.report["findings"] if finding["rule"] in rules][:3])


def run_leg(case, leg, words, known, results):
    """`words`: more options of epaudit."""
    with tempfile.TemporaryDirectory(prefix="epaudit-real-") as directory:
        os.chmod(directory, 0o755)  # servers drop privileges
        site = case.lay(directory)
        try:
            outcome, seen = (attached if leg == "attach" else from_birth)(case, site, words)
        finally:
            site.close()
    record = results.setdefault(case.name, {"about": case.about, "version": case.version(), "legs": {}})
    if outcome.report is not None:
        keep(case, leg, outcome)
        record["legs"][leg] = {
            "levels": highest(outcome), "seen": seen, "postings": outcome.report["observation"]["postings"],
            "complete": outcome.report["observation"]["complete"],
            "why": {finding["rule"]: [finding["summary"], finding["facts"].get("possible explanation", "")]
                    for finding in outcome.report["findings"]}}
    judge(case, leg, outcome, known)


def keep(case, leg, outcome):
    """The whole report stays for whoever wants to know why."""
    folder = BUILD / "real/reports"
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", case.name.lower())
    (folder / f"{name}.{leg}.json").write_text(json.dumps(outcome.report, indent=1), encoding="utf-8")


def lower_fd_limit(pid, spare):
    """As a limit that is too small: room for so many more descriptors."""
    held = len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))
    numbers = [int(entry.name) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
    limit = max(held, max(numbers) + 1) + spare
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))
    return limit


def hang_up(pid):
    os.kill(pid, signal.SIGHUP)


def package_version(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${source:Upstream-Version}", package], capture_output=True, text=True)
    return done.stdout.strip() or "?"
