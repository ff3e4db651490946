# SPDX-License-Identifier: Apache-2.0
"""One run told three times: by the kernel's own books, by a replay of the recording, by the import of a strace log.
Every count of every fd must be the same; the findings of a replay must be those of the live audit."""
import collections
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from demos import binary, folders
from harness import BUILD, EPAUDIT, ROOT, SPEED, SPINNERS, Skip, check, epaudit, serving

# What is counted of a file and of a registration by all three, and what only the kernel and its recording know.
FILE_COUNTS = ("reads", "bytes_in", "read_eagain", "eofs", "writes", "bytes_out", "write_eagain", "accepts",
               "accept_eagain", "accept_errors")
REGISTRATION_COUNTS = ("deliveries", "in", "out", "hup", "mods")
KERNEL_FILE_COUNTS = FILE_COUNTS + ("wakes",)
KERNEL_REGISTRATION_COUNTS = REGISTRATION_COUNTS + ("readies", "futile")

# (source, count): by how much a life may be counted otherwise, and why. Nothing else may, but see shortfalls().
EXEMPT = {
    ("replay", "readies"): (1, "a file becomes ready on one CPU while another adds or removes it: which came first is not defined, "
                               "and the order in the ring may be the other one than that in the books"),
}
RACES = 0.05  # part of the findings whose count depends on who came first
DELIVERED = ("deliveries", "in", "out", "hup")
READ = ("reads", "bytes_in", "read_eagain", "eofs")

# The counts that one call of this name can change.
CHANGED_BY = {re.compile("^epoll_p?wait2?$"): DELIVERED,
              re.compile("^(p?readv?2?|pread64|recv.*)$"): READ,
              re.compile("^(p?writev?2?|pwrite64|send.*)$"): ("writes", "bytes_out", "write_eagain"),
              re.compile("^accept4?$"): ("accepts", "accept_eagain", "accept_errors")}


