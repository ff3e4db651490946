# SPDX-License-Identifier: Apache-2.0
"""Processes chosen by what they are: by name, port, user or container, through restarts and forks; and `epaudit list`."""
import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import harness
from harness import BUILD, EPAUDIT, SPINNERS, Skip, Started, check, end, epaudit, serving, wait_for
from safety import KEPT, effective, mask

BUG = BUILD / "demo_bugs/busy-epollout/bug"
FIXED = BUILD / "demo_bugs/busy-epollout/fixed"

# Spins on a socket that it could always write to, once a line comes; so long it has no epoll.
LATE = """
import select, socket, sys
open("/proc/self/comm", "w").write(sys.argv[1])
print("here", flush=True)
sys.stdin.readline()
a, b = socket.socketpair()
epoll = select.epoll()
epoll.register(a, select.EPOLLIN | select.EPOLLOUT)
while True:
    epoll.poll()
"""

# Has an epoll itself, and at each line starts another program.
PARENT = """
import os, select, sys
epoll = select.epoll()
open("/proc/self/comm", "w").write(sys.argv[1])
print("here", flush=True)
for line in sys.stdin:
    if os.fork() == 0:
        os.execv(sys.argv[2], sys.argv[2:])
"""


@contextlib.contextmanager
def named(tag):
    """A name that nobody else has, and a folder for a program called so."""
    with tempfile.TemporaryDirectory(prefix="epaudit-sel-") as directory:
        os.chmod(directory, 0o755)
        yield f"{tag}{os.getpid()}"[:15], pathlib.Path(directory)


@contextlib.contextmanager
def python(script, *arguments):
    program = subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        check(program.stdout.readline() == "here\n", "it did not start")
        yield program
    finally:
        program.kill()
        program.wait()


def say(program):
    program.stdin.write("\n")
    program.stdin.flush()


def as_named(source, directory, name):
    return shutil.copy(source, directory / name)


class Watching(Started):
    """Also tells of findings while it goes on."""

    def __init__(self, *arguments):
        self.lines = tempfile.NamedTemporaryFile("r", suffix=".ndjson")  # pylint: disable=consider-using-with
        super().__init__(arguments[0], "--format", "ndjson=" + self.lines.name, "--profile", "test", *arguments[1:])

    def accused(self):
        text = pathlib.Path(self.lines.name).read_text()
        lines = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        return {line["process"]["pid"] for line in lines if line.get("type") == "finding"}

    def wait_for(self, pid):
        wait_for(lambda: pid in self.accused() or self.process.poll() is not None, 20, f"a finding in {pid}")


def by_name():
    with named("selname") as (name, directory):
        with serving(as_named(BUG, directory, name)) as server:
            outcome = epaudit("attach", name, "--profile", "test", "--duration", 4)
            check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
            target = outcome.report["target"]
            check(target["pids"] == [server.pid] and target["selection"] == f"--comm {name}", str(target))
            looked = epaudit("inspect", name, json_report=False)
            check(looked.code == 0 and f"{name}[{server.pid}]" in looked.out, looked.out + looked.err)
            outcome = epaudit("attach", server.pid, "--profile", "test", "--duration", 4)  # a number stays a number
            check(outcome.code == 1 and "selection" not in outcome.report["target"], outcome.describe())


def restart():
    """All that matched have ended; what comes under the name is watched from within a second of its start."""
    with named("selagain") as (name, directory):
        program = as_named(FIXED, directory, name)
        with serving(program):
            watching = Watching("attach", "--comm", name)
        as_named(BUG, directory, name + ".new")
        os.rename(directory / (name + ".new"), program)  # as an upgrade does it
        with serving(program) as second:
            watching.wait_for(second.pid)
            outcome = watching.interrupt()
    check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
    check(len(outcome.report["target"]["pids"]) == 2 and outcome.report["target"]["pids"][1] == second.pid,
          str(outcome.report["target"]))
    check(outcome.report["observation"]["complete"], outcome.describe())
    check("is watched, too" in outcome.err, outcome.err)


def somebody_elses():
    """epaudit has given up its privileges by the time another user's program comes, which nobody else may read: it is watched,
    its memory map, its descriptors and its symbols are read all the same."""
    with named("selother") as (name, directory):
        private = directory / "private"
        private.mkdir()
        shutil.copy(BUG, private / name)
        for path, mode in ((private / name, 0o500), (private, 0o700)):
            path.chmod(mode)
            os.chown(path, 65534, 65534)
        with serving(as_named(FIXED, directory, name)):
            watching = Watching("attach", "--comm", name)
            wait_for(lambda: not effective(watching.process.pid) & ~mask(KEPT), 5, "privileges to be given up")
            with subprocess.Popen(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", private / name, "--seconds",
                                   "60"], stderr=subprocess.DEVNULL) as server:
                try:
                    watching.wait_for(server.pid)
                    outcome = watching.interrupt()
                finally:
                    server.kill()
    check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
    check(outcome.report["target"]["pids"][1:] == [server.pid], str(outcome.report["target"]))
    finding = outcome.report["findings"][0]
    check(finding["process"]["exe"].endswith(f"private/{name}"), str(finding["process"]))
    frames = [frame for stack in finding["evidence"]["stacks"] for frame in stack["frames"]]
    check(any(frame["function"] and frame["module"].endswith(f"private/{name}") for frame in frames), f"no names: {frames}")
    check(outcome.report["observation"]["complete"], outcome.describe())


