# SPDX-License-Identifier: Apache-2.0
"""Reports of real runs: all formats at once, the page in a browser, policy, baseline, progress, few privileges."""
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from harness import BUILD, EPAUDIT, ROOT, SPEED, SPINNERS, Skip, check, read_to_end, wait_for

sys.path.insert(0, str(ROOT / "tests/formats"))
import browser  # noqa: E402
import check as formats  # noqa: E402

SPINNING = BUILD / "demo_bugs/busy-epollout/bug"
STALLED = BUILD / "demo_bugs/et-read-not-drained/bug"
HEALTHY = BUILD / "demo_bugs/busy-epollout/fixed"


def audit(directory, *options, demo=SPINNING, seconds=3):
    """Runs epaudit in `directory`; returns exit code, stdout, stderr."""
    return call(directory, EPAUDIT, "run", "-q", *options, "--", demo, "--seconds", int(seconds * SPEED))


def record(directory, *options, demo=SPINNING):
    """The same, and keeps what was seen, for judged()."""
    return call(directory, EPAUDIT, "record", "-q", "-o", "kept.rec", *options, "--", demo, "--seconds", int(3 * SPEED))


def judged(directory, *options):
    """What is said of what record() saw, under other options."""
    return call(directory, EPAUDIT, "replay", "-q", *options, "kept.rec")


