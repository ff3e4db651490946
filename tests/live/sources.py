# SPDX-License-Identifier: Apache-2.0
"""--source strace: what can be judged where BPF is refused. The demos whose rule a log can see are judged so, too: a
handful always, all of them under the word "everything"."""
import os
import pathlib
import re
import shutil
import signal
import sys
import tempfile

from harness import BUILD, EPAUDIT, ROOT, SPINNERS, Skip, Started, check, epaudit, expectations, serving, wait_for

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
HANDFUL = ("accept-spin", "busy-epollout", "eof-spin", "epoll-shared-across-fork", "hup-err-spin", "unread-spin")
# The others whose bug the calls alone show, at the level that it has live. The fixed twins of all are silent.
ALSO_SEEN = ("concurrent-handlers", "epoll-fd-leaked", "et-blocking-fd", "exclusive-misuse", "ghost-registration",
             "loop-stall", "mixed-trigger-modes", "polling-timeout", "stale-event", "zero-timeout-spin")
# Rules of which a log shows less than their demo needs: a program that shows what is left, and at which level.
SHOWS_LESS = {
    "EP101": """
import select, socket, time
listener = socket.create_server(("127.0.0.1", 0))
other = socket.create_connection(listener.getsockname())
one = listener.accept()[0]
one.setblocking(False)
loop = select.epoll()
loop.register(one, select.EPOLLIN | select.EPOLLET)
other.send(b"x" * 64)
loop.poll(1)
one.recv(16)
loop.poll(3)
""",
    "EP401": """
import select, socket
listener = socket.create_server(("127.0.0.1", 0))
listener.setblocking(False)
loop = select.epoll()
loop.register(listener, select.EPOLLIN)
for _ in range(12):
    client = socket.create_connection(listener.getsockname())
    loop.poll(1)
    listener.dup().accept()  # as another worker would
    try:
        listener.accept()
    except BlockingIOError:
        pass
""",
    "EP601": """
import select, socket
one, other = socket.socketpair()
loop = select.epoll()
for _ in range(150):
    try:
        loop.modify(one, select.EPOLLIN)
    except FileNotFoundError:
        pass
    loop.poll(0.001)
loop.poll(2)
""",
}
BUG = str(BUILD / "demo_bugs/busy-epollout/bug")
FIXED = str(BUILD / "demo_bugs/busy-epollout/fixed")


def for_nobody(directory, *programs):
    """Copies where nobody may go; this checkout may lie elsewhere."""
    os.chmod(directory, 0o755)
    return [shutil.copy(program, directory) for program in programs]


def need_strace():
    if not shutil.which("strace"):
        raise Skip("strace is not installed")


def falls_back_without_privileges():
    need_strace()
    with tempfile.TemporaryDirectory() as directory:
        tool, bug, fixed = for_nobody(directory, EPAUDIT, BUG, FIXED)
        outcome = epaudit("run", "--", bug, "--seconds", "2", prefix=NOBODY, json_report=False, program=tool)
        check(outcome.code == 1 and "EP201 busy-epollout" in outcome.out, f"exit {outcome.code}: {outcome.out}{outcome.err}")
        check("BPF cannot be used here" in outcome.out and "strace stopped the program" in outcome.out, outcome.out)
        outcome = epaudit("run", "--", "sh", "-c", f"{fixed} --seconds 1; exit 7", prefix=NOBODY, json_report=False, program=tool)
        check(outcome.code == 7 and "no epoll misuse found" in outcome.out, f"exit {outcome.code}: {outcome.out}{outcome.err}")
        outcome = epaudit("run", "--source", "bpf", "--", fixed, prefix=NOBODY, json_report=False, program=tool)
        check(outcome.code == 3 and "CAP_BPF" in outcome.err and not outcome.out, outcome.err)


