# SPDX-License-Identifier: Apache-2.0
"""What watching costs is measured, and told."""
from harness import BUILD, check, epaudit

SERVER = str(BUILD / "demo_bugs/ladder/level")


def measured():
    outcome = epaudit("run", "--format", "text", "--", SERVER, "--seconds", "3")
    seen = outcome.report["observation"]
    cost = seen["cost"]
    check(0.2 <= cost["measured_s"] <= seen["seconds"] / 2 and cost["watched_cores"] > 0, str(cost))
    # A posting costs from some tens of ns to some us. This is no benchmark: it tells ns from us, and a window from the whole.
    per_posting = cost["probes_cores"] * seen["seconds"] / seen["postings"] * 1e9
    check(20 < per_posting < 50_000, f"{per_posting} ns a posting: {seen}")
    check("cost      " in outcome.out and "of a core: probes" in outcome.out, outcome.out)


def register(suite):
    suite.run("cost: what watching costs is measured", measured)
