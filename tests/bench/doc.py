# SPDX-License-Identifier: Apache-2.0
"""docs/cost.md: the whole table of a run, with the kernel and the number of cores it was made on."""
import re

from harness import ROOT

HEAD = """# What watching costs

Made by `./dev bench --doc`. Ratios of runs on one machine, taken in turns, so that a slow or a busy machine is compared with
itself: throughput of a saturated server while it is watched, to the windows before and after in which it is not; the time of
processes that are *not* watched while another one is; time that the kernel spends in epaudit's programs for one iteration
of a loop, less that of empty programs on the same hooks. Each with median, least and most. bpftrace, perf trace and strace
count or print the same system calls of the same server; epaudit keeps books of all its files.

"""


def kernel_of(release):
    """Without what its builder put behind the number."""
    return re.match(r"[\d.]+", release)[0].rstrip(".")


def write(results, table):
    lines = [f"Linux {kernel_of(results['kernel'])}, hook set {results['hooks']}, {results['cores']} cores, load "
             f"{results['load_before'][0]:.1f} before and {results['load_after'][0]:.1f} after (the bench itself: about 2).", "",
             "| what | measured | budget | |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(cell.strip() for cell in row) + " |" for row in table.rows]
    (ROOT / "docs/cost.md").write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
