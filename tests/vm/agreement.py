# SPDX-License-Identifier: Apache-2.0
"""Do the hook sets keep the same books? Compares reports of the same demo on the same kernel."""
from harness import check

# How often these happen depends on how fast the demo spins.
PACED = {"epoll_wait", "read", "write"}


def rules(report):
    return sorted({f["rule"] for f in report["findings"] if f["level"] in ("likely", "confirmed")})


def differences(one, other):
    """Kinds of postings whose number differs, paced ones only if one set has none at all."""
    ours, theirs = (report["observation"].get("calls", {}) for report in (one, other))
    found = []
    for kind in sorted(set(ours) | set(theirs)):
        a, b = ours.get(kind, 0), theirs.get(kind, 0)
        if a != b and (kind not in PACED or not a or not b):
            found.append(f"{kind} {a}/{b}")
    return found


def compare(first, second):
    """`first`, `second`: (name of the set, report). Raises when the findings or the books differ; returns what
    else does, in words."""
    (one_set, one), (other_set, other) = first, second
    check(rules(one) == rules(other), f"{one_set} finds {rules(one)}, {other_set} finds {rules(other)}")
    for table in ("epolls", "registrations"):
        a, b = one["observation"].get(table), other["observation"].get(table)
        check(a == b, f"{table}: {a} under {one_set}, {b} under {other_set}")
    found = differences(one, other)
    return f"postings {one_set}/{other_set}: {', '.join(found)}" if found else "same postings"
