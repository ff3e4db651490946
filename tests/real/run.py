#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The precision suite: real servers under load. `run.py [--table] [--jobs N] [WORD...]` runs those whose name holds a
WORD; --table writes the results into docs/precision.md. Needs root, or CAP_BPF and CAP_PERFMON."""
import argparse
import concurrent.futures
import json
import sys

from paths import BUILD
from harness import Suite
from case import LEGS, rules_known, run_leg
import runtimes
import stores
import table
import web

CASES = [*web.CASES, *stores.CASES, *runtimes.CASES]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="write the results into docs/precision.md")
    parser.add_argument("--jobs", type=int, default=3, help="servers side by side (3)")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    suite = Suite(options.words, "real")
    known = rules_known()
    results = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for case in CASES:
            for leg in LEGS:
                pool.submit(suite.run, f"{leg:<6} {case.name}", lambda c=case, l=leg: run_leg(c, l, known, results))
    (BUILD / "real").mkdir(exist_ok=True)
    (BUILD / "real/results.json").write_text(json.dumps({"rules": known, "results": results}, indent=1), encoding="utf-8")
    if options.table:
        table.write(known, [(case, results[case.name]) for case in CASES if case.name in results])
    suite.close()


if __name__ == "__main__":
    sys.exit(main())