def the_child_inherits_nothing_of_ours():
    need_strace()
    outcome = epaudit("run", "--source", "strace", "--", sys.executable, "-c",
                      "import os,select;e=select.epoll();e.poll(0);print(sorted(os.listdir('/proc/self/fd')))")
    numbers = re.search(r"\[(.*)\]", outcome.out).group(1)
    check(len(numbers.split(",")) <= 5, f"the child saw descriptors {numbers}")


def attach_never_falls_back():
    with tempfile.TemporaryDirectory() as directory, serving(FIXED) as server:
        tool, = for_nobody(directory, EPAUDIT)
        outcome = epaudit("attach", "-p", server.pid, prefix=NOBODY, json_report=False, program=tool)
        check(outcome.code == 3 and "CAP_BPF" in outcome.err and "strace" not in outcome.err, outcome.err)


def without_strace():
    with tempfile.TemporaryDirectory() as empty:
        environment = {**os.environ, "PATH": empty}
        outcome = epaudit("run", "--source", "strace", "--", "/bin/true", env=environment, json_report=False)
        check(outcome.code == 3 and "strace is not installed" in outcome.err and "apt install strace" in outcome.err, outcome.err)
        outcome = epaudit("attach", "--source", "strace", "-p", os.getpid(), env=environment, json_report=False)
        check(outcome.code == 3 and "apt install strace" in outcome.err, outcome.err)


def status_signal_and_forks_pass_through():
    need_strace()
    outcome = epaudit("run", "--source", "strace", "--", "sh", "-c", f"{FIXED} --seconds 1; exit 7")
    check(outcome.code == 7 and outcome.report["child"]["exit_status"] == 7, outcome.describe())
    check(outcome.report["observation"]["hooks"] == "strace", outcome.describe())
    outcome = epaudit("run", "--source", "strace", "--", "sh", "-c", f"{FIXED} --seconds 1; kill -SEGV $$")
    check(outcome.code == 128 + signal.SIGSEGV, outcome.describe())
    outcome = epaudit("run", "--source", "strace", "--", "sh", "-c", f"({BUG} --seconds 2 & wait); exit 0")
    check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())


def the_target_lives_on():
    need_strace()
    with serving(BUG) as server:
        tool = Started("attach", "--source", "strace", "--profile", "test", "-p", server.pid)
        for line in tool.process.stderr:
            if b"EP201" in line:
                break
        outcome = tool.interrupt()
        check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
        check(outcome.report["findings"][0]["process"] == {"pid": server.pid, "comm": "bug", "exe": ""}, outcome.describe())
        check(server.poll() is None, "the target did not survive")
        status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
        check("TracerPid:\t0" in status and "(tracing stop)" not in status, status[:400])
        outcome = epaudit("attach", "--source", "strace", "--duration", "1", "-p", server.pid)
        check(outcome.seconds < 12 and server.poll() is None, outcome.describe())


def duration_ends_run():
    need_strace()
    outcome = epaudit("run", "--source", "strace", "--duration", "1.5", "--", FIXED, "--seconds", "20")
    check(outcome.code == 0 and outcome.seconds < 12, outcome.describe())


def a_lost_tracer_is_not_clean():
    """strace is killed under us: what came after it is not known."""
    need_strace()
    with serving(FIXED) as server:
        tool = Started("attach", "--source", "strace", "-p", server.pid)
        tracer = int(re.search(r"TracerPid:\t(\d+)", pathlib.Path(f"/proc/{server.pid}/status").read_text())[1])
        check(tracer > 1, "nobody traces it: the test cannot fail")
        os.kill(tracer, signal.SIGKILL)
        outcome = tool.finish()
        check(outcome.code == 4 and outcome.report["verdict"]["state"] == "inconclusive", outcome.describe())
        wait_for(lambda: "TracerPid:\t0" in pathlib.Path(f"/proc/{server.pid}/status").read_text(), 5, "it to be let go")


