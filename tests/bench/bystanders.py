# SPDX-License-Identifier: Apache-2.0
"""What processes pay that nobody watches, while epaudit watches another: ratios of the time of their loops, to empty programs on
the same hooks and to no programs at all."""
import os

from costs import Work
from observers import Empty, Epaudit, Nobody

# Loop of bench_work -> iterations: some 15 ms each.
LOOPS = {"dd": 60000, "futex": 8000, "tcp_echo": 3000}
SAID = {"dd": "read and write of a byte, as dd bs=1", "futex": "futex ping-pong", "tcp_echo": "TCP echo over loopback"}
CHUNKS = 8  # of which the quickest counts: all that disturbs only ever adds
STATES = {"unobserved": Nobody, "empty": Empty, "epaudit": Epaudit}


def times(work):
    """ns per iteration."""
    best = {}
    for _ in range(CHUNKS):
        for loop, count in LOOPS.items():
            took = int(work.ask(f"{loop} {count}")[1]) / count
            best[loop] = min(took, best.get(loop, took))
    return best


def measure(rounds):
    """Loop -> for each round, ns per iteration in each state. The watched process is idle; the loops have a core of their own."""
    taken = {loop: [] for loop in LOOPS}
    with Work("loops") as target, Work("loops") as work:
        os.sched_setaffinity(work.pid, {max(os.sched_getaffinity(0))})
        times(work)  # their partners start
        for _ in range(rounds):
            seen = {}
            for state, watcher in STATES.items():
                with watcher(target.pid):
                    seen[state] = times(work)
            for loop, rows in taken.items():
                rows.append({state: best[loop] for state, best in seen.items()})
    return taken
