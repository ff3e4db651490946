# SPDX-License-Identifier: Apache-2.0
"""How epaudit behaves: bad input, exit codes, pass-through, signals, and leaving nothing behind."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import source_lines
from harness import BUILD, EPAUDIT, NOBODY_WITH_TWO, ROOT, SPINNERS, Skip, Started, check, epaudit, programs, programs_of, serving, wait_for

FIXED = str(BUILD / "demo_bugs/busy-epollout/fixed")
BUG = str(BUILD / "demo_bugs/busy-epollout/bug")


def refuses(code, text, *arguments, prefix=(), hint=""):
    """One clear line, a hint, the right exit code."""
    def test():
        outcome = epaudit(*arguments, json_report=False, prefix=prefix)
        check(outcome.code == code, f"exit {outcome.code}, not {code}: {outcome.err}")
        first = outcome.err.splitlines()[0] if outcome.err else ""
        check(first.startswith("epaudit: ") and text in first, f"first line: {first!r}")
        check(f"hint: {hint}" in outcome.err or not hint and len(outcome.err.splitlines()) == 1, outcome.err)
        check(not outcome.out, f"stdout: {outcome.out!r}")
    return test


def passes_output_and_status():
    outcome = epaudit("run", "--", "sh", "-c",
                      f"echo to-stdout; echo to-stderr >&2; {FIXED} --seconds 1; exit 7", json_report=True)
    check(outcome.code == 7, outcome.describe())
    check("to-stdout\n" in outcome.out and "to-stderr\n" in outcome.err, f"{outcome.out!r} {outcome.err!r}")
    check(outcome.report["child"]["exit_status"] == 7, str(outcome.report.get("child")))


def findings_outrank_status():
    outcome = epaudit("run", "--", "sh", "-c", f"{BUG} --seconds 3; exit 7")
    check(outcome.code == 1, outcome.describe())


def gate():
    outcome = epaudit("run", "--fail-on", "never", "--", BUG, "--seconds", "3")
    check(outcome.code == 0 and outcome.rules() == ["EP201"], outcome.describe())
    outcome = epaudit("run", "--ignore", "busy-epollout", "--", BUG, "--seconds", "3")
    check(outcome.code == 0 and not outcome.rules(), outcome.describe())
    outcome = epaudit("run", "--set", "busy-epollout.per_s=100000000", "--", BUG, "--seconds", "3")
    check(outcome.code == 0, outcome.describe())


def ends_by_interrupt():
    with serving(BUG) as server:
        tool = Started("attach", "--profile", "test", "-p", server.pid)
        for line in tool.process.stderr:  # its own notice says when there is something to report
            if b"EP201" in line:
                break
        outcome = tool.interrupt()
        check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
        check(server.poll() is None, "the target did not survive the end of the observation")


def ends_with_target():
    with serving(BUG) as server:
        tool = Started("attach", "--profile", "test", "-p", server.pid)
        for line in tool.process.stderr:
            if b"EP201" in line:
                break
        loaded = programs_of(tool.process.pid)
        check(loaded, "no program seen while attached: the test cannot fail")
        server.kill()
        server.wait()
        outcome = tool.finish()
        check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
        wait_for(lambda: not loaded & programs(), 10, "no BPF program of ours left")


def no_standard_error():
    """Nothing depends on standard error, and no report gets what was meant for it."""
    import json
    with tempfile.TemporaryDirectory() as directory:
        log = shutil.copy(ROOT / "tests/corpus/busy-epollout-bug.log.zst", directory)
        for redirect in ("2>/dev/full", "2>&-"):
            report = os.path.join(directory, "r.json")
            words = f"{EPAUDIT} strace --format json={report} --format text={directory}/r.txt {log} {redirect}"
            done = subprocess.run(["sh", "-c", words], capture_output=True, check=False)
            check(done.returncode == 1, f"{redirect}: exit {done.returncode}")
            with open(report, encoding="utf-8") as file:
                check(json.load(file)["verdict"]["state"] == "findings", redirect)
            done = subprocess.run(["sh", "-c", f"{EPAUDIT} nonsense {redirect}"], capture_output=True, check=False)
            check(done.returncode == 2, f"{redirect}: exit {done.returncode}")
        for command in ("rules --format json", "explain EP201", "config", "--help"):
            done = subprocess.run(["sh", "-c", f"{EPAUDIT} {command} >/dev/full"], capture_output=True, check=False)
            check(done.returncode == 2 and b"standard output" in done.stderr, f"{command}: exit {done.returncode}: {done.stderr!r}")


NAMED = "import ctypes,os,select,time;ctypes.CDLL(None).prctl(15,b'a) Z\\n1 (b',0,0,0);e=select.epoll();e.register(os.pipe()[0]);print('up',flush=True);time.sleep(60)"


def name_with_a_newline():
    with subprocess.Popen([sys.executable, "-c", NAMED], stdout=subprocess.PIPE) as server:
        try:
            server.stdout.readline()
            outcome = epaudit("inspect", "-p", server.pid, "--format", "json", json_report=False)
            check(outcome.code == 0 and str(server.pid) in outcome.out, outcome.out + outcome.err)
            outcome = epaudit("attach", "-p", server.pid, "--duration", "1.5")
            check(outcome.code == 0 and outcome.report["observation"]["seconds"] > 1.4, outcome.describe())
        finally:
            server.kill()


THREADED = ("import os,select,threading,time;e=select.epoll();e.register(os.pipe()[0]);t=threading.Thread(target=time.sleep,args=(60,),daemon=True);t.start();"
            "print(t.native_id,flush=True);time.sleep(60)")


def thread_id():
    with subprocess.Popen([sys.executable, "-c", THREADED], stdout=subprocess.PIPE) as server:
        try:
            tid = int(server.stdout.readline())
            check(tid != server.pid, "no thread: the test cannot fail")
            said = f"{tid} is a thread of process {server.pid}"
            outcome = epaudit("attach", "-p", tid, "--duration", "0.5")
            check(outcome.code == 0 and outcome.report["target"]["pids"] == [server.pid], outcome.describe())
            check(any(said in note for note in outcome.report["observation"]["notes"]), outcome.describe())
            outcome = epaudit("inspect", "-p", tid, json_report=False)
            check(outcome.code == 0 and said in outcome.err, outcome.out + outcome.err)
        finally:
            server.kill()


def not_audited():
    with tempfile.TemporaryDirectory() as directory:
        config = os.path.join(directory, "e.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[[process]]\nexe = 'bug'\naudit = false\n")
        outcome = epaudit("run", "--config", config, "--", BUG, "--seconds", "1")
        check(outcome.code == 2 and "no process was judged" in outcome.err and "e.toml:1" in outcome.err, outcome.describe())
        with serving(BUG) as server:
            outcome = epaudit("attach", "--config", config, "-p", server.pid)  # without a duration: it must not even begin
            check(outcome.code == 2 and "no process was judged" in outcome.err, outcome.describe())
            outcome = epaudit("attach", "--config", config, "-p", f"{server.pid},{os.getpid()}", "--duration", "0.5")
            check(outcome.code == 2, outcome.describe())


def recording_on_a_full_disk():
    outcome = epaudit("record", "-o", "/dev/full", "--", FIXED, "--seconds", "1")
    check(outcome.code == 2 and "is not whole" in outcome.err, outcome.describe())
    check(outcome.report["verdict"]["reasons"][0]["why"] == "not-recorded", outcome.describe())
    check(outcome.report["verdict"]["exit"] == 2, outcome.describe())


def short_life_counts():
    """An epoll instance that lived for an instant is no reason to say that there was none."""
    outcome = epaudit("run", "--", sys.executable, "-c", "import select; select.epoll().close()")
    check(outcome.code == 0 and outcome.report["observation"]["epolls"] == 1, outcome.describe())


def crash_of_target():
    outcome = epaudit("run", "--", "sh", "-c", f"{FIXED} --seconds 1; kill -SEGV $$")
    check(outcome.code == 128 + signal.SIGSEGV, outcome.describe())
    check(outcome.report["child"]["signal"] == signal.SIGSEGV, str(outcome.report.get("child")))


def duration_ends_run():
    start = time.monotonic()
    outcome = epaudit("run", "--duration", "1.5", "--", FIXED, "--seconds", "9")
    check(outcome.code == 0, outcome.describe())
    check(time.monotonic() - start < 6, "the command was not ended")


def killed_tool_leaves_nothing():
    with serving(FIXED) as server:
        tool = Started("attach", "-p", server.pid)
        loaded = programs_of(tool.process.pid)
        check(loaded, "no program seen while attached: the test cannot fail")
        tool.process.kill()
        tool.process.communicate()
        wait_for(lambda: not loaded & programs(), 10, "no BPF program of ours left")
        check(server.poll() is None, "the target died with the tool")


def own_descriptors():
    """The tool must not leak what it preaches about: the child inherits only stdin, stdout, stderr."""
    outcome = epaudit("run", "--", sys.executable, "-c",
                      "import os,select;e=select.epoll();e.poll(0);print(sorted(os.listdir('/proc/self/fd')))",
                      json_report=True)
    numbers = re.search(r"\[(.*)\]", outcome.out).group(1)
    check(len(numbers.split(",")) <= 5, f"the child saw descriptors {numbers}")  # 0 1 2, epoll, listdir's own


def few_descriptors():
    """It takes what it may have, and the child has what it had."""
    outcome = epaudit("run", "--", "sh", "-c", f"ulimit -S -n; ulimit -H -n; {BUG} --seconds 3",
                      prefix=["prlimit", "--nofile=40:1000"])
    check(outcome.rules() == ["EP201"] and outcome.report["observation"]["hooks"] != "strace", outcome.describe())
    check(outcome.out.split()[:2] == ["40", "1000"], outcome.out)


def only_two_capabilities():
    with tempfile.TemporaryDirectory() as directory:  # this checkout may lie where nobody else may go
        os.chmod(directory, 0o755)
        tool, demo = (shutil.copy(program, directory) for program in (EPAUDIT, BUG))
        outcome = epaudit("run", "--", demo, "--seconds", "3", prefix=NOBODY_WITH_TWO, json_report=False, program=tool)
    check(outcome.code == 1 and "EP201" in outcome.out, f"exit {outcome.code}: {outcome.out} {outcome.err}")
    # The kernel's statistics of what probes cost want CAP_SYS_ADMIN.
    check("\ncost " not in outcome.out and "epaudit's CPU" in outcome.out, outcome.out)


def single_file():
    """epaudit-static needs no library: not in an empty root, nor to name a demo's lines."""
    static = BUILD / "epaudit-static"
    with tempfile.TemporaryDirectory() as empty:
        shutil.copy(static, empty)
        shutil.copy(ROOT / "tests/corpus/busy-epollout-bug.log.zst", empty)
        outcome = epaudit("strace", "/busy-epollout-bug.log.zst", program="/epaudit-static", prefix=["chroot", empty],
                          json_report=False)
    check(outcome.code == 1 and "CONFIRMED  EP201" in outcome.out, f"exit {outcome.code}: {outcome.out} {outcome.err}")
    outcome = epaudit("run", "--format", "text", "--", BUG, "--seconds", "3", program=str(static))
    check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
    source_lines.verify(outcome, ROOT / "demo_bugs/busy-epollout")


