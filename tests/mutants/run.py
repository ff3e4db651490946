#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mutants of correct servers: six event loops of our own, each broken mechanically in one place. Each runs twice, driven
alike: alone, where the harm is measured from outside, and under epaudit, which is to name it within ten seconds when there
is harm, and to be silent when there is none. Needs root, or CAP_BPF and CAP_PERFMON, and gcc."""
import argparse
import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "live"))
from harness import BUILD, EPAUDIT, wait_for  # noqa: E402  (where things are, as for the other suites)
import driver  # noqa: E402
import operators  # noqa: E402
import table  # noqa: E402

WORK = BUILD / "mutants"
RESULTS = WORK / "results.json"
SERVE = 60  # seconds: much longer than a drive takes
PLACES = 4  # at a time: they mostly wait
COMPILER = ["gcc", "-O1", "-g", "-w", "-pthread"]


def load():
    """(those that are correct, the mutants)."""
    sources = {path.stem: path.read_text(encoding="utf-8") for path in sorted((HERE / "loops").glob("*.c"))}
    correct = [operators.Mutant(name, "none", 0, "", "", text, ()) for name, text in sources.items()]
    return correct, [mutant for name, text in sources.items() for mutant in operators.mutants_of(name, text)]


def compiled(mutant):
    """Its program; None: it does not compile."""
    source, program = WORK / f"{mutant.name()}.c", WORK / mutant.name()
    source.write_text(mutant.source, encoding="utf-8")
    done = subprocess.run([*COMPILER, "-I", str(HERE / "loops"), "-o", str(program), str(source)], capture_output=True)
    return program if done.returncode == 0 else None


@contextlib.contextmanager
def running(words, program, directory):
    """A command that runs the program, once it serves; yields its port."""
    port = pathlib.Path(directory) / "port"
    process = subprocess.Popen([*words, str(program), str(SERVE), str(port)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(lambda: port.exists() or process.poll() is not None, 60, f"{program.name} to serve")
        yield process, int(port.read_text()) if port.exists() else 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def alone(program):
    """Without epaudit: what is harmed."""
    with tempfile.TemporaryDirectory() as directory, running([], program, directory) as (process, port):
        suffered = driver.drive(program, port) if port else None
        died = not suffered or (process.poll() is not None and process.returncode != 0)
    return {"harm": suffered.harm() if suffered else [], "died": died}


def watched(program):
    """Under epaudit: [rule, level] of all that it says, and its exit code."""
    with tempfile.TemporaryDirectory() as directory:
        report = pathlib.Path(directory) / "report.json"
        words = [EPAUDIT, "run", "--quiet", "--profile", "test", "--risks", "--format", f"json={report}", "--"]
        with running(words, program, directory) as (process, port):
            if port:
                driver.drive(program, port)
            for pid in driver.processes(program):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
        found = json.loads(report.read_text()) if report.exists() else {"findings": [], "observation": {}}
    said = sorted({(finding["rule"], finding["level"]) for finding in found["findings"]})
    return {"said": said, "exit": process.returncode, "lost": found["observation"].get("lost", {})}


def examine(mutant):
    then = time.monotonic()
    program = compiled(mutant)
    if not program:
        return mutant, 0.0, {"broken": True}
    result = alone(program) | watched(program)
    program.unlink()
    return mutant, time.monotonic() - then, result


def key(mutant):
    return hashlib.sha256(mutant.source.encode()).hexdigest()[:12]


class Count:
    """The exit code and the last line; what is missed is known, and told, and no failure of a run."""

    def __init__(self):
        self.kinds = dict.fromkeys(table.KINDS, 0)
        self.failed = []

    def add(self, mutant, seconds, result):
        kind = table.kind_of(mutant, result)
        self.kinds[kind] += 1
        if kind in table.FAULTS:
            self.failed.append(f"{mutant.name()}: {table.words_of(result)}")
        print(f"mutants  {mutant.name():<30} {seconds:5.1f} s  {kind}: {table.words_of(result)}", flush=True)

    def close(self):
        for line in self.failed:
            print(f"FAILED   {line}")
        passed = sum(n for kind, n in self.kinds.items() if kind in table.RIGHT)
        skipped = sum(self.kinds.values()) - passed - len(self.failed)
        print(f"mutants: {passed} passed, {len(self.failed)} failed, {skipped} skipped", flush=True)
        return 1 if self.failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="write docs/mutants.md from this run and those before")
    parser.add_argument("--list", action="store_true", help="only say which there are")
    parser.add_argument("words", nargs="*", metavar="WORD", help="those whose name holds one: LOOP-LINE-OPERATOR")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    correct, mutants = load()
    everything = [*correct, *mutants]
    todo = [m for m in everything if not options.words or any(word in m.name() for word in options.words)]
    if options.list:
        print("\n".join(f"{m.name():<30} {m.was}  ->  {' '.join(m.now.split())}" for m in todo))
        return
    if not todo and options.words:
        parser.error(f"no mutant has any of these words in its name: {' '.join(options.words)}")
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    count = Count()
    with concurrent.futures.ThreadPoolExecutor(PLACES) as pool:
        for job in concurrent.futures.as_completed([pool.submit(examine, m) for m in todo]):
            mutant, seconds, result = job.result()
            count.add(mutant, seconds, result)
            known[key(mutant)] = result
            RESULTS.write_text(json.dumps(known, indent=1), encoding="utf-8")
    if options.table:
        table.write(everything, {m.name(): known[key(m)] for m in everything if key(m) in known})
    sys.exit(count.close())


if __name__ == "__main__":
    main()
