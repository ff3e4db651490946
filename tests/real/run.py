#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The precision suite: real servers under load, those whose name holds a WORD. Needs root, or CAP_BPF and CAP_PERFMON."""
import argparse
import concurrent.futures
import datetime
import json
import sys

from paths import BUILD
from harness import Suite
from case import LEGS, rules_known, run_leg
import daemons
import gateways
import hosts
import margin
import platforms
import pools
import resolvers
import runtimes
import services
import stores
import table
import web

CASES = [*web.CASES, *stores.CASES, *runtimes.CASES, *pools.CASES, *resolvers.CASES, *gateways.CASES, *services.CASES, *platforms.CASES,
         *daemons.CASES, *hosts.CASES]


def legs_of(number, turn):
    """Of the server with this number. `turn`: None, or of which turn it is."""
    return LEGS if turn is None else [LEGS[(number + turn) % len(LEGS)]]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="write the results into docs/precision.md; rows of servers that did not run stay")
    parser.add_argument("--jobs", type=int, default=3, help="servers side by side (3)")
    parser.add_argument("--margin", type=float, metavar="N",
                        help="divide by N whatever a finding needs (times, seconds, cost): still, nothing may be said")
    parser.add_argument("--by-turns", type=int, nargs="?", const=datetime.date.today().timetuple().tm_yday, metavar="N",
                        help="each server in one way only, attached to or run: the first attached to where N is even, the second"
                             " where it is odd, and so on (default: the day of the year)")
    parser.add_argument("words", nargs="*", metavar="WORD")
    options = parser.parse_args()
    if options.margin and options.table:
        parser.error("--table is about the thresholds as they are, --margin about others")
    if options.by_turns is not None:
        print("real: each server in one of two ways, tomorrow in the other (--by-turns N chooses, ./dev real runs both)", flush=True)
    suite = Suite(options.words, "real")
    known = rules_known()
    words = margin.divided(options.margin) if options.margin else dict.fromkeys(LEGS, [])
    results = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for number, case in enumerate(CASES):
            for leg in legs_of(number, options.by_turns):
                pool.submit(suite.run, f"{leg:<6} {case.name}",
                            lambda c=case, l=leg: run_leg(c, l, words[l], known, results))
    (BUILD / "real").mkdir(exist_ok=True)
    (BUILD / "real/results.json").write_text(json.dumps({"rules": known, "results": results}, indent=1), encoding="utf-8")
    if options.table:
        rows = [(case, results[case.name]) for case in CASES if len(results.get(case.name, {"legs": ()})["legs"]) == len(LEGS)]
        table.write(known, rows, [case.name for case in CASES], {case.name for case, _ in rows})
    suite.close()


if __name__ == "__main__":
    sys.exit(main())