def catalogue():
    import json
    listing = json.loads(epaudit("rules", "--format", "json", json_report=False).out)
    ids = [rule["id"] for rule in listing["rules"]]
    check(ids == sorted(set(ids)) and "EP201" in ids, str(ids))
    for rule in listing["rules"]:
        for word in (rule["id"], rule["name"]):
            text = epaudit("explain", word, json_report=False)
            check(text.code == 0 and text.out.startswith(f"{rule['id']} {rule['name']}\n"), text.out[:200])
    for words in (("--version",), ("--help",), ("run", "--help"), ("rules",)):
        outcome = epaudit(*words, json_report=False)
        check(outcome.code == 0 and outcome.out, f"{words}: {outcome.code}")
    for words, same in ((("help",), ("--help",)), (("help", "run"), ("run", "--help")), (("version",), ("--version",)),
                        (("explain", "ep201"), ("explain", "EP201"))):
        check(epaudit(*words, json_report=False).out == epaudit(*same, json_report=False).out, f"{words}")
    family = epaudit("explain", "ep2", json_report=False)
    check(family.code == 0 and [line[:5] for line in family.out.splitlines() if line.startswith("EP")] == [i for i in ids if i.startswith("EP2")], family.out)


def whom_it_signals():
    """That a command is ended, and a process is not, is said wherever somebody looks before he starts one of them."""
    def flat(text):
        return re.sub(r"[\s*_`\\]+", " ", text)
    told = {words: flat(epaudit(*words, "--help", json_report=False).out) for words in ((), ("run",), ("attach",))}
    for page in ("README.md", "docs/usage.md", "docs/man/run.scd", "docs/man/attach.scd", "docs/man/epaudit.scd", "SECURITY.md"):
        told[page] = flat((ROOT / page).read_text())
    for place in set(told) - {("attach",), "docs/man/attach.scd"}:
        check("SIGTERM" in told[place], f"{place}: what a command gets")
    for place in set(told) - {("run",), "docs/man/run.scd"}:
        check(re.search(r"(?i)(attached to gets|they get) no signal", told[place]), f"{place}: what a process gets")
    for place in (("run",), "README.md", "docs/usage.md", "docs/man/run.scd"):
        check("Ctrl-C" in told[place] and "--duration" in told[place], f"{place}: when")


