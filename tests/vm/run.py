#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""epaudit on real kernels: boots Debian's 5.10, 6.1, 6.12 and newest cloud kernels under QEMU and runs every
demo twin, real servers and bad input there, under every hook set; and a few cases on its PREEMPT_RT kernels. Needs no root.

    run.py [KERNEL...]      5.10, 6.1, 6.12, newest (or its number), 5.10-rt, 6.1-rt, 6.12-rt;
                            default: all
"""
import argparse
import concurrent.futures
import datetime
import fcntl
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "live"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import agreement
import cases
import initramfs
import kernels
from harness import BUILD, EPAUDIT, Final, attempt, check
from machine import ONE_CPU, Machine

SIDE_BY_SIDE = max(1, min(len(kernels.KERNELS), os.cpu_count() or 1))  # each guest keeps one core busy
LIMIT_SECONDS = 3600  # CPU time of one guest: several times what the slowest of them takes
# Tables of the usual size are walked in a moment by a CPU, but not by an emulated one.
SLOW = "--max-fds 4096"
# Between the oldest kernel and the newest; each loads all programs, and has servers under load, whoever's turn it is.
BY_TURNS = ("6.1", "6.12")
STOPPING = threading.Event()


def row(kernel, hooks, name, text):
    return f"vm  {kernel:<6} {hooks:<10} {name:<34} {text}"


class Results:
    """Prints one line per case, from any thread, and keeps count."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.lock = threading.Lock()

    def say(self, text):
        with self.lock:
            print(text, flush=True)

    def add(self, kernel, hooks, name, seconds, verdict):
        verdict = " | ".join(verdict.strip().splitlines())
        with self.lock:
            if verdict.startswith("FAILED"):
                self.failed += 1
            elif verdict.startswith("SKIPPED"):
                self.skipped += 1
            else:
                self.passed += 1
            print(row(kernel, hooks, name, f"{seconds:6.1f} s  {verdict}"), flush=True)


def advertised_hooks():
    """The hook sets this epaudit knows, as it tells shells that complete; auto is not one."""
    table = json.loads(subprocess.run([EPAUDIT, "completion", "--table"], capture_output=True, check=True).stdout)
    run = next(command for command in table["commands"] if command["name"] == "run")
    hooks = next(option for option in run["options"] if "--hooks" in option["names"])
    return [name for name in hooks["choices"] if name != "auto"]


def parse(words):
    parser = argparse.ArgumentParser(prog="./dev vm", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("kernels", nargs="*", metavar="KERNEL",
                        help="of " + ", ".join(kernel.name for kernel in kernels.KERNELS) + " (default: all)")
    parser.add_argument("--hooks", default=os.environ.get("EPAUDIT_HOOKS"), metavar="SET,...",
                        help="hook sets (default: all that epaudit knows)")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="cases whose name holds WORD")
    parser.add_argument("--demos-by-turns", type=int, nargs="?", const=datetime.date.today().timetuple().tm_yday, metavar="N",
                        help="a quarter of the demos runs, on each kernel another, and another for each N; on"
                             f" {' and '.join(BY_TURNS)} only every other time (default: the day of the year)")
    parser.add_argument("--slow", default=SLOW, metavar="OPTIONS", help=f"options of epaudit for slow guests (default: {SLOW})")
    parser.add_argument("--demo-options", default="", metavar="OPTIONS", help="options of the demos (--seconds N)")
    parser.add_argument("--refresh", action="store_true", help="look for newer kernels")
    parser.add_argument("--timeout", type=int, default=LIMIT_SECONDS, metavar="SECONDS", help="CPU time of one guest")
    return parser.parse_args(words)


def choose_images(names, refresh, results):
    """The images of the wanted kernels; those that cannot be had are skipped. A newest kernel that is one of
    the others is left out."""
    images = []
    known = {kernel.name for kernel in kernels.KERNELS}
    for kernel in kernels.KERNELS:
        numbers = [name for name in names if name not in known]
        if names and kernel.name not in names and not (kernel.name == "newest" and numbers):
            continue
        try:
            image = kernels.image(kernel, refresh, results.say)
        except kernels.Unavailable as reason:
            verdict = "SKIPPED" if isinstance(reason, kernels.NoSource) else "FAILED"
            results.add(kernel.name, "-", "boot", 0, f"{verdict}: {reason}")
            continue
        if kernel.name not in names and numbers and image.label not in numbers:
            sys.exit(f"vm: no kernel '{numbers[0]}'; there are {', '.join(sorted(known))} (newest is {image.label})")
        if image.release not in [other.release for other in images]:
            images.append(image)
    return images


