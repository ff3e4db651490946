# SPDX-License-Identifier: Apache-2.0
"""epaudit inside a container (a pid and a mount namespace of its own, which is what makes one to it), and on a host that
looks into one: process numbers are those of whoever asks."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import source_lines
from harness import BUILD, EPAUDIT, ROOT, SPINNERS, Final, check, epaudit, nothing_found, serving, wait_for

CONTAINER = ["unshare", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child"]
BUG = str(BUILD / "demo_bugs/busy-epollout/bug")
FIXED = str(BUILD / "demo_bugs/busy-epollout/fixed")
TROUBLE = str(BUILD / "tests/trouble")
SMALL = 100  # a new pid namespace begins at 1; no process of the host that we start has such a number


def inside(script, **more):
    """A shell script in a container; `$E` is epaudit."""
    done = subprocess.run([*CONTAINER, "sh", "-c", script], capture_output=True, text=True, timeout=120, check=False,
                          env=dict(os.environ, E=EPAUDIT), **more)
    return done.returncode, done.stdout, done.stderr


def numbers_are_ours(report):
    """Those of processes, and of threads in time lines: of the container's, not of the machine's."""
    finding = report["findings"][0]
    check(0 < finding["process"]["pid"] < SMALL, str(finding["process"]))
    check(finding["process"]["comm"] == "bug" and finding["process"]["exe"] == BUG, str(finding["process"]))
    tids = {event["tid"] for event in finding["evidence"]["timeline"] if event.get("tid")}
    check(tids and all(tid < SMALL for tid in tids), f"threads {tids}")
    check(all(pid < SMALL for pid in report["target"]["pids"]), str(report["target"]))


def run_inside():
    outcome = epaudit("run", "--", "sh", "-c", f"{BUG} --seconds 4; true", prefix=CONTAINER)  # the shell forks it
    check(outcome.code == 1 and outcome.rules() == ["EP201"] and outcome.report["observation"]["complete"], outcome.describe())
    numbers_are_ours(outcome.report)
    source_lines.verify(outcome, ROOT / "demo_bugs/busy-epollout")
    outcome = epaudit("run", "--", FIXED, "--seconds", "2", prefix=CONTAINER)
    check(outcome.code == 0 and not outcome.report["findings"], outcome.describe())


def attach_inside():
    with tempfile.TemporaryDirectory() as directory:
        report = os.path.join(directory, "report.json")
        code, out, err = inside(f"{BUG} --seconds 20 2>/dev/null & echo $! && exec $E attach --profile test --duration 3 "
                                f"--format json={report} -p $!")
        found = json.loads(pathlib.Path(report).read_text())
    check(code == 1 and [f["rule"] for f in found["findings"]] == ["EP201"], f"exit {code}: {out} {err}")
    check(found["target"]["pids"] == [int(out.split()[0])], f"{found['target']}, not {out}")
    numbers_are_ours(found)


def inspect_inside():
    """Holders, and the thread that waits, by the container's numbers."""
    code, out, err = inside(f"{FIXED} --seconds 20 2>/dev/null & P=$!; while ! grep -q epoll /proc/$P/wchan; do :; done; "
                            "echo $P; $E inspect --format json -p $P")
    number, _, document = out.partition("\n")
    check(code == 0 and document, f"exit {code}: {out} {err}")
    look = json.loads(document)
    (one,) = look["epolls"]
    check({h["pid"] for h in one["descriptors"]} == {int(number)}, str(one["descriptors"]))
    check([w["tid"] for w in one["waiters"]] == [int(number)], str(one["waiters"]))