def shortfalls(log):
    """How often each count may be one short in a log of strace, because of what stands in it:
    A thread that is killed inside a call never returns from it to the program, and strace prints `= ?`; the kernel
    finished the call all the same, and counted it.
    A thread may be told of a file, and read it, before the call of another thread that adds it has returned: in the log
    the event and the read come first."""
    inside, killed, early = {}, collections.Counter(), False

    def note(name):
        for pattern, counts in CHANGED_BY.items():
            if pattern.match(name):
                killed.update(counts)
    with open(log, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            pid, _, rest = (*line.rstrip().split(maxsplit=2), "", "", "")[:3]
            resumed = re.match(r"<\.\.\. (\w+) resumed>", rest)
            name = resumed[1] if resumed else rest.partition("(")[0]
            inside.pop(pid, None)
            if re.search(r"= \?$", rest):
                note(name)
            elif rest.endswith("<unfinished ...>"):
                inside[pid] = name
                early = early or "EPOLL_CTL_ADD" in rest
    for name in inside.values():
        note(name)
    return killed + collections.Counter((*DELIVERED, *READ) if early else ())


def exempt(source, count, difference, short):
    most, _ = EXEMPT.get((source, count), (0, ""))
    if short[count]:
        most = math.inf if count.startswith("bytes") else most + short[count]
    return abs(difference) <= most


class Account:
    """The lives of each (pid, fd), in order, as one source counted them."""

    def __init__(self, lines, source):
        self.files, self.registrations = collections.defaultdict(list), collections.defaultdict(list)
        for line in lines:
            if line["source"] != source:
                continue
            table = self.registrations if "registration" in line else self.files
            table[(line["pid"], line["fd"])].append(line)
        for table in (self.files, self.registrations):
            for lives in table.values():  # they are told in the order of their ends
                lives.sort(key=lambda life: life["armed_at"])


def differences(one, other, source, file_counts, registration_counts, short=None):
    """Names each posting that one source counted otherwise than the kernel. `short`: of shortfalls()."""
    found, short = [], short or collections.Counter()
    for what, counts, table in (("file", file_counts, "files"), ("registration", registration_counts, "registrations")):
        here, there = getattr(one, table), getattr(other, table)
        for key in sorted(set(here) | set(there)):
            lives, others = here.get(key, []), there.get(key, [])
            name = f"{what} of pid {key[0]} fd {key[1]}"
            if len(lives) != len(others):
                found.append(f"{name}: {len(lives)} lives in the kernel, {len(others)} in {source}")
                continue
            for number, (a, b) in enumerate(zip(lives, others)):
                for count in counts:
                    if not exempt(source, count, a[count] - b[count], short):
                        found.append(f"{name}, life {number + 1}: {count} {a[count]} in the kernel, {b[count]} in {source}")
    return found


def brief(report):
    """What of the findings a replay must tell again. Times and costs depend on when one looks; here the looks are the same. Of
    several connections that spin alike, the one with a few returns more is told of."""
    return sorted((f["rule"], f["level"], f["fingerprint"], f["process"]["pid"],
                   f["fd"].get("number") if f["fds"] == 1 else f"one of {f['fds']}", f["count"])
                  for f in report["findings"])


def same_findings(live, again):
    """Counts may be a little apart. What was worst during a look at a running program is kept, and while the sweep reads
    a row on one CPU, a posting is booked and streamed on another. And which of two threads that race was first (EP402,
    EP501) may be told in the other order."""
    ours, theirs = brief(live), brief(again)
    alike = [finding[:-1] for finding in ours] == [finding[:-1] for finding in theirs] and \
        all(abs(a[-1] - b[-1]) <= max(os.cpu_count(), RACES * a[-1]) for a, b in zip(ours, theirs))
    check(alike, f"other findings in the replay:\nlive   {ours}\nreplay {theirs}")


def replay(recording, *options, books=None):
    words = ["replay", recording, *options]
    if books:
        words += ["--books-file", books]
    return epaudit(*words, "--fail-on", "never")


def lines_of(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


def whole(outcome):
    check(outcome.report is not None, "no report\n" + outcome.describe())
    check(outcome.report["observation"]["complete"], "incomplete: " + str(outcome.report["observation"]))


def demo_test(folder):
    def test():
        if not shutil.which("strace"):
            raise Skip("strace is not installed")
        with tempfile.TemporaryDirectory(prefix="epaudit-differential-") as directory:
            at = pathlib.Path(directory)
            live = epaudit("record", "-q", "-o", at / "recording", "--profile", "test", "--fail-on", "never", "--", "strace", "-f",
                           "-ttt", "-T", "-v", "-s", "4096", "-o", at / "log", binary(folder, "bug"), "--seconds", "4", timeout=90)
            if os.environ.get("EPAUDIT_KEEP"):
                shutil.copytree(at, pathlib.Path(os.environ["EPAUDIT_KEEP"]) / folder.name, dirs_exist_ok=True)
            whole(live)
            again = replay(at / "recording", books=at / "books")
            whole(again)
            same_findings(live.report, again.report)
            told = epaudit("strace", "-q", "--books-file", at / "books", "--fail-on", "never", at / "log")
            whole(told)
            lines = lines_of(at / "books")
            kernel = Account(lines, "kernel")
            check(kernel.registrations, "the kernel's books are empty")
            found = differences(kernel, Account(lines, "replay"), "replay", KERNEL_FILE_COUNTS,
                                KERNEL_REGISTRATION_COUNTS)
            found += differences(kernel, Account(lines, "strace"), "strace", FILE_COUNTS, REGISTRATION_COUNTS,
                                 shortfalls(at / "log"))
            check(not found, "\n  ".join(["the sources disagree:", *found[:20], f"({len(found)} in all)"]))
    return test


LOOPS = (("eagain", 1000000), ("echo", 100000), ("unix", 50000), ("mod", 50000), ("add_del", 20000), ("connection", 500))


def load_test():
    """More than a million postings as fast as one thread makes them: none is lost, each is counted alike."""
    with tempfile.TemporaryDirectory(prefix="epaudit-differential-") as directory:
        at = pathlib.Path(directory)
        done = subprocess.run([EPAUDIT, "record", "-o", at / "recording", "--fail-on", "never", "--format", f"json={at / 'live.json'}",
                               "--", BUILD / "tests/bench_work", "loops"],
                              input="".join(f"{name} {count}\n" for name, count in LOOPS), capture_output=True, text=True,
                              timeout=120 * SPEED, check=False)
        check(done.returncode == 0, f"exit {done.returncode}: {done.stderr[-1500:]}")
        live = json.loads((at / "live.json").read_text())
        check(not any("records of the recording were lost" in note for note in live["observation"]["notes"]), done.stderr)
        again = replay(at / "recording", books=at / "books")
        whole(again)
        lines = lines_of(at / "books")
        kernel = Account(lines, "kernel")
        found = differences(kernel, Account(lines, "replay"), "replay", KERNEL_FILE_COUNTS, KERNEL_REGISTRATION_COUNTS)
        check(not found, "\n  ".join(["the sources disagree:", *found[:20], f"({len(found)} in all)"]))
        loops = dict(LOOPS)
        total = {count: sum(life[count] for lives in kernel.files.values() for life in lives) for count in FILE_COUNTS}
        check(total["read_eagain"] == loops["eagain"], f"EAGAINs {total['read_eagain']}")
        check(total["reads"] == loops["echo"] + loops["unix"], f"reads {total['reads']}")
        delivered = sum(life["deliveries"] for lives in kernel.registrations.values() for life in lives)
        check(delivered == loops["echo"], f"deliveries {delivered}")
        check(sum(len(lives) for lives in kernel.registrations.values()) >= loops["add_del"] + loops["connection"], "lives")


def attached_test(name):
    """What existed before is in the recording as well."""
    def test():
        with tempfile.TemporaryDirectory(prefix="epaudit-differential-") as directory:
            at = pathlib.Path(directory)
            with serving(binary(ROOT / "demo_bugs" / name, "bug")) as server:
                live = epaudit("record", "-q", "-o", at / "recording", "--profile", "test", "--duration", "4", "-p", server.pid)
            whole(live)
            check(live.code == 1, live.describe())
            again = replay(at / "recording", books=at / "books")
            same_findings(live.report, again.report)
            lines = lines_of(at / "books")
            found = differences(Account(lines, "kernel"), Account(lines, "replay"), "replay", KERNEL_FILE_COUNTS,
                                KERNEL_REGISTRATION_COUNTS)
            check(not found, "\n  ".join(["the sources disagree:", *found]))
    return test


def judged_anew_test():
    """Other rules, thresholds and formats on one recording; whatever is cut off it is told, and never a crash."""
    with tempfile.TemporaryDirectory(prefix="epaudit-differential-") as directory:
        at = pathlib.Path(directory)
        recording = at / "recording"
        live = epaudit("record", "-q", "-o", recording, "--", binary(ROOT / "demo_bugs" / "busy-epollout", "bug"), "--seconds", "3")
        check(live.code == 1 and live.rules() == ["EP201"], live.describe())
        for options, code in (((), 1), (("--ignore", "EP201"), 0), (("--select", "EP1"), 0), (("--set", "EP201.per_s=1e9"), 0),
                              (("--fail-on", "never"), 0), (("--write-baseline", at / "known.json"), 0),
                              (("--baseline", at / "known.json"), 0), (("--profile", "nonsense"), 2)):
            done = epaudit("replay", "-q", recording, *options)
            check(done.code == code, f"{options}: " + done.describe())
        for name in ("sarif", "junit", "html", "ndjson", "perfetto", "github"):
            done = epaudit("replay", "-q", "--format", f"{name}={at / name}", recording, json_report=False)
            check(done.code == 1 and (at / name).stat().st_size, f"{name}: " + done.describe())
        text = epaudit("replay", "-q", "-", json_report=False, stdin=recording.open("rb")).out
        check("recorded by " in text and "EP201 busy-epollout" in text, text)
        whole_file = recording.read_bytes()
        for part in range(0, 40):
            cut = at / "cut"
            cut.write_bytes(whole_file[:len(whole_file) * part // 40])
            done = epaudit("replay", "-q", cut)
            check(done.code in (1, 2, 3, 4), f"cut at {part}/40: " + done.describe())
            check(done.code not in (2, 3) or len(done.err.splitlines()) <= 2, done.err)
            if done.report:
                check(done.report["observation"]["lost"] == {"recording_cut": 1}, str(done.report["observation"]))
        done = epaudit("replay", "-q", recording.parent / "missing")
        check(done.code == 2 and "cannot read" in done.err, done.describe())


def register(suite):
    with suite.side_by_side(3):  # who comes late is late in every source
        for folder in folders():
            suite.run(f"differential {folder.name}", demo_test(folder))
        for name in ("busy-epollout", "et-read-not-drained"):
            suite.run(f"differential attached {name}", attached_test(name))
    suite.run("differential under load", load_test)
    with suite.side_by_side(SPINNERS):
        suite.run("differential: a recording judged anew, and cut", judged_anew_test)
