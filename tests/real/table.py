# SPDX-License-Identifier: Apache-2.0
"""Writes what a run saw into docs/precision.md, between the marks `<!-- NAME -->` and `<!-- end -->`. The words around
them are written by hand."""
import re

from paths import ROOT

PAGE = ROOT / "docs/precision.md"
SILENT = "·"
ORDER = ("info", "risk", "likely", "confirmed")
# Rules about a way of registering: without such a registration there is nothing to be silent about.
NEEDS = {"EP101": ("ET",), "EP102": ("ET",), "EP103": ("ET",), "EP104": ("ONESHOT",), "EP403": ("EXCLUSIVE",),
         "EP201": ("LT",)}


def applies(rule, record):
    kinds = NEEDS.get(rule)
    seen = [leg["seen"] for leg in record["legs"].values()]
    return not kinds or any(counts.get(kind) for counts in seen for kind in kinds)


def cell(rule, record):
    levels = [leg["levels"].get(rule) for leg in record["legs"].values()]
    best = max((level for level in levels if level), key=ORDER.index, default=None)
    if best:
        legs = [name for name, leg in record["legs"].items() if leg["levels"].get(rule)]
        return best if len(legs) == len(record["legs"]) else f"{best} ({legs[0]})"
    return SILENT if applies(rule, record) else "–"


def spread(record, key):
    counts = [leg["seen"].get(key, 0) for leg in record["legs"].values()]
    return str(max(counts, default=0))


def servers(rows):
    lines = ["| case | version | load | postings (attach, run) | LT | ET | ONESHOT | EXCLUSIVE | mask 0 | epolls |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for case, record in rows:
        postings = ", ".join(f"{record['legs'][leg]['postings']:,}" if leg in record["legs"] else "?"
                             for leg in ("attach", "run"))
        counts = " | ".join(spread(record, key) for key in ("LT", "ET", "ONESHOT", "EXCLUSIVE", "mask 0", "epolls"))
        lines.append(f"| {case.name} | {record['version']} | {record['about']} | {postings} | {counts} |")
    return lines


def verdicts(known, rows):
    lines = ["| case | " + " | ".join(known) + " |", "|---|" + "---|" * len(known)]
    for case, record in rows:
        lines.append(f"| {case.name} | " + " | ".join(cell(rule, record) for rule in known) + " |")
    return lines


def remarks(rows):
    """What was said, in the rule's own words, for every cell that is not silent."""
    lines = []
    for case, record in rows:
        said = {}
        for name, leg in record["legs"].items():
            for rule, (summary, against) in leg["why"].items():
                said.setdefault((rule, summary, against), []).append(f"{leg['levels'][rule]} ({name})")
        for (rule, summary, against), levels in sorted(said.items()):
            lines.append(f"- **{case.name}**, {rule} {', '.join(levels)}: {summary}" +
                         (f". Against it: {against}" if against else "") + ".")
    return lines or ["Nothing was said."]


def block(text, name):
    """The lines between the marks."""
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- end -->", text, re.S)
    if not found:
        raise SystemExit(f"{PAGE} has no place for the {name} (<!-- {name} --> ... <!-- end -->)")
    return found[1].splitlines()


def named(line):
    """Which case a line of the page speaks of."""
    found = re.match(r"\| (.*?) \||- \*\*(.*?)\*\*,", line)
    return found and (found[1] or found[2])


def widened(line, had, known):
    """A row of verdicts from a time when there were fewer rules: of those that came since, nothing is known."""
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    values = dict(zip(had, cells[1:]))
    return "| " + " | ".join([cells[0], *(values.get(rule, "?") for rule in known)]) + " |"


def merged(old, new, order, head):
    """Lines of cases that did not run stay; `head` lines of the table itself come first."""
    ran = {named(line) for line in new[head:]}
    lines = [line for line in old[head:] if named(line) not in ran and named(line) in order] + new[head:]
    return new[:head] + sorted(lines, key=lambda line: order.index(named(line)))


def write(known, rows, order, ran):
    """`order`: names of all cases; `ran`: of those that ran, though they may have nothing to say."""
    text = PAGE.read_text(encoding="utf-8")
    old = {name: block(text, name) for name in ("servers", "verdicts", "remarks")}
    had = [word.strip() for word in old["verdicts"][0].strip("|").split("|")][1:]
    old["verdicts"] = [widened(line, had, known) for line in old["verdicts"]]
    old["remarks"] = [line for line in old["remarks"] if named(line) not in ran]
    new = {"servers": (servers(rows), 2), "verdicts": (verdicts(known, rows), 2), "remarks": (remarks(rows), 0)}
    for name, (lines, head) in new.items():
        lines = [line for line in lines if head or named(line)]
        lines = merged(old[name], lines, order, head) or ["Nothing was said."]
        body = f"<!-- {name} -->\n" + "\n".join(lines) + "\n<!-- end -->"
        text = re.sub(rf"<!-- {name} -->\n.*?<!-- end -->", lambda _, b=body: b, text, flags=re.S)
    PAGE.write_text(text, encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