def one_inside_another():
    """The program lives in a pid namespace of its own, below that of epaudit, where it is number 1; epaudit's own may be the
    machine's first one or a container's."""
    for prefix in ([], CONTAINER):
        outcome = epaudit("run", "--", *CONTAINER, "sh", "-c", f"echo $$; exec {BUG} --seconds 4", prefix=prefix)
        check(outcome.code == 1 and outcome.rules() == ["EP201"] and outcome.report["observation"]["complete"], outcome.describe())
        check(re.search(r"^1$", outcome.out, re.M), f"the test proves nothing: {outcome.out}")
        finding = outcome.report["findings"][0]
        check(finding["process"]["pid"] > 1 and finding["process"]["exe"] == BUG, str(finding["process"]))
        tids = {event["tid"] for event in finding["evidence"]["timeline"] if event.get("tid")}
        check(tids and min(tids) >= finding["process"]["pid"], f"threads {tids}, process {finding['process']}")
        names_source(finding)
        if prefix:
            numbers_are_ours(outcome.report)


def record_inside():
    """The recording speaks of the container's numbers, and its replay, elsewhere, says what the run said."""
    with tempfile.TemporaryDirectory() as directory:
        file = os.path.join(directory, "r.epr")
        live = epaudit("record", "-o", file, "--", BUG, "--seconds", "4", prefix=CONTAINER)
        check(live.code == 1 and live.rules() == ["EP201"], live.describe())
        again = epaudit("replay", file)
    check(again.code == 1 and again.rules() == ["EP201"], again.describe())
    for report in (live.report, again.report):
        numbers_are_ours(report)
    check(live.report["findings"][0]["process"]["pid"] == again.report["findings"][0]["process"]["pid"], again.describe())


def storm_inside():
    outcome = epaudit("run", "--", TROUBLE, "forks", "300", prefix=CONTAINER)
    nothing_found(outcome)
    check(outcome.report["observation"]["calls"]["fork"] == 300, str(outcome.report["observation"]["calls"]))
    check(outcome.report["observation"]["calls"]["exit"] >= 300, str(outcome.report["observation"]["calls"]))


def number_of_a_stranger():
    """A process in the container has the number of one outside, which misbehaves: that is not its doing."""
    with serving(BUG) as server, tempfile.TemporaryDirectory() as directory:
        report = os.path.join(directory, "report.json")
        ready = os.path.join(directory, "ready")
        code, out, err = inside(f"{TROUBLE} as-pid {server.pid} {FIXED} --seconds 4 --ready-file {ready} 2>/dev/null & "
                                f"while ! test -e {ready}; do :; done; "
                                f"exec $E attach --profile test --format json={report} -p {server.pid}")
        found = json.loads(pathlib.Path(report).read_text())
    if found["findings"]:
        raise Final(f"{found['findings']}")
    check(code == 0 and found["observation"]["epolls"] == 1, f"exit {code}: {out} {err}")


