# SPDX-License-Identifier: Apache-2.0
"""Python lines: the programs of tests/live/lines under each CPython from 3.11 on that this machine has."""
import os
import pathlib
import subprocess

from harness import SLEEPERS, SPINNERS, Skip, Started, check, end, epaudit, wait_for
from languages import LINES, OUTPUT, SLEEP, expected_line, first_of, line_is, stack_of

UNREAD = ("EP202", "armed here")
VERSIONS = ("3.11", "3.12", "3.13", "3.14")


def interpreters():
    """Debian's has no library of its own; those that people build often have."""
    found = [path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if os.path.exists(path)]
    for version in VERSIONS:
        found += sorted(map(str, (pathlib.Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python3")))
    known = []
    for path in found:
        said = subprocess.run([path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True)
        if said.stdout.strip() in VERSIONS:
            known.append(path)
    if not known:
        raise Skip("no CPython of 3.11 or later is here")
    return known


def each(test, all_of_them=True):
    """Or the first and the newest of them, where it is not the version that matters."""
    def run():
        pythons = interpreters()
        pythons = pythons if all_of_them else sorted({pythons[0], pythons[-1]})
        for python in pythons:
            try:
                test(python)
            except AssertionError as error:
                raise AssertionError(f"{python}: {error}") from error
        return ", ".join(pythons)
    return run


def plain(role):
    word = "output" if role == OUTPUT else "sleep"
    function = "^arm_for_output$" if role == OUTPUT else "^handle$"
    return each(lambda python: line_is(stack_of(role, python, LINES / "lines.py", word), LINES / "lines.py", role[0], function), role == OUTPUT)


def of_asyncio(role):
    source = LINES / "asyncio_lines.py"
    word, function = ("spin", "^watch$") if role == UNREAD else ("sleep", "^serve$")
    return each(lambda python: line_is(stack_of(role, python, source, word), source, role[0], function), False)


def of_gevent():
    python = "/usr/bin/python3"
    if subprocess.run([python, "-c", "import gevent"], capture_output=True).returncode:
        raise Skip("python3-gevent is not installed")
    source = LINES / "gevent_lines.py"
    line_is(stack_of(SLEEP, python, source), source, "EP404", "^serve$")


def of_workers(role):
    """In which function it was armed stands behind the helper that all arming goes through."""
    source = LINES / "workers_lines.py"
    word, function = ("output", "watch_jobs") if role == OUTPUT else ("sleep", "store")

    def run(python):
        stack = stack_of(role, python, source, word)
        lines = [frame["line"] for frame in stack["frames"] if frame["function"] == f"Pool.{function}"]
        check(lines == [expected_line(source, role[0])], f"{lines}: {stack}")
    return each(run, False)


def another_python(python):
    """The same process becomes another interpreter, whose structures are laid out differently."""
    others = [other for other in interpreters() if other != python]
    if not others:
        raise Skip("one CPython only is here")
    for other in (others[0], others[-1]):
        source = LINES / "lines.py"
        line_is(stack_of(OUTPUT, python, LINES / "again.py", other, source, "output", duration="6"), source, "EP201", "^arm_for_output$")


def many_threads(python):
    """The one that blocks is the oldest of 350, and last in the interpreter's list of them."""
    source = LINES / "lines.py"
    line_is(stack_of(SLEEP, python, source, "sleep", "20", "350"), source, "EP404", "^handle$")


def two_places(where):
    """The same C stack leads to both, and they are two findings."""
    source = LINES / "places.py"
    wanted = {}
    for number, text in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
        if "# place: " in text:
            wanted[text.split("# place: ")[1]] = number

    def run(python):
        outcome = epaudit("run", "--profile", "test", "--duration", "4", "--", python, source, where)
        stacks = [stack for finding in outcome.report["findings"] if finding["rule"] == "EP201"
                  for stack in finding["evidence"]["stacks"] if stack["what"] == "armed here"]
        seen = {(frame["function"], frame["line"]) for frame in (first_of(stack, source) for stack in stacks)}
        check(seen == set(wanted.items()), f"{seen}, expected {wanted}: {outcome.describe()}")
    return each(run, where == "here")


def attached(python):
    """Where it blocks is known of a process that ran before; where it registered is past."""
    source = LINES / "lines.py"
    program = subprocess.Popen([python, source, "sleep"])
    try:
        wait_for(lambda: len(os.listdir(f"/proc/{program.pid}/task")) >= 4, 10, "its threads")
        outcome = Started("attach", "--profile", "test", "--duration", "6", "-p", program.pid).finish()
    finally:
        end(program)
    stacks = [stack for finding in outcome.report["findings"] if finding["rule"] == "EP404"
              for stack in finding["evidence"]["stacks"] if stack["what"] == "blocked in"]
    check(stacks, outcome.describe())
    line_is(stacks[0], source, "EP404", "^handle$")


def register(suite):
    with suite.side_by_side(SPINNERS):
        suite.run("pythons: one becomes another", each(another_python, False))
        suite.run("pythons: EP201, armed", plain(OUTPUT))
        for where in ("here", "thread", "fork"):
            suite.run(f"pythons: two places of one C stack, {where}", two_places(where))
        suite.run("pythons: asyncio, EP202", of_asyncio(UNREAD))
        suite.run("pythons: a hub with workers, EP201", of_workers(OUTPUT))
    with suite.side_by_side(SLEEPERS):
        suite.run("pythons: attached to", each(attached, False))
        suite.run("pythons: EP404, blocked", plain(SLEEP))
        suite.run("pythons: asyncio, EP404", of_asyncio(SLEEP))
        suite.run("pythons: gevent, EP404", of_gevent)
        suite.run("pythons: a hub with workers, EP404", of_workers(SLEEP))
        suite.run("pythons: many threads", each(many_threads, False))
