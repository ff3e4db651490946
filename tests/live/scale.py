# SPDX-License-Identifier: Apache-2.0
"""A server with 200,000 registrations and 1,000 threads does not feel that epaudit attaches (scale.cpp), and one whose 20,000
connections hang is looked at as cheaply as the others (crowd.cpp)."""
import contextlib
import json
import re
import resource
import subprocess
import time

from harness import BUILD, SPEED, Started, bpf_stats, check, end, epaudit, programs_of, wait_for

REGISTRATIONS, THREADS = 200_000, 1_000
FILES = 18_000  # registered in several epolls each: not everywhere may a process have more descriptors
LISTED = 10_000  # registrations of an epoll up to which fdinfo is read (src/support/proc.h)
ATTACH_SECONDS = 3
# What a busy machine with two CPUs does to any thread now and then, in microseconds. While the kernel wrote fdinfo it held
# the epoll's lock for 10,000 with 18,000 registrations in one epoll, and for ten times as long with all of them.
NOISE_US = 50_000
HANG = 20_000
LOOK_MS_OF_1000 = 8  # 3.4 to 4.9 where others keep both CPUs busy
# A piece of a walk keeps its CPU to itself (WALK_KEYS in bpf/probes.h).
PIECE_NS = 1_000_000


@contextlib.contextmanager
def large_server():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = min(most - 100, FILES)
    server = subprocess.Popen([str(BUILD / "tests/scale"), str(files), str(-(-REGISTRATIONS // files)), str(THREADS)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)))
    try:
        yield server, files
    finally:
        server.kill()
        server.wait()


def ask(server):
    """(events, median, 99.9 percentile, longest) since it was last asked."""
    server.stdin.write("?\n")
    server.stdin.flush()
    return [int(word) for word in server.stdout.readline().split()]


def attaches_unnoticed():
    with large_server() as (server, files):
        ask(server)  # it serves once it answers
        time.sleep(4)  # this is what is measured
        before = ask(server)
        start = time.monotonic()
        started = Started("attach", "-p", server.pid, "--duration", "4", "--max-fds", REGISTRATIONS * 2)
        took = time.monotonic() - start
        during = ask(server)
        outcome = started.finish()
        after = ask(server)
        said = f"attached in {took:.2f} s; us: before {before}, meanwhile {during}, watched {after}; {outcome.describe()}"
        check(outcome.code == 0 and not outcome.rules(), said)
        asked = not any("the kernel locks the epoll meanwhile" in note for note in outcome.report["observation"]["notes"])
        check(asked == (files <= LISTED), said)
        check(took < ATTACH_SECONDS * SPEED, said)
        check(during[0] and during[2] < max(2 * before[2], NOISE_US * SPEED), said)
        print(f"live  scale: {said[:160]}", flush=True)


def look_at_a_crowd(count):
    """Milliseconds of CPU time that a look takes while so many connections hang."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    outcome = epaudit("run", "--profile", "test", "--verbose", "--max-fds", 4 * HANG, "--duration", round(20 * SPEED), "--",
                      str(BUILD / "tests/crowd"), count, prefix=["prlimit", f"--nofile={most}:{most}"])
    accused = {finding["rule"] for finding in outcome.report["findings"]}
    check(f"{count} hang" in outcome.out and accused == {"EP101"}, outcome.describe())
    said = re.search(r"(\d+) looks: ([\d.]+) ms of CPU time each", outcome.err)
    check(said and int(said[1]) >= 8, outcome.describe())
    print(f"live  scale: {count} hang: {said[0]}", flush=True)
    return float(said[2])


def many_that_hang():
    """In one process, as many as its descriptors allow. Eight times as many are eight times as dear, and where they fill no
    cache any more up to twice that; the square would be 64 times. Most of it is the kernel, which waits for memory: 3.5 us for
    each on a machine with others beside us."""
    most = min(HANG, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100)
    many, few = look_at_a_crowd(most), look_at_a_crowd(most // 8)
    check(many < 16 * max(few, 0.5), f"a look takes {many} ms of CPU time; with an eighth of them {few} ms")
    check(many < LOOK_MS_OF_1000 * SPEED * most / 1000, f"a look at {most} takes {many} ms of CPU time")


def time_of_pieces(pid):
    """(ns, pieces) of walks through the table of files so far."""
    ours = programs_of(pid)
    listing = subprocess.run(["bpftool", "--json", "prog", "show"], capture_output=True, check=True, text=True)
    walks = [p for p in json.loads(listing.stdout) if p["id"] in ours and p.get("name") == "walk_file_rows"]
    return walks[0].get("run_time_ns", 0), walks[0].get("run_cnt", 0)


def walks_give_way():
    """Where tables are walked through in pieces, none begins at the first row again, over what others have looked at."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = min(HANG, most - 100)
    crowd = subprocess.Popen(["prlimit", f"--nofile={most}:{most}", str(BUILD / "tests/crowd"), str(count)], stdout=subprocess.PIPE)
    try:
        crowd.stdout.readline()  # they hang
        with bpf_stats():
            tool = Started("attach", "-p", crowd.pid, "--walk-in-pieces", "--profile", "test", "--max-fds", 4 * HANG)
            pid = tool.process.pid
            wait_for(lambda: time_of_pieces(pid)[1] > 3 * count / 128, 60, "three walks")
            took, pieces = time_of_pieces(pid)
        outcome = tool.interrupt()
    finally:
        end(crowd)
    check(took / pieces < PIECE_NS * SPEED, f"{pieces} pieces took {took / pieces / 1e6:.2f} ms each; {outcome.describe()}")


def register(suite):
    suite.run("scale: 200,000 registrations, 1,000 threads", attaches_unnoticed)
    suite.run("scale: 20,000 connections that hang", many_that_hang)
    suite.run("scale: a walk in pieces gives way", walks_give_way)
