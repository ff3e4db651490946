# SPDX-License-Identifier: Apache-2.0
"""Do the hook sets keep the same books? Compares reports of the same demo on the same kernel.

Both runs last equally long, but a guest's speed differs from run to run, so numbers are compared up to one
common factor: what a loop does more often it does more often throughout. What a hook set does not see sticks out.
"""
import statistics

from harness import check

PACED = {"epoll_wait", "read", "write"}  # of a demo that spins
# What the sets do not count alike, and why.
APART = {
    "blocked": "a thread that handles events was in another's way: the scheduler's doing, not the program's",
    "blocking_call": "tracepoint posts each call that may sleep, trampoline only those about to sleep",
    "dup": "tracepoint also sees dup(), of which the books need nothing; both see what dup2() and dup3() close",
}
FACTOR = 0.4  # by which a kind may depart from the common factor: clients keep time, servers compute
SKIPPED = "probe_runs_skipped_by_the_kernel"  # told, so one of them may have been a creation
FEW = 4  # how many postings may be on either side of the end of a run
# Only a futex() that woke somebody is posted: whether somebody slept there is the scheduler's doing. Where few do (in demos whose
# threads meet as they begin and end), the numbers say nothing; 6 to 12 were seen under either set.
FEW_OF = {"futex": 12}


def rules(report, blind):
    return sorted({f["rule"] for f in report["findings"] if f["level"] in ("likely", "confirmed")} - blind)


def unavailable(report):
    return {covered["rule"] for covered in report["coverage"] if covered["status"] == "unavailable"}


def scale(ours, theirs):
    ratios = [ours[kind] / theirs[kind] for kind in ours if theirs.get(kind) and ours[kind] > FEW]
    return statistics.median(ratios) if ratios else 1.0


def compare(first, second, spins):
    """`first`, `second`: (name of the set, report). Raises when findings or books differ; returns what differs
    within bounds, in words."""
    (one_set, one), (other_set, other) = first, second
    blind = unavailable(one) | unavailable(other)
    check(rules(one, blind) == rules(other, blind),
          f"{one_set} finds {rules(one, blind)}, {other_set} finds {rules(other, blind)}")
    a, b = one["observation"].get("epolls"), other["observation"].get("epolls")
    skipped = sum(report["observation"]["lost"].get(SKIPPED, 0) for report in (one, other))
    check(abs(a - b) <= skipped, f"epolls: {a} under {one_set}, {b} under {other_set}")
    ours, theirs = (report["observation"].get("calls", {}) for report in (one, other))
    kinds = sorted((set(ours) | set(theirs)) - set(APART) - (PACED if spins else set()))
    factor = scale({kind: ours.get(kind, 0) for kind in kinds}, theirs)
    differ, apart = [], []
    for kind in kinds:
        a, b = ours.get(kind, 0), theirs.get(kind, 0)
        if a != b:
            differ.append(f"{kind} {a}/{b}")
        if abs(a - b * factor) > max(FACTOR * max(a, b * factor), FEW_OF.get(kind, FEW)):
            apart.append(f"{kind} {a}/{b}")
    check(not apart, f"postings {one_set}/{other_set}: {', '.join(apart)} (all: {', '.join(differ)})")
    return f"postings {one_set}/{other_set}: {', '.join(differ)}" if differ else "same postings"
