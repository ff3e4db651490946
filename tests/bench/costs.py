# SPDX-License-Identifier: Apache-2.0
"""What epaudit itself costs: kernel time per posting, memory per descriptor, its own CPU, its latency."""
import contextlib
import json
import resource
import select
import subprocess
import time

from harness import bpf_stats, check
from observers import BENCH, Empty, Epaudit, Stackless, cpu_ns, fdinfo, links

# Loop of bench_work -> iterations, and the postings that one iteration makes (vocabulary of bpf/posting.h).
LOOPS = {
    "other": (100000, ""),
    "unwatched_read": (60000, "read"),
    "eagain": (60000, "read"),
    "unix": (20000, "write ready read"),
    "tcp": (10000, "write ready read"),
    "echo": (10000, "write ready wait return delivered read"),
    "poll": (40000, "wait return"),
    "mod": (40000, "mod"),
    "add_del": (15000, "add del"),
    "eventfd": (20000, "write ready read"),
    "connection": (1000, "connect ready accept add close close"),
}


class Work:
    """bench_work in one of its roles."""

    def __init__(self, *words):
        self.process = subprocess.Popen([str(BENCH / "bench_work"), *map(str, words)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        self.pid = self.process.pid

    def __enter__(self):
        check(self.process.stdout.readline() == "ready\n", "bench_work did not start")
        return self

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        return self.process.stdout.readline().split()

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def runs(pid):
    """Program id -> (ns, runs) of the programs that a process holds."""
    return {int(info["prog_id"]): (int(info["run_time_ns"]), int(info["run_cnt"])) for info in fdinfo(pid)
            if "run_time_ns" in info}


def loop_costs(work, tool_pid, repeats):
    """Loop -> hook -> (ns per iteration, runs per iteration): of the cheapest repetition, since a hypervisor that
    takes the CPU away in the middle only ever adds."""
    hooks = links(tool_pid)
    best, totals = {}, {}
    for _ in range(repeats):
        for loop, (count, _) in LOOPS.items():
            before = runs(tool_pid)
            wall = int(work.ask(f"{loop} {count}")[1])
            after = runs(tool_pid)
            cost = {hook: ((after[p][0] - before[p][0]) / count, (after[p][1] - before[p][1]) / count)
                    for p, hook in hooks.items() if p in before}
            total = sum(ns for ns, _ in cost.values())
            totals.setdefault(loop, []).append(total)
            if loop not in best or total < best[loop]["ns"]:
                best[loop] = {"ns": total, "wall_ns": wall / count, "hooks": cost}
    for loop, kept in best.items():
        kept["all"] = totals[loop]
    return best


def postings(repeats):
    with bpf_stats(), Work("loops") as work:
        with Empty(work.pid) as empty:
            floor = loop_costs(work, empty.tool_pid, repeats)
        with Epaudit(work.pid) as tool:
            full = loop_costs(work, tool.tool_pid, repeats)
        with Stackless(work.pid) as tool:
            stackless = loop_costs(work, tool.tool_pid, repeats)
    results = {}
    for loop, (_, kinds) in LOOPS.items():
        above = max(0.0, full[loop]["ns"] - floor[loop]["ns"])
        made = len(kinds.split())
        per_hook = {hook: {"ns": round(ns - floor[loop]["hooks"].get(hook, (0, 0))[0], 1), "runs": round(count, 2)}
                    for hook, (ns, count) in full[loop]["hooks"].items() if count >= 0.01}
        results[loop] = {"postings": kinds, "ns_per_iteration": above,
                         "all": [round(ns - floor[loop]["ns"], 1) for ns in full[loop]["all"]], "ns_per_posting": above / made if made else None,
                         "for_source_lines_ns": full[loop]["ns"] - stackless[loop]["ns"],
                         "empty_ns": floor[loop]["ns"], "wall_ns": full[loop]["wall_ns"], "hooks": per_hook}
    return results


# One row each per watched descriptor, allocated when it is needed (kernels before 6.4 do not tell how much).
# The kernel keeps 15 letters of a map's name, and counts what it asks its allocator for, not what that hands out.
ROW_TABLES = ("file_rows", "fault_rows", "registration_ro", "run_rows", "index_rows")
ELEMENT_HEAD = 48  # struct htab_elem
ALLOCATOR_HEAD = 8  # LLIST_NODE_SZ, since 6.1
ALLOCATIONS = (16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096)  # kmalloc's
BUCKET = 16


def rounded(m):
    """Bytes of a table, with what the allocator rounds up to."""
    element = ELEMENT_HEAD + (m["bytes_key"] + 7) // 8 * 8 + (m["bytes_value"] + 7) // 8 * 8
    buckets = 1 << (m["max_entries"] - 1).bit_length()
    elements = max(0, m["bytes_memlock"] - buckets * BUCKET) // element
    allocated = next(size for size in ALLOCATIONS if size >= element + ALLOCATOR_HEAD)
    return m["bytes_memlock"] + elements * (allocated - element)


def memory(tool_pid, rows):
    ids = {int(info["map_id"]) for info in fdinfo(tool_pid) if "map_id" in info}
    listing = subprocess.run(["bpftool", "--json", "map", "show"], capture_output=True, check=True, text=True)
    maps = [m for m in json.loads(listing.stdout) if m["id"] in ids]
    tables = {m["name"]: {"row": m["bytes_value"], "key": m["bytes_key"], "max_entries": m["max_entries"],
                          "bytes": size, "per_row": size / rows}
              for m in maps if m["name"] in ROW_TABLES for size in [rounded(m)]}
    return {"tables": tables, "per_fd": sum(t["per_row"] for t in tables.values()),
            "all_maps": sum(m["bytes_memlock"] for m in maps)}


class Patient(Epaudit):
    def __init__(self, pids, files):
        room = 1 << (files + 64).bit_length()  # a little more than there are
        self.arguments = (*Epaudit.arguments, "--max-fds", room)
        super().__init__(pids)


def idle(files, seconds):
    """In as many processes as the limit on descriptors, which may not be ours to raise, demands."""
    each = min(files, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 64)
    with contextlib.ExitStack() as stack:
        pids = [stack.enter_context(Work("idle", min(each, files - at))).pid for at in range(0, files, each)]
        start = time.monotonic()
        with Patient(",".join(map(str, pids)), files) as tool:
            attach = time.monotonic() - start
            began, spent = time.monotonic(), cpu_ns(tool.tool_pid)
            time.sleep(seconds)
            cpu = (cpu_ns(tool.tool_pid) - spent) / 1e9 / (time.monotonic() - began)
            used = memory(tool.tool_pid, files)
        seen = tool.outcome.report["observation"]
    return {"cpu": cpu, "cpu_with_last_look": seen["tool_cpu_s"] / seen["seconds"], "attach_s": attach, "registrations": seen["registrations"],
            "complete": seen["complete"], "seconds": seen["seconds"], "memory": used}


class Strict(Epaudit):
    arguments = ("--profile", "test")
    quiet = ()


def spin():
    """Seconds from the first futile epoll_wait to the line that announces the finding."""
    with Work("spin", 15) as work, Strict(work.pid) as tool:
        time.sleep(1.5)  # let the tool settle into its calm rhythm
        began = int(work.ask("go")[1]) / 1e9
        ready, _, _ = select.select([tool.tool.process.stderr], [], [], 15)
        check(ready, "no finding within 15 s")
        took = time.monotonic() - began
        line = tool.tool.process.stderr.readline().decode()
    check("EP" in line, f"no finding: {line}")
    return {"seconds": took, "line": line.strip()}
