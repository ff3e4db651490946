# SPDX-License-Identifier: Apache-2.0
"""Which line of which language: an EPOLLOUT nobody needs (EP201) and a handler that blocks (EP404), planted in the programs
of tests/live/lines. Where a run-time tells no names, the finding says which flag would make it."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading

from harness import ROOT, SLEEPERS, SPINNERS, Skip, check, epaudit

LINES = ROOT / "tests/live/lines"
OUTPUT, SLEEP = ("EP201", "armed here"), ("EP404", "blocked in")
GO = (("Go", []), ("stripped Go", ["-ldflags", "-s -w"]))


def expected_line(source, rule):
    for number, text in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
        if f"expect: {rule}" in text:
            return number
    raise AssertionError(f"{source} plants no {rule}")


class Feeder:
    """Standard input of a program that reads a byte now and then."""

    def __init__(self, seconds):
        self.read, self.write = os.pipe()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.feed, args=(seconds,))
        self.thread.start()

    def feed(self, seconds):
        while not self.over.wait(seconds):
            os.write(self.write, b"\n")

    def __enter__(self):
        return self.read

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        os.close(self.read)
        os.close(self.write)


def stack_of(rule_and_role, *command, duration="5", feed=1.2):
    rule, role = rule_and_role
    with Feeder(feed) as stdin:
        outcome = epaudit("run", "--profile", "test", "--duration", duration, "--", *command, stdin=stdin)
    for finding in outcome.report["findings"]:
        for stack in finding["evidence"]["stacks"] if finding["rule"] == rule else []:
            if stack["what"] == role:
                return stack
    raise AssertionError(f"no {rule} with a stack '{role}': " + outcome.describe())


def first_of(stack, source):
    frames = [frame for frame in stack["frames"] if frame["file"].endswith("/" + source.name)]
    check(frames, f"no frame of {source.name}: {stack}")
    return frames[0]


def line_is(stack, source, rule, function):
    frame = first_of(stack, source)
    wanted = expected_line(source, rule)
    check(frame["line"] == wanted, f"{source.name}:{frame['line']}, expected {wanted}: {stack}")
    check(re.search(function, frame["function"]), f"{frame}")
    check(not frame.get("guessed"), f"guessed: {frame}")


def compiled(build, source, rule_and_role, function):
    """build(program) makes it; its line and function are named."""
    with tempfile.TemporaryDirectory() as directory:
        program = os.path.join(directory, "lines")
        build(program)
        word = "output" if rule_and_role == OUTPUT else "sleep"
        line_is(stack_of(rule_and_role, program, word), source, rule_and_role[0], function)


def go(flags):
    def build(program):
        if not shutil.which("go"):
            raise Skip("Go is not installed")
        subprocess.run(["go", "build", *flags, "-o", program, LINES / "lines.go"], check=True, timeout=120,
                       env=dict(os.environ, GO111MODULE="off"))
    return build


def c(program):
    """As people ship it: optimised, without frame pointers."""
    subprocess.run(["cc", "-O2", "-g", "-fomit-frame-pointer", "-pthread", "-o", program, LINES / "lines.c"], check=True, timeout=60)


def rust(program):
    if not shutil.which("rustc"):
        raise Skip("Rust is not installed")
    base = ["rustc", "-g", "-O", "-o", program, LINES / "lines.rs"]
    modern = subprocess.run([*base, "-C", "symbol-mangling-version=v0"], timeout=120, capture_output=True)
    if modern.returncode:
        subprocess.run(base, check=True, timeout=120)


def of_node(rule_and_role, *flags):
    """The source and its stack; of EP201 by way of an addon, for which a compiler is enough."""
    if not shutil.which("node"):
        raise Skip("node is not installed")
    source = LINES / ("output.js" if rule_and_role == OUTPUT else "lines.js")
    with tempfile.TemporaryDirectory() as directory:
        words, addon = [source], os.path.join(directory, "addon.node")
        if rule_and_role == OUTPUT:
            subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-pthread", "-o", addon, LINES / "addon.c"], check=True, timeout=60)
            words.append(addon)
        # --interpreted-frames-native-stack would make it write a log where it stands
        log = ("--no-logfile-per-isolate", f"--logfile={directory}/log") if flags else ()
        return source, stack_of(rule_and_role, "node", *flags, *log, *words, duration="7")


def node_named(rule_and_role, function):
    """V8 tells where a function begins, not where it calls."""
    source, stack = of_node(rule_and_role, "--perf-basic-prof", "--interpreted-frames-native-stack")
    frame = first_of(stack, source)
    check(frame["function"] == function and frame["line"] == expected_line(source, rule_and_role[0]), f"{stack}")
    check(frame.get("guessed") and frame.get("at_start"), f"{frame}")
    check(any(frame["function"] == "_start" for frame in stack["frames"]), f"the stack ends early: {stack}")


def node_nameless(rule_and_role):
    _, stack = of_node(rule_and_role)
    check("--perf-basic-prof" in stack.get("hint", ""), f"no hint: {stack}")


class Asked:
    """As a user would: a JVM is asked for its perf map until that names what has been compiled by now."""

    def __init__(self, pid, method, named):
        self.pid, self.method, self.named, self.over = pid, method, named, threading.Event()
        self.thread = threading.Thread(target=self.ask)
        self.thread.start()

    def ask(self):
        while not self.over.wait(0.3):
            pid = self.pid.read_text(encoding="utf-8").strip() if self.pid.exists() else ""
            if not pid or subprocess.run(["jcmd", pid, "Compiler.perfmap"], capture_output=True, timeout=20).returncode:
                continue
            names = pathlib.Path(f"/tmp/perf-{pid}.map")
            if names.exists() and self.method in names.read_text(encoding="utf-8"):
                self.named.touch()
                return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def java(named, rule_and_role=SLEEP):
    """Of EP201 the loop is what arms: select() tells the kernel what was registered before it."""
    if not shutil.which("javac") or not shutil.which("jcmd"):
        raise Skip("no JDK is installed")
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["javac", "-g", "-d", directory, LINES / "Lines.java"], check=True, timeout=60)
        words = ["java", "-XX:TieredStopAtLevel=1", "-cp", directory]
        if not named:
            stack = stack_of(rule_and_role, *words, "Lines", "output" if rule_and_role == OUTPUT else "sleep", duration="7")
            check("PreserveFramePointer" in stack.get("hint", ""), f"no hint: {stack}")
            return
        script, pid = pathlib.Path(directory, "run.sh"), pathlib.Path(directory, "pid")
        script.write_text(f'echo $$ > {pid}\nexec "$@"\n', encoding="utf-8")
        method = "loop" if rule_and_role == OUTPUT else "handle"
        before = pathlib.Path(directory, "named")  # select() arms once: what the map names by then is all that counts
        with Asked(pid, f"Lines.{method}", before):
            stack = stack_of(rule_and_role, "sh", script, *words, "-Xcomp", "-XX:CompileCommand=quiet",
                             "-XX:CompileCommand=compileonly,Lines::*",
                             f"-XX:CompileCommand=dontinline,Lines::{method}", "-XX:+PreserveFramePointer", "Lines",
                             *(["output", before] if rule_and_role == OUTPUT else ["sleep"]),
                             duration="12" if rule_and_role == OUTPUT else "8")
        check(any(f"Lines.{method}" in frame["function"] for frame in stack["frames"]), f"no Lines.{method}: {stack}")


def python_x_perf():
    """Function and file, no line. Since 3.12: not in Debian 12."""
    found = [path for version in ("3.12", "3.13") for path in (pathlib.Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python3")]
    if not found:
        raise Skip("no python3 of 3.12 or later is here")
    for python in found:
        source = LINES / "lines.py"
        stack = stack_of(SLEEP, python, "-X", "perf", source, "sleep")
        check(first_of(stack, source)["function"] == "handle", f"{python}: {stack}")


def register(suite):
    with suite.side_by_side(SLEEPERS):
        suite.run("languages: Python -X perf", python_x_perf)
        suite.run("languages: C, EP404", lambda: compiled(c, LINES / "lines.c", SLEEP, "^handle$"))
        for name, flags in GO:
            suite.run(f"languages: {name}, EP404", lambda f=flags: compiled(go(f), LINES / "lines.go", SLEEP, "handle"))
        suite.run("languages: Rust, EP404", lambda: compiled(rust, LINES / "lines.rs", SLEEP, "server::Loop.*handle"))
        suite.run("languages: node with a perf map", lambda: node_named(SLEEP, "refresh"))
        suite.run("languages: node without one", lambda: node_nameless(SLEEP))
    with suite.side_by_side(SPINNERS):  # a JVM that starts keeps one busy, too
        suite.run("languages: C, EP201", lambda: compiled(c, LINES / "lines.c", OUTPUT, "^arm_for_output$"))
        for name, flags in GO:
            suite.run(f"languages: {name}, EP201", lambda f=flags: compiled(go(f), LINES / "lines.go", OUTPUT, "armForOutput"))
        suite.run("languages: Rust, EP201", lambda: compiled(rust, LINES / "lines.rs", OUTPUT, "server::Loop.*arm_for_output"))
        suite.run("languages: node with a perf map, EP201", lambda: node_named(OUTPUT, "watch"))
        suite.run("languages: node without one, EP201", lambda: node_nameless(OUTPUT))
        suite.run("languages: Java with a perf map", lambda: java(True))
        suite.run("languages: Java with a perf map, EP201", lambda: java(True, OUTPUT))
        suite.run("languages: Java without one", lambda: java(False))
        suite.run("languages: Java without one, EP201", lambda: java(False, OUTPUT))
