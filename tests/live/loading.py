# SPDX-License-Identifier: Apache-2.0
"""What loading the probes costs a kernel. It grows unseen: a loop of a few hundred turns in one function, or a large body
in line at several places, doubles it and no other test notices (bpf/shared.bpf.c says what helps)."""
import json
import os
import re
import subprocess

from harness import Skip, Started, check, epaudit, fdinfo_of, programs_of

# Little above what 6.18 counts: 406,000 instructions in all, 174,000 for the largest program. Verifiers differ: a function
# that was not in line and was called in a loop made 432,000 of them here, and 3.2 million of set `trampoline` on 6.1 (a global
# one is verified once).
MOST_VERIFIED = 410_000
MOST_OF_ONE = 185_000
# Machine-independent code after the verifier has cut out what is dead: 428,000 and 176,000 bytes. The time that this cutting
# takes grows by the square of a program's size.
MOST_BYTES = 490_000
MOST_BYTES_OF_ONE = 205_000


def loaded(pid):
    """Name, verified instructions, bytes of the programs that a process has loaded, twins not among them (bpf/twins.h):
    they are the same once more, on kernels that need them."""
    listing = subprocess.run(["bpftool", "--json", "prog", "show"], capture_output=True, check=True, text=True)
    ours = programs_of(pid)
    known = {p["id"]: p for p in json.loads(listing.stdout)
             if p["id"] in ours and not p.get("name", "").endswith("_twin")}
    for text in fdinfo_of(pid):
        program = re.search(r"^prog_id:\s*(\d+)", text, re.M)
        verified = re.search(r"^verified_insns:\s*(\d+)", text, re.M)  # of links there is no such line
        if program and verified and int(program[1]) in known:
            p = known[int(program[1])]
            yield p.get("name", "?"), int(verified[1]), p["bytes_xlated"]


def is_cheap():
    tool = Started("attach", "-q", "-p", os.getpid())
    try:
        found = sorted(set(loaded(tool.process.pid)), key=lambda p: -p[1])
    finally:
        tool.interrupt()
    if not found:
        raise Skip("this kernel does not tell how many instructions were verified (since 5.16)")
    check(len(found) > 5, f"only {found}")
    most = f"of {sum(p[1] for p in found):,} instructions and {sum(p[2] for p in found):,} bytes: {found[:4]}"
    check(sum(p[1] for p in found) <= MOST_VERIFIED and found[0][1] <= MOST_OF_ONE, "verified too many, " + most)
    check(sum(p[2] for p in found) <= MOST_BYTES and max(p[2] for p in found) <= MOST_BYTES_OF_ONE, "too large, " + most)


def is_taken_at_once():
    """A verifier that refuses typed loads gets calls instead (bpf/load.h), at some twenty times the cost: nobody would notice."""
    outcome = epaudit("attach", "--verbose", "--duration", "0.1", "-p", os.getpid())
    check("program load failed" not in outcome.err, outcome.err[:3000])


def register(suite):
    suite.run("loading: the verifier has little to do", is_cheap)
    suite.run("loading: the verifier takes the programs as they are", is_taken_at_once)
