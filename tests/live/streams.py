# SPDX-License-Identifier: Apache-2.0
"""Standard streams that are closed, full, non-blocking or read by nobody: for every command, no crash, nothing in the wrong
file, and an exit code that says so."""
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from harness import BUILD, EPAUDIT, ROOT, SPEED, SPINNERS, check, epaudit, serving

FIXED = str(BUILD / "demo_bugs/busy-epollout/fixed")
LOG = ROOT / "tests/corpus/busy-epollout-bug.log.zst"
F_SETPIPE_SZ = 1031


def started(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, closed=()):
    """With these descriptors; those in `closed` are not open at all."""
    def close():
        for fd in closed:
            os.close(fd)
    return subprocess.Popen([EPAUDIT, *words], stdin=stdin, stdout=stdout, stderr=stderr, preexec_fn=close)


def exit_of(words, **streams):
    with started(words, **streams) as process:
        return process.wait(60 * SPEED)


def broken_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def through_a_small_pipe(words):
    """What comes out of a non-blocking pipe of one page, and the exit code. Its reader waits until it is full."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    os.write(writer, bytes(4096))
    with started(words, stdout=writer) as process, open(reader, "rb") as pipe:
        os.close(writer)
        text = pipe.read()
        return process.wait(60 * SPEED), text[4096:].decode()


def every_command(recording, pid):
    """Words, exit code, and whether BPF is needed (those take their time)."""
    demo = ["--", "sh", "-c", f"exec {FIXED} --seconds 1 >/dev/null 2>&1"]  # its own streams are not the question
    return [(["--help"], 0, False), (["--version"], 0, False), (["run", "--help"], 0, False), (["rules"], 0, True),
            (["explain", "EP201"], 0, False), (["config"], 0, False), (["strace", str(LOG)], 1, False),
            (["replay", recording], 0, False), (["doctor"], 0, True), (["inspect", "-p", str(pid)], 0, True),
            (["run", *demo], 0, True), (["attach", "--duration", "0.5", "-p", str(pid)], 0, True),
            (["record", "-o", recording + ".2", *demo], 0, True)]


def each(test):
    """Once for every command; all that is wrong is said at once."""
    def run():
        with tempfile.TemporaryDirectory() as directory, serving(FIXED) as server:
            recording = os.path.join(directory, "r.rec")
            outcome = epaudit("record", "-o", recording, "--", FIXED, "--seconds", "1")
            check(outcome.code == 0, outcome.describe())
            wrong = []
            for words, code, slow in every_command(recording, server.pid):
                wrong += [f"{' '.join(words)}: {what}" for what in test(words, code, slow)]
            check(not wrong, "\n".join(wrong))
    return run


def no_standard_output(words, _, slow):
    ways = {"full": lambda: exit_of(words, stdout=open("/dev/full", "wb")), "broken": lambda: exit_of(words, stdout=broken_pipe()),
            "closed": lambda: exit_of(words, closed=(1,))}
    for name, way in list(ways.items())[1:2] if slow else ways.items():
        if (got := way()) != 2:
            yield f"standard output {name}: exit {got}, not 2"


def no_standard_error(words, code, slow):
    ways = {"full": lambda: exit_of(words, stderr=open("/dev/full", "wb")), "broken": lambda: exit_of(words, stderr=broken_pipe()),
            "closed": lambda: exit_of(words, closed=(2,))}
    for name, way in list(ways.items())[1:2] if slow else ways.items():
        if (got := way()) != code:
            yield f"standard error {name}: exit {got}, not {code}"


def non_blocking(words, code, _):
    got, text = through_a_small_pipe(words)
    if got != code:
        yield f"non-blocking standard output: exit {got}, not {code}"
    if not text.endswith("\n"):
        yield f"non-blocking standard output: cut after {len(text)} bytes"


def nothing_in_the_wrong_file():
    """With all three closed, a report holds the report and nothing else."""
    with tempfile.TemporaryDirectory() as directory:
        log = shutil.copy(LOG, directory)
        report = pathlib.Path(directory, "r.json")
        for closed in ((0,), (1,), (2,), (0, 1, 2)):
            got = exit_of(["strace", "--format", f"json={report}", log], closed=closed)
            check(got == 1, f"{closed} closed: exit {got}")
            check(json.loads(report.read_text())["verdict"]["exit"] == 1, f"{closed} closed")
            report.unlink()


def the_command_keeps_its_pipe_signal():
    """We ignore SIGPIPE; the command does not inherit that."""
    outcome = epaudit("run", "--", "sh", "-c", "grep SigIgn /proc/self/status; " + FIXED + " --seconds 1")
    ignored = int(outcome.out.split("SigIgn:")[1].split()[0], 16)
    check(not ignored & (1 << 12 | 1 << 24), f"SIGPIPE or SIGXFSZ is ignored in the command: {ignored:x}")


def a_limit_of_file_sizes():
    """`ulimit -f`: an error, no death by SIGXFSZ; nothing is left behind."""
    with tempfile.TemporaryDirectory() as directory:
        log = shutil.copy(LOG, directory)
        done = subprocess.run(["prlimit", "--fsize=1000", EPAUDIT, "strace", "-q", "--format", f"json={directory}/r.json", log],
                              capture_output=True, check=False)
        check(done.returncode == 2 and b"File too large" in done.stderr, f"exit {done.returncode}: {done.stderr!r}")
        check(os.listdir(directory) == [os.path.basename(log)], str(os.listdir(directory)))


def register(suite):
    with suite.side_by_side(SPINNERS):
        suite.run("streams: standard output is full, broken or closed", each(no_standard_output))
        suite.run("streams: standard error is full, broken or closed", each(no_standard_error))
        suite.run("streams: standard output is non-blocking", each(non_blocking))
        suite.run("streams: nothing in the wrong file", nothing_in_the_wrong_file)
        suite.run("streams: a limit of file sizes", a_limit_of_file_sizes)
        suite.run("streams: the command keeps its SIGPIPE", the_command_keeps_its_pipe_signal)