def doctor():
    import json
    outcome = epaudit("doctor", "--format", "json", json_report=False)
    diagnosis = json.loads(outcome.out)
    check(outcome.code == 0 and diagnosis["chosen"] in ("trampoline", "tracepoint"), outcome.out)
    usable = {one["name"]: one["usable"] for one in diagnosis["hook_sets"]}
    check(usable[diagnosis["chosen"]], str(usable))
    chosen = next(one for one in diagnosis["hook_sets"] if one["name"] == diagnosis["chosen"])
    check(all(p["attached"] or p["reason"] for p in chosen["programs"]) and len(chosen["programs"]) >= 6, str(chosen))
    check(len(diagnosis["coverage"]) >= 10 and all(r["status"] != "unavailable" for r in diagnosis["coverage"]),
          str(diagnosis["coverage"]))
    check("verdict   ready to observe" in epaudit("doctor", json_report=False).out, "no verdict")


def doctor_refuses(nobody):
    outcome = epaudit("doctor", json_report=False, prefix=nobody)
    check(outcome.code == 3 and "CAP_BPF" in outcome.out and "nothing can be observed" in outcome.out, outcome.out)


def root_of_a_user_namespace():
    """Has all capabilities, and none that the kernel takes for BPF. What is missing is no memory."""
    inside = ["unshare", "-U", "-r"]
    if subprocess.run([*inside, "true"], capture_output=True).returncode:
        raise Skip("user namespaces are not allowed here")
    refused = epaudit("run", "--source", "bpf", "--", "true", prefix=inside)
    check(refused.code == 3 and "user namespace" in refused.err and "memory" not in refused.err, refused.describe())
    told = epaudit("doctor", json_report=False, prefix=inside)
    check(told.code == 3 and "user namespace" in told.out and "memory" not in told.out, told.out)