def recorded():
    """What came later is in the recording, too."""
    with named("selrec") as (name, directory):
        file = directory / "recording"
        program = as_named(FIXED, directory, name)
        with serving(program):
            watching = Watching("record", "-o", file, "--comm", name)
        program.unlink()
        with serving(as_named(BUG, directory, name)) as second:
            watching.wait_for(second.pid)
            live = watching.interrupt()
        replay = epaudit("replay", file)
    check(live.code == 1 and live.rules() == ["EP201"], live.describe())
    check(replay.code == 1 and replay.accused() == live.accused(), replay.describe())
    check(replay.report["findings"][0]["process"] == live.report["findings"][0]["process"], replay.describe())


def forks():
    """A child that becomes another program, which would not match by itself."""
    with named("selfork") as (name, directory), \
            python(PARENT, name, as_named(BUG, directory, "other"), "--seconds", 20) as parent:
        watching = Watching("attach", name)
        say(parent)
        children = f"/proc/{parent.pid}/task/{parent.pid}/children"
        wait_for(lambda: pathlib.Path(children).read_text().strip(), 10, "a child")
        child = int(pathlib.Path(children).read_text().split()[0])
        try:
            watching.wait_for(child)
        finally:
            outcome = watching.interrupt()
            os.kill(child, signal.SIGKILL)
    check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
    check([f["process"]["comm"] for f in outcome.report["findings"] if f["rule"] == "EP201"] == ["other"], outcome.describe())


def late_epoll():
    """What has no epoll is noticed, and watched once it makes one."""
    with named("sellate") as (name, _), python(LATE, name) as program:
        listing = epaudit("list", name, json_report=False)
        check(listing.code == 0 and not listing.out and "has no epoll" in listing.err, listing.out + listing.err)
        watching = Watching("attach", name)
        check(programs_watched(watching) == [], "it is watched already")
        say(program)
        watching.wait_for(program.pid)
        outcome = watching.interrupt()
    check(outcome.rules() and outcome.report["target"]["pids"] == [program.pid], outcome.describe())


def programs_watched(watching):
    first = pathlib.Path(watching.lines.name).read_text().splitlines()[0]
    return json.loads(first)["target"]["pids"]


