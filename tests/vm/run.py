#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""epaudit on real kernels: boots Debian's 5.10, 6.1, 6.12 and newest cloud kernels under QEMU and runs every
demo twin, real servers and bad input there, under every hook set. Needs no root.

    run.py [KERNEL...]      5.10, 6.1, 6.12, newest (or its number); default: all
"""
import argparse
import concurrent.futures
import fcntl
import itertools
import os
import pathlib
import re
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
from harness import BUILD, EPAUDIT, Skip
from machine import Machine

SIDE_BY_SIDE = max(1, min(len(kernels.KERNELS), os.cpu_count() or 1))  # each guest keeps one core busy
LIMIT_SECONDS = 840  # CPU time of one guest
# Tables of the usual size are walked in a moment by a CPU, but not by an emulated one.
SLOW = "--max-fds 4096"
STOPPING = threading.Event()


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
            print(f"vm  {kernel:<6} {hooks:<10} {name:<34} {seconds:6.1f} s  {verdict}", flush=True)

    def judge(self, kernel, hooks, name, seconds, test):
        """Runs the test; it returns what is worth saying, or raises."""
        try:
            said = test()
            verdict = f"ok ({said})" if said else "ok"
        except Skip as reason:
            verdict = f"SKIPPED: {reason}"
        except Exception as error:  # a malformed report must not end the run
            verdict = f"FAILED: {str(error) or type(error).__name__}"
            if not isinstance(error, AssertionError):
                verdict = f"FAILED: {type(error).__name__}: {error}"
        self.add(kernel, hooks, name, seconds, verdict)


def advertised_hooks():
    """The hook sets this epaudit knows, as its --help says; auto is not one."""
    text = subprocess.run([EPAUDIT, "run", "--help"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"--hooks SET:\{([\w,]+)\}", text)
    return [name for name in (match[1] if match else "tracepoint").split(",") if name != "auto"]


def parse(words):
    parser = argparse.ArgumentParser(prog="./dev vm", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("kernels", nargs="*", metavar="KERNEL",
                        help="of " + ", ".join(kernel.name for kernel in kernels.KERNELS) + " (default: all)")
    parser.add_argument("--hooks", default=os.environ.get("EPAUDIT_HOOKS"), metavar="SET,...",
                        help="hook sets (default: all that epaudit knows)")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="cases whose name holds WORD")
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
    """All cases on one kernel."""

    def __init__(self, image, hooks, plan, results, directory):
        self.image, self.hooks, self.plan, self.results = image, hooks, plan, results
        self.missing = {(each, case.name) for each in hooks for case in plan
                        if case.kind != "refuse" or each == hooks[0]}
        self.reports = {}  # (hooks, case name) -> report
        self.directory = directory
        shutil.rmtree(directory / image.label, ignore_errors=True)
        self.log = ""

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
                self.results.judge(self.image.label, record.hooks, case.name, record.seconds,
                                   lambda case=case: case.judge(record))
        try:
            self.reports[record.hooks, record.name] = cases.outcome(record).report
        except AssertionError:
            pass

    def run(self, archive, limit):
        machine = Machine(self.image, archive, self.hooks, self.directory, STOPPING)
        for record in machine.run(limit):
            self.take(record)
        for hooks, case in itertools.product(self.hooks, self.plan):
            if (hooks, case.name) not in self.missing:
                continue
            if case.kind == "skip":
                self.results.judge(self.image.label, hooks, case.name, 0, lambda case=case: case.judge(None))
            else:
                self.results.add(self.image.label, hooks, case.name, 0, f"FAILED: not reached: {machine.trouble or 'no record'}")
        self.judge_kernel(machine)
        self.judge_agreement()
        self.results.say(f"vm  {self.image.label:<6} {self.image.release}: {machine.wall:.0f} s, CPU {machine.cpu:.0f} s")

    def judge_kernel(self, machine):
        def healthy():
            console = machine.console.read_text(encoding="utf-8", errors="replace")
            found = cases.splats(self.log) + cases.splats(console)
            if machine.trouble or found:
                raise AssertionError("; ".join(filter(None, [machine.trouble, *found[:5]])))
            if not self.log:
                raise AssertionError("no kernel log came back")
        self.results.judge(self.image.label, "-", "kernel log", machine.wall, healthy)

    def judge_agreement(self):
        for case in self.plan:
            for one, other in itertools.combinations(self.hooks, 2):
                reports = [(hooks, self.reports.get((hooks, case.name))) for hooks in (one, other)]
                if case.kind == "together" and all(report for _, report in reports):
                    self.results.judge(self.image.label, "both", f"agree/{case.name.split('/')[1]}", 0,
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


def main():
    options = parse(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: STOPPING.set())
    results = Results()
    start = time.monotonic()
    directory = BUILD / "vm"
    held = lock(directory)
    hooks = options.hooks.split(",") if options.hooks else advertised_hooks()
    images = choose_images(options.kernels, options.refresh, results)
    twins = [f"{folder.name}/{twin}" for folder in cases.demos.folders() for twin in ("bug", "fixed")]
    archive = directory / "initramfs.gz"
    try:
        tree, missing = initramfs.build(BUILD, twins, cases.CONFIG, directory)
        plan = cases.plan(missing, options.only)
        tree.write("plan", "".join(case.plan() + "\n" for case in plan if case.kind not in ("none", "skip")))
        tree.write("slow", options.slow + "\n")
        tree.write("demo-options", options.demo_options + "\n")
        tree.pack(archive)
        initramfs.program("qemu-system-x86_64")
    except (initramfs.Missing, subprocess.CalledProcessError) as error:
        results.add("-", "-", "set-up", 0, f"FAILED: {error}")
        images = []
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        guests = [Guest(image, hooks, plan, results, directory) for image in images]
        running = {pool.submit(guest.run, archive, options.timeout): guest for guest in guests}
        for done in concurrent.futures.as_completed(running):
            if done.exception():
                results.add(running[done].image.label, "-", "runner", 0, f"FAILED: {done.exception()!r}")
    results.say(f"vm: took {time.monotonic() - start:.0f} s, load {os.getloadavg()[1]:.1f}, hook sets {', '.join(hooks)}")
    results.say(f"vm: {results.passed} passed, {results.failed} failed, {results.skipped} skipped")
    held.close()
    sys.exit(1 if results.failed else 0)


if __name__ == "__main__":
    main()