def forced_hooks():
    """A set that doctor calls usable works and is named in the report; one that is not is refused."""
    import json
    sets = json.loads(epaudit("doctor", "--format", "json", json_report=False).out)["hook_sets"]
    for one in sets:
        outcome = epaudit("run", "--hooks", one["name"], "--", FIXED, "--seconds", "1")
        if one["usable"]:
            check(outcome.code == 0 and outcome.report["observation"]["hooks"] == one["name"], outcome.describe())
        else:
            check(outcome.code == 3 and one["name"] in outcome.err, outcome.describe())


def register(suite):
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set", "-all",
              "--inh-caps", "-all"]
    with suite.side_by_side(SPINNERS):
        suite.run("an epoll that lived for an instant counts", short_life_counts)
        suite.run("output and exit status pass through", passes_output_and_status)
        suite.run("findings outrank the child's status", findings_outrank_status)
        suite.run("gate, ignore and thresholds", gate)
        suite.run("Ctrl-C ends with a report", ends_by_interrupt)
        suite.run("kill -9 of the target ends with a report", ends_with_target)
        suite.run("crash of the target", crash_of_target)
        suite.run("--duration ends the command", duration_ends_run)
        suite.run("kill -9 of epaudit leaves nothing loaded", killed_tool_leaves_nothing)
        suite.run("descriptors stay ours", own_descriptors)
        suite.run("a low limit of descriptors is raised, for epaudit alone", few_descriptors)
        suite.run("CAP_BPF and CAP_PERFMON suffice", only_two_capabilities)
        suite.run("epaudit-static stands alone", single_file)
        suite.run("a name that holds a newline hides nothing", name_with_a_newline)
        suite.run("a thread id is taken to its process", thread_id)
        suite.run("a process that is not audited is no clean one", not_audited)
        suite.run("a recording that cannot be kept is no success", recording_on_a_full_disk)
        suite.run("--hooks", forced_hooks)
    suite.run("bad input: no such pid", refuses(3, "no process 999999", "attach", "-p", "999999"))
    suite.run("bad input: not a number", refuses(2, "'abc' is not a process id", "attach", "-p", "abc"))
    suite.run("bad input: not root", refuses(3, "CAP_BPF", "run", "--source", "bpf", "--", "true", prefix=nobody))
    suite.run("bad input: unknown rule", refuses(2, "EP999", "run", "--select", "EP999", "--", "true"))
    suite.run("bad input: unknown threshold", refuses(2, "per_sec", "run", "--set", "EP201.per_sec=1", "--", "true"))
    suite.run("bad input: explain unknown rule", refuses(2, "EP999", "explain", "EP999"))
    suite.run("bad input: explain half a name", refuses(2, "'busy'", "explain", "busy", hint="did you mean 'busy-epollout'?"))
    suite.run("bad input: no program", refuses(2, "run needs a program", "run", hint="epaudit run"))
    suite.run("bad input: no command", refuses(2, "no command given", hint="epaudit attach -p PID"))
    suite.run("bad input: misspelt command", refuses(2, "no command 'atach'", "atach", hint="did you mean 'attach'?"))
    suite.run("bad input: no process", refuses(2, "attach needs a process", "attach", hint="epaudit attach NAME"))
    suite.run("bad input: one word too many", refuses(2, "unexpected argument 'more'", "replay", "a", "more"))
    suite.run("bad input: misspelt option",
              refuses(2, "no option '--durations'", "run", "--durations", "3", "--", "true", hint="did you mean '--duration'?"))
    suite.run("bad input: no number", refuses(2, "invalid duration 'soon'", "run", "--duration", "soon", "--", "true"))
    suite.run("bad input: no rule is on", refuses(2, "no rule is on", "run", "--select", "EP201", "--ignore", "EP2", "--", "true",
                                                  hint="let --select"))
    suite.run("bad input: two documents on standard output",
              refuses(2, "cannot share standard output", "run", "--format", "json", "--format", "text", "--", "true", hint="give one"))
    suite.run("bad input: a word after --", refuses(3, "no process is called 'nosuch'", "attach", "-p", "1", "--", "nosuch"))
    suite.run("bad input: options that a log has no use for", refuses(2, "no option '--hooks'", "strace", "log", "--hooks", "auto",
                                                                      hint="epaudit strace"))
    suite.run("standard error is full, or closed", no_standard_error)
    suite.run("bad input: missing file", refuses(2, "No such file", "run", "--", "/no/such/program"))
    suite.run("bad input: unknown format", refuses(2, "xml", "run", "--format", "xml", "--", "true"))
    suite.run("no epoll in target", refuses(3, "no epoll instance", "run", "--", "sh", "-c", "exit 0"))
    suite.run("target that exits at once", refuses(3, "no epoll instance", "run", "--", "true"))
    suite.run("too few descriptors", refuses(3, "no more than 64 descriptors may be open", "attach", "-p", os.getpid(),
                                             prefix=["prlimit", "--nofile=64:64"], hint="ulimit -n 1024"))
    suite.run("rules, explain, help", catalogue)
    suite.run("whom it signals is said", whom_it_signals)
    suite.run("doctor", doctor)
    suite.run("doctor without privileges", lambda: doctor_refuses(nobody))
    suite.run("root of a user namespace", root_of_a_user_namespace)
