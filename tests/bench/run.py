#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench: what watching costs, as ratios within one run, against the budgets of the design. Never fails on a
number: a slow machine is not a bug. --quick: 2.5 minutes, else 10."""
import argparse
import json
import os
import pathlib
import platform
import statistics
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "live"))  # behind our own: sources.py is a name in both

import against  # noqa: E402
import bystanders  # noqa: E402
import costs  # noqa: E402
import doc  # noqa: E402
import python_stacks  # noqa: E402
import sources  # noqa: E402
import throughput  # noqa: E402
from harness import BUILD, Skip  # noqa: E402
from observers import learn_hooks  # noqa: E402

FULL = {"rounds": 9, "others": 3, "window": 1.0, "load_budget": 420, "repeats": 5, "idle": (1000, 10000, 100000),
        "idle_seconds": 20, "spins": 3, "bystanders": 7, "in_production": 3}
QUICK = {"rounds": 3, "others": 1, "window": 0.5, "load_budget": 75, "repeats": 2, "idle": (1000, 100000),
         "idle_seconds": 12, "spins": 1, "bystanders": 3, "in_production": 0}


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, value, budget, met):
        verdict = "" if met is None else "met" if met else "NOT MET"
        self.rows.append((what, value, budget, verdict))

    def show(self):
        head = ("what", "measured", "budget", "")
        widths = [max(len(row[i]) for row in [head, *self.rows]) for i in range(3)]
        for row in (head, tuple("-" * w for w in widths) + ("",), *self.rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths + [0])).rstrip())


def ratio(s):
    return f"{s['median']:.3f} ({s['min']:.2f}..{s['max']:.2f}, n={s['n']})"


def throughput_rows(table, results):
    for name, load in results.items():
        if "throughput" not in load:
            table.add(name, "not measured: " + load["skipped"]["all"], "", None)
            continue
        base, busy = load["requests_per_second"], load["server_busy"]["median"]
        table.add(name, f"{base['median']:,.0f}/s unobserved, server {busy:.0%} busy", "", None)
        for what, kind in (("throughput", "throughput"), ("requests per server CPU", "per_server_cpu")):
            seen = load[kind]
            ours, empty = seen.get("epaudit"), seen.get("empty")
            if empty:
                table.add(f"  {what}: empty programs", ratio(empty), "", None)
            if not ours:
                continue
            table.add(f"  {what}: epaudit", ratio(ours), ">= 0.97", ours["median"] >= 0.97)
            if "without stacks" in seen:
                table.add(f"  {what}: epaudit --stack-bytes 0", ratio(seen["without stacks"]), "", None)
            if empty:
                behind = empty["median"] - ours["median"]
                table.add("    behind empty programs by", f"{behind:.3f}", "<= 0.02", behind <= 0.02)
            if kind == "throughput":
                for other in ("bpftrace", "perf trace", "strace"):
                    if other in seen:
                        table.add(f"  {what}: {other}", ratio(seen[other]), "epaudit ahead",
                                  ours["median"] > seen[other]["median"])
        for other, reason in load["skipped"].items():
            table.add(f"  {other}", "not measured: " + " ".join(reason.split())[-60:], "", None)
        for other, count in load["discarded"].items():
            table.add(f"  {other}: pairs not counted", f"{count} (the machine was not steady)", "", None)
        table.add("  events lost by epaudit", str(load["lost"] or 0), "0", not load["lost"])


def production_row(table, seen):
    if not seen["ratios"]:
        table.add("nginx within the usual budget", "not measured: the machine was not steady", "", None)
        return
    kept = throughput.spread(seen["ratios"])
    table.add(f"nginx, attached for {seen['seconds']:.0f} s within the usual budget of 1 %",
              f"{ratio(kept)}, probes attached {seen['attached']['median']:.0%} of the time", ">= 0.985", kept["median"] >= 0.985)


def bystander_rows(table, results):
    for loop, rounds in results.items():
        for other, budget in (("empty", 1.02), ("unobserved", None)):
            seen = throughput.spread([r["epaudit"] / r[other] for r in rounds])
            table.add(f"time of a process that is not watched, to {other}: {bystanders.SAID[loop]}", ratio(seen),
                      f"<= {budget}" if budget else "", seen["median"] <= budget if budget else None)


def posting_rows(table, results):
    known = {loop: r["ns_per_posting"] for loop, r in results.items() if r["ns_per_posting"] is not None}
    for loop, r in results.items():
        per = f", {r['ns_per_posting']:.0f} per posting" if loop in known else ""
        table.add(f"kernel ns: {loop} ({r['postings'] or 'no posting'})",
                  f"{r['ns_per_iteration']:.0f} above empty{per}", "<= 100 per posting" if per else "",
                  r["ns_per_posting"] <= 100 if per else None)
    table.add("kernel ns per posting, all of the above", f"median {statistics.median(known.values()):.0f}, worst "
              f"{max(known.values()):.0f}", "<= 100", max(known.values()) <= 100)


def source_line_rows(table, results):
    """What a healthy server pays for source lines: nothing but where it arms. Ratios of throughput spread too far to show it."""
    arming = [loop for loop, r in results.items() if set(r["postings"].split()) & {"add", "mod"}]
    for what, loops in (("elsewhere", [loop for loop in results if loop not in arming]), ("where fds are armed", arming)):
        costs = ", ".join(f"{loop} {results[loop]['for_source_lines_ns']:+.0f}" for loop in loops)
        unseen = all(results[loop]["for_source_lines_ns"] <= max(10, 0.05 * results[loop]["ns_per_iteration"]) for loop in loops)
        table.add(f"kernel ns for source lines, {what}", costs, "" if loops is arming else "0, +- 10 ns or 5 %", None if loops is arming else unseen)


def python_row(table, seen):
    value = f"{seen['median_ns']:,.0f} ns ({seen['least_ns']:,}..{seen['most_ns']:,}, n={seen['taken']})" if seen else "not measured: no CPython from 3.11 on"
    table.add(f"a wanted stack of a Python program, {python_stacks.DEPTH} frames", value, f"<= {python_stacks.BUDGET_NS:,} ns",
              seen["median_ns"] <= python_stacks.BUDGET_NS if seen else None)


def idle_rows(table, results):
    for files, r in results.items():
        table.add(f"epaudit's CPU, {files:,} idle descriptors", f"{r['cpu']:.2%} of a core", "<= 2 %", r["cpu"] <= 0.02)
    files, r = max(results.items())
    table.add(f"{files:,} descriptors attach and audit", f"{r['registrations']:,} seen, {r['attach_s']:.1f} s to attach",
              "all", r["registrations"] >= files and r["complete"])
    tables = r["memory"]["tables"]
    detail = " + ".join(f"{name.partition('_')[0]} {t['per_row']:.0f}" for name, t in sorted(tables.items()))
    table.add("kernel memory per watched descriptor", f"{r['memory']['per_fd']:.0f} bytes ({detail})", "<= 640",
              r["memory"]["per_fd"] <= 640)


def source_rows(table, results):
    replay, log = results["replay"], results["strace"]
    speed = replay["postings"] / replay["seconds"] / 1e6
    table.add("replay of a spin", f"{speed:.1f} M postings/s, {replay['bytes'] / replay['postings']:.1f} bytes each",
              ">= 1 M postings/s", speed >= 1)
    speed = log["bytes"] / log["seconds"] / 1e6
    table.add("strace log of a spin", f"{speed:.0f} MB/s, {log['bytes'] / 1e6:.0f} MB in {log['seconds']:.2f} s", ">= 100 MB/s", speed >= 100)


def measure(options, say):
    results = {"kernel": platform.release(), "cores": os.cpu_count(), "load_before": os.getloadavg()}
    say("kernel time per posting")
    with costs.Work("loops") as work:
        results["hooks"], results["not_imitated"] = learn_hooks(work.pid)
    results["postings"] = costs.postings(options["repeats"])
    say("processes that are not watched")
    results["bystanders"] = bystanders.measure(options["bystanders"])
    say("a stack of a Python program")
    results["python_stack"] = python_stacks.measure() if sys.version_info >= (3, 11) else None
    say("spin to finding")
    results["spin"] = [costs.spin() for _ in range(options["spins"])]
    results["idle"] = {}
    for files in options["idle"]:
        say(f"{files} idle descriptors")
        results["idle"][files] = costs.idle(files, options["idle_seconds"])
    say("recording and log")
    results["sources"] = sources.measure()
    results["throughput"] = throughput.measure(options["rounds"], options["others"], options["window"],
                                               options["load_budget"], say)
    if options["in_production"]:
        results["production"] = throughput.in_production(options["in_production"], 60, say)
    results["load_after"] = os.getloadavg()
    return results


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: at most 2.5 minutes")
    parser.add_argument("--json", metavar="FILE", default=str(BUILD / "bench.json"), help="default: build/bench.json")
    parser.add_argument("--against", metavar="FILE", help="the numbers of an earlier run (its --json), beside those of this one")
    parser.add_argument("--doc", action="store_true", help="write the table to docs/cost.md")
    arguments = parser.parse_args()
    earlier = against.load(arguments.against) if arguments.against else None
    start = time.monotonic()

    def say(text):
        print(f"[{time.monotonic() - start:5.0f} s] {text}", file=sys.stderr, flush=True)

    try:
        results = measure(QUICK if arguments.quick else FULL, say)
    except Skip as reason:
        sys.exit(f"bench: {reason}")
    results["seconds"] = time.monotonic() - start
    table = Table()
    throughput_rows(table, results["throughput"])
    if "production" in results:
        production_row(table, results["production"])
    bystander_rows(table, results["bystanders"])
    posting_rows(table, results["postings"])
    source_line_rows(table, results["postings"])
    python_row(table, results["python_stack"])
    idle_rows(table, results["idle"])
    worst = max(s["seconds"] for s in results["spin"])
    table.add("spin to finding (test profile)", f"{worst:.2f} s (worst of {len(results['spin'])})", "<= 2 s", worst <= 2)
    source_rows(table, results["sources"])
    print(f"\nkernel {results['kernel']}, hooks {results['hooks']}, {results['cores']} cores, load "
          f"{results['load_before'][0]:.1f} before and {results['load_after'][0]:.1f} after (the bench itself: about 2)\n")
    table.show()
    if earlier:
        print(f"\nbefore (kernel {earlier['kernel']}, hooks {earlier['hooks']}) and now\n")
        against.show(earlier, results)
    if arguments.doc:
        doc.write(results, table)
    with open(arguments.json, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    print(f"\n{results['seconds']:.0f} s; all numbers: {arguments.json}")


if __name__ == "__main__":
    main()