class Guest:
    """All cases on one kernel. As in the live tests, a case that failed is tried once more, in a guest booted for all of
    them, and both outcomes are said; a rule that speaks out of turn, or a kernel that complains, is final."""

    def __init__(self, image, cpus, hooks, plan, results, directory, tried=()):
        usable = [each for each in hooks if each not in cases.REFUSED.get(image.label, {})]
        if not usable:  # that they are refused is all that can be asked
            plan = [case for case in plan if case.name.startswith("refused-")]
        self.hooks = hooks = usable or hooks[:1]
        self.image, self.cpus, self.plan, self.results = image, cpus, plan, results
        self.tried = tried  # (hooks, case name) of those that failed, if this is the second try
        self.failed = {}    # in the first: (hooks, case name) -> (seconds, verdict)
        self.judged = set()
        self.missing = {(each, case.name) for each in hooks for case in plan
                        if case.kind != "once" or each == hooks[0]}
        self.reports = {}  # (hooks, case name) -> report
        self.directory = directory
        directory.mkdir(exist_ok=True)
        shutil.rmtree(directory / image.label, ignore_errors=True)
        self.log = ""
        self.archive = None

    def judge(self, hooks, name, seconds, test):
        self.judged.add((hooks, name))
        kind, verdict = attempt(test)
        if kind == "failed" and not self.tried and not STOPPING.is_set():
            self.failed[hooks, name] = seconds, verdict
            said = " ".join(verdict.split())[:600]
            self.results.say(row(self.image.label, hooks, name, f"is tried again; it {said}"))
        elif not self.tried or (hooks, name) in self.tried or kind == "final":
            self.results.add(self.image.label, hooks, name, seconds, verdict)

    def words_again(self):
        """The names of the cases that must run again. One epaudit that watched several is judged by those that failed."""
        words = set()
        for _, name in self.failed:
            group = name.replace("agree/", "together/")
            members = {case.name for case in self.plan if case.source == group}
            words |= {member for _, member in self.failed if member in members} or members or {name}
        return sorted(words)

    def second_try(self, archive_for, missing, limit):
        if not self.failed or STOPPING.is_set():
            return
        hooks = [each for each in self.hooks if any(of in (each, "both", "-") for of, _ in self.failed)]
        plan = cases.plan(missing, self.words_again(), self.cpus, self.image.label)
        second = Guest(self.image, self.cpus, hooks, plan, self.results, self.directory / "again", tried=set(self.failed))
        second.run(archive_for(plan, second.directory / f"{self.image.label}.cpio"), limit)
        for (of, name), (seconds, verdict) in self.failed.items():
            if (of, name) not in second.judged:
                self.results.add(self.image.label, of, name, seconds, verdict)

    def keep(self, record):
        """Reports, and what epaudit said, stay below build/vm/KERNEL/HOOKS/."""
        target = self.directory / self.image.label / record.hooks / record.name.replace("/", "-")
        target.parent.mkdir(parents=True, exist_ok=True)
        for part, suffix in (("report", ".json"), ("err", ".err"), ("out", ".txt"), ("log", ".log")):
            if record.parts.get(part):
                target.with_name(target.name + suffix).write_bytes(record.parts[part])

    def take(self, record):
        self.keep(record)
        if record.hooks == "kernel":
            self.log = record.text("log")
            return
        for case in self.plan:
            if case.record() == record.name:
                self.missing.discard((record.hooks, case.name))
                self.judge(record.hooks, case.name, record.seconds, lambda case=case: case.judge(record))
        try:
            self.reports[record.hooks, record.name] = cases.outcome(record).report
        except AssertionError:
            pass

    def run(self, archive, limit):
        machine = Machine(self.image, self.cpus, archive, self.hooks, self.directory, STOPPING)
        for record in machine.run(limit):
            self.take(record)
        if STOPPING.is_set():
            self.results.add(self.image.label, "-", "interrupted", machine.wall, f"FAILED: {len(self.missing)} cases not reached")
            return
        for hooks, case in itertools.product(self.hooks, self.plan):
            if (hooks, case.name) not in self.missing:
                continue
            if case.kind == "skip":
                self.judge(hooks, case.name, 0, lambda case=case: case.judge(None))
            else:
                self.judge(hooks, case.name, 0, lambda: check(False, f"not reached: {machine.trouble or 'no record'}"))
        self.judge_kernel(machine)
        self.judge_agreement()
        self.results.say(f"vm  {self.image.label:<6} {self.image.release}, {self.cpus} CPU{'s' * (self.cpus > 1)}: "
                         f"{machine.wall:.0f} s, {machine.cpu:.0f} s of CPU")

    def judge_kernel(self, machine):
        def healthy():
            console = machine.console.read_text(encoding="utf-8", errors="replace")
            found = cases.splats(self.log) + cases.splats(console)
            if found:
                raise Final("; ".join(filter(None, [machine.trouble, *found[:5]])))
            check(not machine.trouble, machine.trouble)
            check(self.log, "no kernel log came back")
        self.judge("-", "kernel log", machine.wall, healthy)

    def judge_agreement(self):
        for case in self.plan:
            for one, other in itertools.combinations(self.hooks, 2):
                reports = [(hooks, self.reports.get((hooks, case.name))) for hooks in (one, other)]
                if case.kind == "together" and all(report for _, report in reports):
                    self.judge("both", f"agree/{case.name.split('/')[1]}", 0,
                               lambda case=case, reports=reports: agreement.compare(*reports, case.busy))