def waits():
    with named("selwait") as (name, directory):
        program = as_named(BUG, directory, name)
        refused = epaudit("attach", name)
        check(refused.code == 3 and f"no process is called '{name}'" in refused.err, refused.describe())
        attached = subprocess.Popen([EPAUDIT, "attach", name, "--wait", "--profile", "test", "--duration", "4", "-q"],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with serving(program):
            out, err = attached.communicate(timeout=60 * harness.SPEED)
    check(attached.returncode == 1 and "EP201" in out, f"exit {attached.returncode}: {out} {err}")


def listed():
    with named("sellist") as (name, directory), serving(as_named(FIXED, directory, name)) as server:
        def ask(*words):
            outcome = epaudit("list", "--format", "json", *words, json_report=False)
            check(outcome.code == 0, outcome.err)
            return {one["pid"]: one for one in json.loads(outcome.out)["processes"]}
        found = ask(name)
        check(set(found) == {server.pid}, str(found))
        one = found[server.pid]
        inspected = json.loads(epaudit("inspect", "-p", server.pid, "--format", "json", json_report=False).out)
        check(one["comm"] == name and one["epolls"] == sum(len(e["descriptors"]) for e in inspected["epolls"]), str(one))
        check(one["registrations"] == sum(len(e["registrations"]) for e in inspected["epolls"]), str(one))
        everybody = ask()
        check(server.pid in everybody and all(p["epolls"] for p in everybody.values()), str(everybody))
        check(server.pid in ask("--exe", f"{directory}/*"), "--exe")
        check(server.pid in ask("--user", "root", "--comm", name), "--user")
        check(server.pid not in ask("--all", "--exclude", name), "--exclude")
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            text = epaudit("list", "--port", listener.getsockname()[1], json_report=False)
        check(text.code == 0 and not text.out, text.out)  # this process listens there, and has no epoll
        text = epaudit("list", name, json_report=False)
        check(text.out.split()[:4] == ["pid", "comm", "epolls", "registrations"] and str(server.pid) in text.out, text.out)


def bad_input():
    def refuses(code, words, *arguments):
        outcome = epaudit(*arguments, json_report=False)
        check(outcome.code == code and words in outcome.err, f"{arguments}: exit {outcome.code}, {outcome.err}")
    with named("selbad") as (name, directory), serving(as_named(FIXED, directory, name)):
        refuses(3, f"did you mean '{name}'?", "attach", name[:-1])
        outcome = epaudit("attach", "-p", os.getpid(), "--exclude", name, "--duration", 1)  # by number, and without an epoll
        check(outcome.code == 3 and "no epoll instance" in outcome.err, outcome.describe())
        refuses(3, "no process is called 'nosuchname'", "attach", name, "nosuchname")  # one of them is there
        refuses(3, "no process is all of that", "attach", name, "--exclude", name)
    refuses(3, "no process runs in unit 'nosuchunit'", "attach", "--unit", "nosuchunit")
    refuses(3, "no process runs in container 'nosuch'", "list", "--container", "nosuch")
    refuses(2, "no user 'nobdy'", "list", "--user", "nobdy")
    refuses(2, "did you mean 'nobody'?", "list", "--user", "nobdy")
    refuses(2, "'http' is no port", "inspect", "--port", "http")
    refuses(2, "--all means everybody already", "attach", "--all", "--comm", "x")
    refuses(2, "inspect needs a process", "inspect")


def bundle(directory, programs, command, capabilities=()):
    """A root made of the machine's own folders, with programs, by their paths, where only the container has them."""
    root = directory / "rootfs"
    mounts = [{"destination": "/proc", "type": "proc", "source": "proc"}]
    for folder in ("usr", "lib", "lib64", "bin", "etc", "sys"):
        (root / folder).mkdir(parents=True)
        if os.path.exists("/" + folder):
            mounts.append({"destination": "/" + folder, "type": "bind", "source": "/" + folder, "options": ["rbind", "ro"]})
    for folder in ("proc", "tmp"):
        (root / folder).mkdir()
    for path, program in programs.items():
        target = root / str(path)[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(program, target)
    process = {"user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"], "args": list(map(str, command))}
    if capabilities:
        process["capabilities"] = {kind: list(capabilities) for kind in ("bounding", "effective", "permitted")}
    config = {"ociVersion": "1.0.0", "process": process, "root": {"path": "rootfs"}, "mounts": mounts,
              "annotations": {"org.opencontainers.image.ref.name": "acme/server:7"},
              "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]}}
    (directory / "config.json").write_text(json.dumps(config))


@contextlib.contextmanager
def container(name, directory, programs, *command, capabilities=()):
    """One of runc, by a bundle made by hand."""
    if not shutil.which("runc"):
        raise Skip("runc is not installed")
    directory.mkdir(exist_ok=True)
    bundle(directory, programs, command, capabilities)
    with subprocess.Popen(["runc", "run", "-b", str(directory), name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as runtime:
        try:
            wait_for(lambda: runtime.poll() is not None or subprocess.run(
                ["runc", "state", name], capture_output=True, check=False).returncode == 0, 10, "a container")
            if runtime.poll() is not None:
                raise Skip(f"runc cannot run a container here: {runtime.stdout.read().strip()[:200]}")
            yield runtime
        finally:
            subprocess.run(["runc", "delete", "-f", name], capture_output=True, check=False)
            end(runtime)


def in_a_container():
    """It is found by the name of the container, and the finding says where it was."""
    with named("selrunc") as (name, directory):
        with container(name, directory, {"/app/server": BUG}, "/app/server", "--seconds", "30"):
            outcome = epaudit("attach", "--container", name, "--wait", "--profile", "test", "--duration", 4)
    check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
    found = outcome.report["findings"][0]["process"]["container"]
    check(found == {"id": name, "name": name, "image": "acme/server:7", "runtime": "runc"}, str(found))


def files_of_a_container():
    """The program lies in the container only, and the host has another one by that name: symbols are those of the container's,
    and all reports say whose path it is."""
    with named("selroot") as (name, directory):
        path = as_named(FIXED, directory, "server")
        text, sarif = directory / "report.txt", directory / "report.sarif"
        with container(name, directory / "bundle", {path: BUG}, path, "--seconds", "60"):
            outcome = epaudit("attach", "--container", name, "--wait", "--profile", "test", "--duration", 4, "--format",
                              f"text={text}", "--format", f"sarif={sarif}")
            look = epaudit("inspect", "--container", name, json_report=False)
        words, (result,) = " ".join(text.read_text().split()), json.loads(sarif.read_text())["runs"][0]["results"]
    check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
    finding = outcome.report["findings"][0]
    check(finding["process"]["exe"] == str(path), str(finding["process"]))
    own = [frame for stack in finding["evidence"]["stacks"] for frame in stack["frames"] if frame.get("module") == str(path)]
    files = {frame.get("file") for frame in own}
    check(any(file and file.endswith("demo_bugs/busy-epollout/bug.cpp") for file in files), f"{files}: {outcome.describe()}")
    check(not any(file and file.endswith("fixed.cpp") for file in files), f"symbols of the host's file: {files}")
    check(f"container {name} (acme/server:7, runc)" in words, words)
    check(result["properties"]["container"]["name"] == name, str(result["properties"]))
    check(look.code == 0 and f"container {name}" in look.out, look.out + look.err)


TO_WATCH = ("CAP_BPF", "CAP_PERFMON")
FOR_SOURCE_LINES = ("CAP_SYS_PTRACE", "CAP_SETUID", "CAP_SETGID")


def run_in_a_container(capabilities):
    """With the container's own numbers; source lines take the capabilities that the documentation names, else a note says why
    there are none."""
    with named(f"selin{len(capabilities)}") as (name, directory):  # three of these run side by side
        programs = {"/app/epaudit": EPAUDIT, "/app/server": BUG}
        with container(name, directory, programs, "/app/epaudit", "run", "--profile", "test", "--format", "json=/tmp/report.json",
                       "--", "/app/server", "--seconds", "4", capabilities=capabilities) as runtime:
            said = runtime.communicate(timeout=60)[0]
        file = directory / "rootfs/tmp/report.json"
        check(file.exists(), said)
        report = json.loads(file.read_text())
    findings = report["findings"]
    check(runtime.returncode == 1 and [finding["rule"] for finding in findings] == ["EP201"], f"exit {runtime.returncode}: {said}")
    check(findings[0]["process"]["exe"] == "/app/server" and findings[0]["process"]["pid"] < 50, str(findings[0]["process"]))
    frames = [frame for stack in findings[0]["evidence"]["stacks"] for frame in stack["frames"]]
    lines = any(frame.get("file", "").endswith("busy-epollout/bug.cpp") for frame in frames)
    told = any("call stack" in note for note in report["observation"].get("notes", []))
    check(lines or (told and "CAP_SYS_PTRACE" not in capabilities), f"{frames}, {report['observation']}")


def beginning_of_two():
    """As people give the first digits of an id: that means one container, or it is refused and both are named."""
    with named("seltwo") as (_, directory):
        digits, command = f"{os.getpid():08x}", ("/app/server", "--seconds", "60")
        with container(digits + "a1", directory / "first", {"/app/server": FIXED}, *command), \
                container(digits + "b2", directory / "second", {"/app/server": FIXED}, *command):
            for word in ("list", "attach", "inspect"):
                outcome = epaudit(word, "--container", digits, json_report=False)
                check(outcome.code == 2 and f"--container {digits} means several" in outcome.err, outcome.describe())
                check(digits + "a1" in outcome.err and digits + "b2" in outcome.err, outcome.err)

            def listed_by(value):
                outcome = epaudit("list", "--container", value, "--format", "json", json_report=False)
                check(outcome.code == 0, outcome.err)
                return {one["container"]["id"] for one in json.loads(outcome.out)["processes"]}
            wait_for(lambda: listed_by(digits + "a") == {digits + "a1"}, 10, "an epoll in the first container")
            wait_for(lambda: listed_by(digits + "*") == {digits + "a1", digits + "b2"}, 10, "one in each")


def register(suite):
    with suite.side_by_side(SPINNERS):
        suite.run("selected: attach and inspect by name", by_name)
        suite.run("selected: a server that restarts", restart)
        suite.run("selected: somebody else's, that comes later", somebody_elses)
        suite.run("selected: a recording of a server that restarts", recorded)
        suite.run("selected: forks of what is watched", forks)
        suite.run("selected: an epoll that is made later", late_epoll)
        suite.run("selected: in a container of runc", in_a_container)
        suite.run("selected: a path that the host has too, in a container of runc", files_of_a_container)
        suite.run("selected: run in a container of runc", functools.partial(run_in_a_container, TO_WATCH + FOR_SOURCE_LINES))
        suite.run("selected: run in a container of runc with little", functools.partial(run_in_a_container, TO_WATCH))
        suite.run("selected: run in a container of runc, its program has more capabilities",
                  functools.partial(run_in_a_container, TO_WATCH + FOR_SOURCE_LINES[1:]))
        suite.run("selected: a container of runc by the first digits of its id", beginning_of_two)
    suite.run("selected: --wait", waits)
    suite.run("selected: list", listed)
    suite.run("selected: bad input", bad_input)
