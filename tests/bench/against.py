# SPDX-License-Identifier: Apache-2.0
"""An earlier run and this one, number by number: medians, and how far the single ones lie apart."""
import json
import statistics
import sys


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as reason:
        sys.exit(f"bench: {path}: {reason}")


def spread(values):
    return statistics.median(values), min(values), max(values)


def of_throughput(results):
    for name, load_ in results.get("throughput", {}).items():
        for kind, said in (("throughput", "throughput"), ("per_server_cpu", "requests per server CPU")):
            for watcher, seen in load_.get(kind, {}).items():
                yield f"{name}, {said}: {watcher}", "{:.3f}", (seen["median"], seen["min"], seen["max"])


def of_bystanders(results):
    for loop, rounds in results.get("bystanders", {}).items():
        for other in ("empty", "unobserved"):
            yield f"not watched, to {other}: {loop}", "{:.3f}", spread([r["epaudit"] / r[other] for r in rounds])


def of_postings(results):
    for loop, seen in results.get("postings", {}).items():
        yield f"kernel ns above empty: {loop}", "{:.0f}", spread(seen.get("all") or [seen["ns_per_iteration"]])


def of_the_rest(results):
    for files, seen in results.get("idle", {}).items():
        yield f"CPU at {int(files):,} idle descriptors, % of a core", "{:.2f}", spread([100 * seen["cpu"]])
        yield f"kernel bytes per descriptor at {int(files):,}", "{:.0f}", spread([seen["memory"]["per_fd"]])
    if results.get("spin"):
        yield "spin to finding, s", "{:.2f}", spread([s["seconds"] for s in results["spin"]])


def numbers(results):
    """What -> format, (median, least, most)."""
    return {what: (form, seen) for part in (of_throughput, of_bystanders, of_postings, of_the_rest)
            for what, form, seen in part(results)}


def cell(form, seen):
    median, least, most = (form.format(value) for value in seen)
    return median if least == most else f"{median} ({least}..{most})"


def show(before, now):
    """Marked are those whose spreads do not even touch."""
    then, today = numbers(before), numbers(now)
    rows = [("what", "before", "now", "")]
    for what, (form, seen) in today.items():
        if what not in then:
            continue
        earlier = then[what][1]
        apart = "" if seen[1] <= earlier[2] and earlier[1] <= seen[2] else "more" if seen[0] > earlier[0] else "less"
        rows.append((what, cell(form, earlier), cell(form, seen), apart))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths + [0])).rstrip())
    gone = sorted(set(then) ^ set(today))
    if gone:
        print(f"only in one of the two: {', '.join(gone)}")