def root_with_server(directory):
    """A root directory for a container: /srv/server and what it needs, and nothing else."""
    root = pathlib.Path(directory, "root")
    for folder in ("srv", "tmp", "proc"):
        (root / folder).mkdir(parents=True)
    shutil.copy(BUG, root / "srv/server")
    libraries = set(re.findall(r"(/\S+)", subprocess.run(["ldd", BUG], capture_output=True, text=True, check=True).stdout))
    for library in libraries:
        target = root / library[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    return root


def names_source(finding):
    files = {frame.get("file", "") for stack in finding["evidence"]["stacks"] for frame in stack["frames"]}
    check(any(file.endswith("busy-epollout/bug.cpp") for file in files), f"source files {files}")


def run_into_one():
    """What is run makes a container, and its program is in there only; epaudit itself may be in one."""
    for prefix in ([], CONTAINER):
        with tempfile.TemporaryDirectory() as directory:
            root = root_with_server(directory)
            outcome = epaudit("run", "--", "unshare", "--pid", "--fork", "--mount", "--kill-child", "chroot", root, "/srv/server",
                              "--seconds", "4", prefix=prefix)
        check(outcome.code == 1 and outcome.rules() == ["EP201"] and outcome.report["observation"]["complete"], outcome.describe())
        finding = outcome.report["findings"][0]
        check(finding["process"]["exe"].endswith("/srv/server"), str(finding["process"]))
        names_source(finding)
        if prefix:
            check(0 < finding["process"]["pid"] < SMALL, str(finding["process"]))


def host_looks_into_one():
    """The host's numbers; source lines by way of the container's own root, where the host has no such file."""
    with tempfile.TemporaryDirectory() as directory:
        root = root_with_server(directory)
        server = subprocess.Popen(["unshare", "--pid", "--fork", "--mount", "--kill-child", "chroot", str(root), "/srv/server",
                                   "--seconds", "30", "--ready-file", "/tmp/ready"], stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: (root / "tmp/ready").exists() or server.poll() is not None, 10, "the server in its container")
            (child,) = pathlib.Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
            numbers = re.search(r"NSpid:\s*(.*)", pathlib.Path(f"/proc/{child}/status").read_text())[1].split()
            check(len(numbers) == 2 and numbers[0] != numbers[1], f"no container: {numbers}")
            outcome = epaudit("attach", "--profile", "test", "--duration", "3", "-p", child)
            check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
            finding = outcome.report["findings"][0]
            check(finding["process"]["pid"] == int(child) and finding["process"]["exe"].endswith("/srv/server"), str(finding))
            names_source(finding)
            look = epaudit("inspect", "--format", "json", "-p", child, json_report=False)
            check({h["pid"] for h in json.loads(look.out)["epolls"][0]["descriptors"]} == {int(child)}, look.out[:400])
        finally:
            server.kill()
            server.wait()


def a_clock_of_its_own():
    """A time namespace sets the clock of its programs; what the kernel dates is dated by the machine's."""
    prefix = [*CONTAINER, "--time", "--monotonic", "100000", "--boottime", "100000"]
    outcome = epaudit("run", "--", BUG, "--seconds", "4", prefix=prefix)
    check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
    times = [event["t"] for event in outcome.report["findings"][0]["evidence"]["timeline"]]
    check(times and all(-10 < t < 10 for t in times), f"seconds from the beginning: {times}")


def doctor_inside():
    """Says whose numbers they are; the rest is as outside."""
    outcome = epaudit("doctor", "--format", "json", json_report=False, prefix=CONTAINER)
    diagnosis = json.loads(outcome.out)
    check(outcome.code == 0 and diagnosis["chosen"], outcome.out + outcome.err)
    check(diagnosis["system"].get("process numbers") == "those of this container", outcome.out)
    outside = json.loads(epaudit("doctor", "--format", "json", json_report=False).out)
    check(outside["hook_sets"] == diagnosis["hook_sets"] and "process numbers" not in outside["system"], outcome.out)


def another_proc():
    """Numbers of one namespace, and a /proc of another: nothing that is said could be trusted."""
    code, out, err = subprocess_in(["unshare", "--pid", "--fork"], EPAUDIT, "inspect", "-p", "1")
    check(code == 3 and "another pid namespace" in err and "mount -t proc" in err, f"exit {code}: {out} {err}")
    code, out, err = subprocess_in(["unshare", "--pid", "--fork"], EPAUDIT, "run", "--source", "bpf", "--", "true")
    check(code == 3 and "another pid namespace" in err, f"exit {code}: {out} {err}")


def subprocess_in(prefix, *words):
    done = subprocess.run([*prefix, *words], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def register(suite):
    with suite.side_by_side(SPINNERS):
        suite.run("container: run inside", run_inside)
        suite.run("container: attach inside", attach_inside)
        suite.run("container: inspect inside", inspect_inside)
        suite.run("container: record inside, replay outside", record_inside)
        suite.run("container: one inside another", one_inside_another)
        suite.run("container: a fork storm inside", storm_inside)
        suite.run("container: the number of a stranger outside", number_of_a_stranger)
        suite.run("container: run into one", run_into_one)
        suite.run("container: the host looks into one", host_looks_into_one)
        suite.run("container: a clock of its own", a_clock_of_its_own)
        suite.run("container: doctor inside", doctor_inside)
        suite.run("container: /proc of another namespace is refused", another_proc)
