#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The museum: one small program per bug that people really had, each seen live from birth, live 2 s into the symptom, and as a
strace log, whole and cut. Programs whose name holds a WORD. Needs root, or CAP_BPF and CAP_PERFMON."""
import argparse
import concurrent.futures
import datetime
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "live"))
from harness import BUILD  # noqa: E402  (shares where things are with the other suites)
import programs  # noqa: E402
import table  # noqa: E402
import watch  # noqa: E402

FIRST = HERE / "first.tsv"


def chosen(all_programs, options):
    if options.words:
        return [p for p in all_programs if any(word in p.name for word in options.words)]
    if options.quarter is None:
        return all_programs
    quarter = options.quarter % 4
    print(f"history: quarter {quarter} of the museum (every day another; --quarter N chooses, ./dev history runs all)", flush=True)
    return all_programs[quarter::4]


class Count:
    """What became of each program in each mode; missed is what epaudit should see and does not."""

    def __init__(self):
        self.passed, self.failed, self.skipped, self.missed = 0, [], 0, []

    def add(self, name, seconds, outcomes, first=""):
        """`first`: what failed at the first try, if this is the second."""
        self.passed += sum(o.kind == "passed" for o in outcomes)
        self.skipped += sum(o.kind == "skipped" for o in outcomes)
        self.missed += [f"{name} {o.what}: {o.said}" for o in outcomes if o.kind == "missed"]
        self.failed += [f"{name} {o.what}: {o.said}" for o in outcomes if o.kind == "failed"]
        verdict = "; ".join(f"{o.what} {o.kind.upper()}: {o.said}" for o in outcomes if o.kind in ("failed", "skipped"))
        missed = ", ".join(o.what for o in outcomes if o.kind == "missed")
        verdict = verdict or "ok"
        if first:
            verdict += f" at the second try; the first: {first}"
        print(f"history  {name:<36} {seconds:5.1f} s  {verdict}" + (f" (missed: {missed})" if missed else ""), flush=True)

    def close(self):
        for line in self.missed:
            print(f"missed   {line}")
        for line in self.failed:
            print(f"FAILED   {line}")
        if self.missed:
            print(f"history: {len(self.missed)} expectations are not met, known, and counted as skipped")
        print(f"history: {self.passed} passed, {len(self.failed)} failed, {self.skipped + len(self.missed)} skipped", flush=True)
        return 1 if self.failed else 0


def keep_first(results):
    """The first verdict of each program stays for ever: a row that exists is never touched."""
    rows = dict(line.split("\t", 1) for line in FIRST.read_text().splitlines()) if FIRST.exists() else {}
    for name, result in results.items():
        if name not in rows and all(mode in result["bug"] for mode in watch.MODES):
            bug, twin = result["bug"], result["fixed"]
            said = [f"{mode}: {twin[mode]}" for mode in watch.MODES if watch.loud(twin.get(mode, ""))]
            rows[name] = "\t".join([bug[mode] for mode in watch.MODES] + ["; ".join(said) or "silent"])
    FIRST.write_text("".join(f"{name}\t{row}\n" for name, row in sorted(rows.items())))


def keep_last(results):
    path = BUILD / "history/results.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    for name, result in results.items():
        for twin, verdicts in result.items():  # not all modes need have run
            known.setdefault(name, {}).setdefault(twin, {}).update(verdicts)
    path.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return known


def watch_all(todo, modes, count, results):
    """Side by side. What was not seen is looked for once more, alone, for what else the machine does decides how long a program
    is kept from its CPU; that this was needed is said. An accusation stands."""
    watcher, again = watch.Watcher(BUILD / "history"), []

    def take(program, watched, first=""):
        name, seconds, outcomes, result = watched
        failed = [o for o in outcomes if o.kind == "failed"]
        if failed and not first and not any(o.accuses for o in failed):
            again.append((program, "; ".join(f"{o.what}: {o.said}" for o in failed)))
            return
        count.add(name, seconds, outcomes, first)
        if result:
            results[name] = result
    with concurrent.futures.ThreadPoolExecutor(watch.PLACES) as pool:
        jobs = {pool.submit(watcher.program, p, modes): p for p in todo}
        for job in concurrent.futures.as_completed(jobs):
            take(jobs[job], job.result())
    for program, failed in list(again):
        take(program, watcher.program(program, modes), failed)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quarter", type=int, nargs="?", const=datetime.date.today().timetuple().tm_yday, metavar="N",
                        help="only every fourth program, beginning at N modulo 4 (default: the day of the year)")
    parser.add_argument("--table", action="store_true", help="write docs/history.md from this run and those before")
    parser.add_argument("--modes", default=",".join(watch.MODES), help="only these, comma-separated (all four)")
    parser.add_argument("words", nargs="*", metavar="WORD")
    options = parser.parse_args()
    (BUILD / "history").mkdir(parents=True, exist_ok=True)
    everything = programs.load(HERE)
    todo = chosen(everything, options)
    if not todo:
        parser.error(f"no program of the museum has any of these words in its name: {' '.join(options.words)}")
    count, results = Count(), {}
    modes = options.modes.split(",")
    watch_all(todo, modes, count, results)
    known = keep_last(results)
    if modes == list(watch.MODES):
        keep_first(results)
    if options.table:
        table.write(everything, known, FIRST)
    sys.exit(count.close())


if __name__ == "__main__":
    main()