def too_short_is_said():
    """What `epaudit strace` calls too short, a traced run calls so, too."""
    need_strace()
    program = ("import os, select\nr, w = os.pipe()\nloop = select.epoll()\nloop.register(r, select.EPOLLIN)\nos.write(w, b'x')\n"
               "for _ in range({}):\n    loop.poll(1)\n{}os._exit(0)")
    outcome = epaudit("run", "--source", "strace", "--", sys.executable, "-c", program.format(50, ""))
    reasons = [reason["why"] for reason in outcome.report["verdict"]["reasons"]]
    check(outcome.code == 4 and reasons == ["too-short"], outcome.describe() + str(outcome.report["verdict"]))
    check("50 times in a row" in outcome.report["verdict"]["text"], str(outcome.report["verdict"]))
    outcome = epaudit("run", "--source", "strace", "--", sys.executable, "-c", program.format(50, "os.read(r, 9)\nloop.poll(0)\n"))
    check(outcome.code == 0, outcome.describe() + str(outcome.report["verdict"]))


def fires(outcome, rule):
    coverage = {one["rule"]: one["status"] for one in outcome.report["coverage"]}
    check(coverage[rule] != "unavailable", f"{rule} is called unavailable")
    told = [finding["rule"] for finding in outcome.report["findings"]]
    check(rule in told, f"{rule} is called {coverage[rule]} and says nothing: {outcome.describe()}")


def less(rule):
    def test():
        need_strace()
        fires(epaudit("run", "--source", "strace", "--risks", "--", sys.executable, "-c", SHOWS_LESS[rule]), rule)
    return test


def whatever_is_claimed_fires():
    """Every rule is unavailable in a traced run, or has a case here that shows it."""
    need_strace()
    outcome = epaudit("run", "--source", "strace", "--", FIXED, "--seconds", "1")
    claimed = {one["rule"] for one in outcome.report["coverage"] if one["status"] != "unavailable"}
    shown = {rule for name in HANDFUL + ALSO_SEEN for rule, _ in expectations(ROOT / "demo_bugs" / name, "bug")}
    check(claimed == shown | set(SHOWS_LESS), f"claimed, but not shown {sorted(claimed - shown - set(SHOWS_LESS))}, "
          f"shown, but not claimed {sorted((shown | set(SHOWS_LESS)) - claimed)}")


def demo(name):
    def test():
        need_strace()
        if name in HANDFUL + ALSO_SEEN:
            (wanted, level), = expectations(ROOT / "demo_bugs" / name, "bug")
            outcome = epaudit("run", "--source", "strace", "--risks", "--", BUILD / "demo_bugs" / name / "bug", "--seconds", "3")
            fires(outcome, wanted)
            check(outcome.code == (1 if level in ("confirmed", "likely") else 0), outcome.describe())
        outcome = epaudit("run", "--source", "strace", "--", BUILD / "demo_bugs" / name / "fixed", "--seconds", "3")
        check(not outcome.rules(), outcome.describe())
    return test


def register(suite):
    with suite.side_by_side(SPINNERS):
        suite.run("source: run falls back to strace without privileges", falls_back_without_privileges)
        suite.run("source: the child of a traced run inherits nothing of ours", the_child_inherits_nothing_of_ours)
        suite.run("source: attach never falls back", attach_never_falls_back)
        suite.run("source: strace is missing", without_strace)
        suite.run("source: status, signal and forks pass through strace", status_signal_and_forks_pass_through)
        suite.run("source: the target of attach lives on", the_target_lives_on)
        suite.run("source: --duration ends a traced run", duration_ends_run)
        suite.run("source: a tracer that is killed leaves it inconclusive", a_lost_tracer_is_not_clean)
        suite.run("source: too short is said of a traced run", too_short_is_said)
        suite.run("source: every rule that is claimed has a case", whatever_is_claimed_fires)
        for rule in SHOWS_LESS:
            suite.run(f"source: {rule} by strace, less than live", less(rule))
        everything = any("everything" in word for word in suite.only)
        for folder in sorted((ROOT / "demo_bugs").iterdir()):
            name = folder.name
            if (folder / "bug.cpp").exists() and (name in HANDFUL or everything):
                suite.run(f"source: {name} by strace{'' if name in HANDFUL else ', everything'}", demo(name))
