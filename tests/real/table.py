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


def write(known, rows):
    text = PAGE.read_text(encoding="utf-8")
    for name, lines in (("servers", servers(rows)), ("verdicts", verdicts(known, rows)), ("remarks", remarks(rows))):
        block = f"<!-- {name} -->\n" + "\n".join(lines) + "\n<!-- end -->"
        text, found = re.subn(rf"<!-- {name} -->\n.*?<!-- end -->", lambda _, b=block: b, text, flags=re.S)
        if not found:
            raise SystemExit(f"{PAGE} has no place for the {name} (<!-- {name} --> ... <!-- end -->)")
    PAGE.write_text(text, encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