def call(directory, *words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, errors="replace", timeout=90 * SPEED,
                          cwd=directory, stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout, done.stderr


def in_directory(test):
    def run():
        with tempfile.TemporaryDirectory(prefix="epaudit-reports-") as directory:
            test(pathlib.Path(directory))
    return run


def all_formats_from_one_run(directory):
    names = [name for name in formats.REPORTS if name != "html"]
    code, out, err = audit(directory, *(f"--format={name}=r.{name}" for name in names), "--format", "text", seconds=5)
    check(code == 1, f"exit {code}: {err}{out[-1500:]}")
    check("EP201 busy-epollout" in out, out)
    for name in names:
        for test in formats.REPORTS[name]:
            test(directory / f"r.{name}")


def pages_in_a_browser(directory):
    pages = {"spinning": SPINNING, "stalled": STALLED}
    for name, demo in pages.items():
        code, _, err = audit(directory, "--format", f"html={name}.html", demo=demo, seconds=4)
        check(code == 1, f"{name}: exit {code}: {err}")
    try:
        with browser.Browser() as chromium:
            for name in pages:
                wrong = browser.problems(chromium, directory / f"{name}.html", pictures=os.environ.get("EPAUDIT_PICTURES"))
                check(not wrong, f"{name}: " + "\n".join(wrong))
                seen = chromium.evaluate(browser.LOOK)
                check(seen["lines"] >= 2 and seen["bars"] > 0, f"{name}: no rates or no latencies: {seen}")
    except browser.NoBrowser as error:
        raise Skip(str(error)) from None


def the_gate_is_the_same_for_every_format(directory):
    record(directory)
    for name in ("json", "sarif", "junit", "github", "html", "ndjson"):
        for level, expected in (("never", 0), ("likely", 1)):
            code, _, err = judged(directory, "--fail-on", level, "--format", f"{name}=r.{name}")
            check(code == expected, f"{name}: exit {code}: {err}")


def a_baseline_holds(directory):
    code, _, err = record(directory, "--write-baseline", "known.json")
    check(code == 0, f"writing: exit {code}: {err}")
    entries = json.loads((directory / "known.json").read_text())["findings"]
    check([e["rule"] for e in entries] == ["EP201"], f"entries {entries}")
    code, out, err = judged(directory, "--baseline", "known.json")
    check(code == 0 and "known     1 finding by known.json" in out, f"known: exit {code}: {out}{err}")
    code, out, err = audit(directory, "--baseline", "known.json", demo=STALLED, seconds=4)
    check(code == 1 and "EP201 busy-epollout of bug" in out and "is no longer seen" in out, f"new: exit {code}: {out}{err}")


def suppressions_hold_and_expire(directory):
    code, out, err = record(directory, "--gen-suppressions")
    check(code == 1, f"exit {code}: {err}")
    entry = out[out.index("# busy-epollout\n[[suppress]]"):]
    (directory / "epaudit.toml").write_text(entry + "[[suppress]]\nrule = \"EP301\"\nreason = \"never\"\n")
    code, out, err = judged(directory)
    check(code == 0 and "say here why this is accepted" in out, f"exit {code}: {out}{err}")
    check("the suppression of EP301 matched nothing" in out, out)
    (directory / "epaudit.toml").write_text(entry.rstrip() + "\nexpires = 2020-01-01\n")
    code, out, err = judged(directory)
    check(code == 1 and "expired on 2020-01-01" in out, f"exit {code}: {out}{err}")
    code, out, err = judged(directory, "--no-config")
    check(code == 1 and "expired" not in out, f"--no-config: exit {code}: {out}{err}")


def a_name_that_is_no_text_is_suppressed_by_what_we_print(directory):
    demo = directory / os.fsdecode(b"caf\xe9")
    shutil.copy(SPINNING, demo)
    code, _, err = record(directory, "--format", "json=r.json", "--write-baseline", "b.json", demo=demo)
    check(code == 0, f"exit {code}: {err}")
    comm = json.loads((directory / "r.json").read_text())["suppressed"][0]["process"]["comm"]
    check(comm == "caf\ufffd", f"comm {comm!a}")
    code, _, err = judged(directory, "--format", "suppressions=s.toml")
    check(code == 1, f"exit {code}: {err}")
    (directory / "c.toml").write_text(f"[[suppress]]\nrule = 'EP201'\ncomm = '{comm}'\nreason = 'copied from a report'\n")
    for known in (("--config", "s.toml"), ("--config", "c.toml"), ("--baseline", "b.json", "--no-config")):
        code, out, err = judged(directory, *known)
        check(code == 0 and "known     1 finding by" in out, f"{known}: exit {code}: {out}{err}")


def a_config_is_in_force(directory):
    (directory / "epaudit.toml").write_text("ignore = ['EP2']\n[thresholds]\nEP101.stall_s = 3\n")
    code, out, err = audit(directory)
    check(code == 0, f"exit {code}: {out}{err}")
    shown = subprocess.run([EPAUDIT, "config", "--show"], capture_output=True, text=True, cwd=directory, check=True).stdout
    check(re.search(r"EP201 busy-epollout +off +epaudit.toml:1", shown), shown)
    (directory / "epaudit.toml").write_text("ignore = ['EP2']\n\nfail_onn = 'risk'\n")
    code, out, err = audit(directory)
    check(code == 2 and "epaudit.toml:3:1: unknown key 'fail_onn'" in err and "did you mean 'fail_on'?" in err, f"exit {code}: {err}")
    code, _, err = audit(directory, "--no-config", "--baseline", "missing.json")
    check(code == 2 and "cannot read the baseline missing.json" in err, f"exit {code}: {err}")


def nothing_written_leaves_no_file(directory):
    code, _, _ = audit(directory, "--format", "json=r.json", "--hooks", "tracepoint", demo="/bin/true")
    check(code == 3, f"exit {code}")
    check(not (directory / "r.json").exists(), "an empty report was left behind")
    code, _, err = audit(directory, "--format", "sarif=missing/r.sarif")
    check(code == 2 and "cannot write missing/r.sarif" in err, f"exit {code}: {err}")


def the_target_inherits_nothing_of_ours(directory):
    code, _, err = audit(directory, "--format", "json=a.json", "--format", "html=b.html", "--format", "ndjson=c.ndjson")
    check(code == 1, f"exit {code}: {err}")
    numbers = []
    for options in ((), ("--format", "json=a.json", "--format", "html=b.html")):
        done = subprocess.run([EPAUDIT, "run", "-q", *options, "--", "sh", "-c", "ls /proc/self/fd | wc -l >&2"], capture_output=True,
                              text=True, cwd=directory, check=False)
        numbers.append(re.search(r"^\d+$", done.stderr, re.M)[0])
    check(numbers[0] == numbers[1], f"descriptors of the target with and without reports: {numbers}")


def ndjson_streams_while_attached(directory):
    ready = directory / "ready"
    target = subprocess.Popen([SPINNING, "--seconds", "30"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tool = None
    try:
        path = directory / "r.ndjson"
        tool = subprocess.Popen([EPAUDIT, "attach", "-q", "-p", str(target.pid), "--profile", "test", "--ready-file", ready, "--format",
                                 f"ndjson={path}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_for(lambda: path.exists() and '"type":"finding"' in path.read_text(), 20, "a finding in the stream")
        check('"type":"end"' not in path.read_text(), "the end came before the end")
        tool.send_signal(signal.SIGINT)
        _, err = tool.communicate(timeout=30)
        check(tool.returncode == 1, f"exit {tool.returncode}: {err}")
        formats.ndjson_is_a_stream(path)
    finally:
        for process in (tool, target):
            if process and process.poll() is None:
                process.kill()
            if process:
                process.wait()


def progress_only_on_a_terminal(directory):
    primary, secondary = pty.openpty()
    command = [EPAUDIT, "run", "--fail-on", "never", "--", str(SPINNING), "--seconds", "3"]
    environment = {**os.environ, "TERM": "xterm"}
    tool = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=secondary, cwd=directory, env=environment)
    os.close(secondary)
    seen = read_to_end(primary)
    os.close(primary)
    check(tool.wait() == 0, "exit code")
    text = seen.decode(errors="replace")
    check(re.search(r"\r\x1b\[Kepaudit: \d+\.\d s  [\d,]+ events/s  \d+ registrations?  1 finding", text), repr(text[-800:]))
    check(text.rstrip("\r\n").endswith("\x1b[K") or "\x1b[K" in text[text.rindex("events/s"):], "the line was not taken back")
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=directory, check=False)
    check("events/s" not in done.stderr and "\x1b" not in done.stderr, done.stderr)


def two_capabilities_are_enough(directory):
    """What docs/ci.md tells: file capabilities, a normal user, all reports."""
    tool = directory / "epaudit"
    shutil.copy(EPAUDIT, tool)
    shutil.copy(SPINNING, directory / "server_test")
    if not shutil.which("setcap"):
        raise Skip("setcap (libcap2-bin) is not installed")
    done = subprocess.run(["setcap", "cap_bpf,cap_perfmon+ep", tool], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skip("this file system takes no capabilities: " + done.stderr.strip())
    directory.chmod(0o777)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "./epaudit", "run", "--format", "text", "--format",
                           "github", "--format", "sarif=epaudit.sarif", "--format", "junit=epaudit.xml", "--format", "html=epaudit.html",
                           "--", "sh", "-c", "grep CapEff /proc/self/status; exec ./server_test --seconds 3"],
                          capture_output=True, text=True, cwd=directory, timeout=60 * SPEED, check=False)
    check(done.returncode == 1, f"exit {done.returncode}: {done.stdout[-500:]}{done.stderr[-1500:]}")
    check("CapEff:\t0000000000000000" in done.stdout, "the target runs with privileges")
    check("::error " in done.stdout and "EP201 busy-epollout" in done.stdout, done.stdout)
    for name, tests in (("sarif", formats.REPORTS["sarif"]), ("xml", formats.REPORTS["junit"])):
        for test in tests:
            test(directory / f"epaudit.{name}")
    check((directory / "epaudit.html").stat().st_size > 1000, "no page")


TESTS = [all_formats_from_one_run, pages_in_a_browser, the_gate_is_the_same_for_every_format, a_baseline_holds,
         suppressions_hold_and_expire, a_name_that_is_no_text_is_suppressed_by_what_we_print,
         a_config_is_in_force, nothing_written_leaves_no_file, the_target_inherits_nothing_of_ours,
         ndjson_streams_while_attached, progress_only_on_a_terminal, two_capabilities_are_enough]


def register(suite):
    with suite.side_by_side(SPINNERS):
        for test in TESTS:
            suite.run("reports: " + test.__name__.replace("_", " "), in_directory(test))