def lock(directory):
    """One run at a time per build directory. Returns what holds the lock."""
    directory.mkdir(parents=True, exist_ok=True)
    holder = open(directory / "lock", "w", encoding="utf-8")
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(f"vm: another run uses {directory}")
    return holder


def plan_of(image, cpus, options, missing):
    """Kernels for real time run a few cases, on one CPU; one whose turn it is not, no demos."""
    if image.realtime and cpus > 1:
        return []
    plan = cases.plan(missing, options.only or cases.REALTIME.get(image.label, ()), cpus, image.label, quarter_of(image, options))
    if image.label != waits(options):
        return plan
    rest = [case for case in plan if not case.of_demos()]
    return rest if any(case.kind != "none" for case in rest) else []


def quarter_of(image, options):
    """Which quarter of the demos runs on this kernel, or None: all of them. Three of the four run somewhere each time."""
    turn = options.demos_by_turns
    if turn is None:
        return None
    # Every other time is all that these have, and no multiple of two leads to all quarters.
    later = 2 + turn // 4 % 2 if image.label in BY_TURNS else int(image.label != "5.10")
    return (turn + later) % 4


def waits(options):
    """The kernel whose turn to run the demos it is not, or None."""
    return None if options.demos_by_turns is None else BY_TURNS[options.demos_by_turns % 2]


def choose_guests(images, options, missing, hooks, results, directory):
    """One guest per kernel, and another with two CPUs for what needs them."""
    plans = {(image.label, cpus): plan_of(image, cpus, options, missing) for image in images for cpus in (1, 2)}
    for image in images:
        if options.demos_by_turns is not None:
            when = "a quarter of the demos runs" if image.label != waits(options) else "the demos run tomorrow"
            results.add(image.label, "-", "run/*", 0, f"SKIPPED: {when}; ./dev vm runs all")
    guests = [Guest(image, 1, hooks, plans[image.label, 1], results, directory) for image in images if plans[image.label, 1]]
    for image in [each for each in images if plans[each.label, 2]]:
        if image.label not in ONE_CPU:
            guests.append(Guest(image, 2, hooks, plans[image.label, 2], results, directory / "two-cpus"))
            continue
        for each, case in itertools.product(hooks, cases.demos_of(plans[image.label, 2])):
            results.add(image.label, each, case.name, 0, "SKIPPED: it needs two CPUs at once, and here only one comes up")
    return guests


def audit(images, options, results, directory):
    """All cases on all these kernels."""
    hooks = options.hooks.split(",") if options.hooks else advertised_hooks()
    twins = [f"{folder.name}/{twin}" for folder in cases.demos.folders() for twin in ("bug", "fixed")]
    try:
        initramfs.program("qemu-system-x86_64")
        tree, missing = initramfs.build(BUILD, twins, cases.CONFIG, directory)
        tree.write("slow", options.slow + "\n")
        tree.write("demo-options", options.demo_options + "\n")
        guests = choose_guests(images, options, missing, hooks, results, directory)
        archives = {}
        for guest in guests:
            said = tuple(case.plan() for case in guest.plan)
            if said not in archives:
                archives[said] = tree.pack_with(guest.plan, directory / f"initramfs-{len(archives)}.cpio")
            guest.archive = archives[said]
    except (initramfs.Missing, subprocess.CalledProcessError) as error:
        results.add("-", "-", "set-up", 0, f"FAILED: {error}")
        return

    def run(guest):
        guest.run(guest.archive, options.timeout)
        guest.second_try(tree.pack_with, missing, options.timeout)
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        running = {pool.submit(run, guest): guest for guest in guests}
        for done in concurrent.futures.as_completed(running):
            if done.exception():
                results.add(running[done].image.label, "-", "runner", 0, f"FAILED: {done.exception()!r}")


def main():
    options = parse(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: STOPPING.set())
    results = Results()
    start = time.monotonic()
    directory = BUILD / "vm"
    held = lock(directory)
    images = choose_images(options.kernels, options.refresh, results)
    audit(images[::-1], options, results, directory)  # the newest takes longest
    results.say(f"vm: took {time.monotonic() - start:.0f} s, load {os.getloadavg()[1]:.1f}")
    results.say(f"vm: {results.passed} passed, {results.failed} failed, {results.skipped} skipped")
    held.close()
    sys.exit(1 if results.failed else 0)


if __name__ == "__main__":
    main()
