# SPDX-License-Identifier: Apache-2.0
"""What a guest is asked to do, and what must come of it. The guest only reports; everything is judged here."""
import copy
import dataclasses
import json
import re
import typing

import agreement
import demos
import differential
import languages
import noticed
import servers
import source_lines
from harness import Final, Outcome, Skip, check, expectations

CONFIG = servers.NGINX.format(workers=1, dir="/srv", port=8080, user="user root;", more="")  # guests have one CPU
ATTACHED = ("busy-epollout", "et-read-not-drained")
SIDE_BY_SIDE = 3  # demos that do not disturb one another; more, and 7.2 preempts a probe and then its twin as well
# Seconds of a demo. Harm takes its time to show, and waiting for it is free; but every second of a demo that
# keeps a CPU busy is half a second of the emulator's.
PATIENT, BRIEF, QUIET = 9, 3, 5
# Judged by looks two seconds apart, both of which must see it (their window_s); a look takes a second here, and more.
TWO_SECONDS_APART = ("small-maxevents", "thundering-herd", "zero-timeout-spin")
A_SECOND_APART = ("accept-spin",)
# On one CPU two reads overlap only if the scheduler happens to step in between.
PARALLEL = ("concurrent-handlers",)
RING_UNSEEN = "calls_by_io_uring_unseen"
NO_SUCH_PROGRAMS = re.compile(r"prog 'walk_\w+': BPF program load failed: Invalid argument")
# What kernels for real time run, unless it is said: a spin and a hang, a program from its birth to its end, and a server
# under load where both hook sets are allowed; where one is not, also what is chosen instead. The log must show no splat.
REALTIME = {"6.1-rt": ("attach", "container", "auto-hooks"), "6.12-rt": ("attach", "container", "redis")}
# Hook sets that a kernel must be refused, and what is said then.
RING_SLEEPS = "may sleep where a probe writes a ring buffer"
REFUSED = {"5.10-rt": {"trampoline": RING_SLEEPS, "tracepoint": RING_SLEEPS, "auto": RING_SLEEPS},
           "6.1-rt": {"trampoline": "may sleep where a probe asks for memory"}}
LEAST_POSTINGS = 1000  # of a server under load; guests are slow
SPLAT = re.compile(r"\bOops\b|BUG:|WARNING:|general protection|Call Trace|Kernel panic|kernel BUG|detected stalls|"
                   r"refcount_t|corruption|double fault|blocked for more than|UBSAN|KASAN")
STOOD_IN, STOOD_IN_PER_SKIP = re.compile(r"skipped (\d+) probe runs.*others stood in"), 500
# Lines of a healthy kernel that look like splats.
HARMLESS = re.compile(r"Spectre V2 : WARNING: Unprivileged eBPF|ommand line:")


@dataclasses.dataclass(frozen=True)
class Case:
    """`kind`, `name` and `words` make a line of the guest's plan; `judge` raises what is wrong. `source`: the case
    that it is judged by, where the guest does nothing of its own for it."""
    kind: str
    name: str
    words: str
    judge: typing.Callable
    busy: bool = False  # spins: how often depends on the machine's speed
    source: str = ""
    cpus: int = 1

    def record(self):
        return self.source or self.name

    def of_demos(self):
        return self.record().startswith("together/")

    def plan(self):
        return f"{self.kind} {self.name} {self.words}".rstrip()


def outcome(record):
    report = None
    if "report" in record.parts:
        try:
            report = json.loads(record.text("report"))
        except ValueError as error:
            raise AssertionError(f"the report is not JSON: {error}") from error
    check(record.exit is not None, "epaudit left no exit code")
    # Told by those with --verbose: typed loads were refused, and everything was loaded once more without.
    check("failed to load object" not in record.text("err"), "not loaded at the first try: " + record.text("err")[-800:])
    check(record.exit not in (137, 143), f"no end in sight, killed after {record.seconds:.0f} s: {record.text('err')[-400:]}")
    return settle(Outcome(record.exit, report, record.text("out"), record.text("err"), record.seconds))


def settle(result):
    """Where probes are preempted, a program and its twin may both be skipped: where a few tasks share an emulated CPU, to
    which a probe is long, one in some hundred times. epaudit says so and ends with 4, as it must. That much is the
    kernel's doing, and no failure; what it found stands."""
    observation = (result.report or {}).get("observation", {})
    preempted = STOOD_IN.search("\n".join(observation.get("notes", [])))
    lost = observation.get("lost", {})
    if preempted and set(lost) == {agreement.SKIPPED} and lost[agreement.SKIPPED] <= 2 + int(preempted[1]) // STOOD_IN_PER_SKIP:
        observation["complete"] = True
        if result.code == 4:
            result.code = 1 if result.rules() else 0
    return result


def cannot_see(report, rule):
    """Why this kernel and hook set do not allow the rule, or None."""
    for covered in (report or {}).get("coverage", []):
        if covered["rule"] == rule and covered["status"] == "unavailable":
            return covered["reason"]
    return None


def demo(folder, twin, beside_others=False, lines=False):
    """`beside_others`: only what is said about this demo's own processes is looked at. `lines`: it was watched
    from birth, and the guilty line is to be named."""
    expected = expectations(folder, twin)

    def judge(record):
        result = outcome(record)
        for rule, _ in expected:
            reason = cannot_see(result.report, rule)
            if reason:
                raise Skip(f"{rule}: {reason}")
        check(result.report is None or result.report["observation"]["hooks"].startswith(record.hooks),
              "another hook set: " + result.describe())
        if beside_others:
            check(result.report is not None, result.describe())
            own = [f for f in result.report["findings"] if f["process"]["exe"] == f"/demo/{folder.name}/{twin}"]
            result.report = dict(result.report, findings=own)
            result.code = 1 if result.rules() else 0  # that of all together is together()'s
        demos.verify(result, expected)
        for finding in result.report["findings"]:
            if finding["level"] in ("likely", "confirmed"):
                demos.verify_finding(finding, twin)
        if lines:
            source_lines.verify(result, folder)
    return judge


def container(folder):
    """As outside; its numbers are those of the container, in which a process of ours is one of the first."""
    def judge(record):
        demo(folder, "bug", lines=True)(record)
        found = outcome(record).report
        numbers = {*found["target"]["pids"], *(f["process"]["pid"] for f in found["findings"]),
                   *(event["tid"] for f in found["findings"] for event in f["evidence"]["timeline"] if event.get("tid"))}
        check(numbers and all(0 < number < 10 for number in numbers), f"processes and threads {sorted(numbers)}")
    return judge


def silent(result):
    """No rule speaks."""
    check(result.report is not None, result.describe())
    if result.rules():
        raise Final("out of turn: " + result.describe())


def complete(result):
    check(result.report["observation"]["complete"], "incomplete: " + str(result.report["observation"]))


def inconclusive(lost, said=""):
    """Exactly these losses, and no finding."""
    def judge(record):
        result = outcome(record)
        silent(result)
        seen = result.report["observation"]
        check(result.code == 4 and seen["hooks"].startswith(record.hooks) and seen["lost"] == lost, result.describe())
        check(said in " ".join(seen["notes"]), result.describe())
    return judge


def recorded(folder):
    """A replay finds what is expected live, and counts as the kernel did."""
    def judge(record):
        no_problem(record)
        result = outcome(record)
        demos.verify(result, expectations(folder, "bug"))
        check(f"recorded by {record.hooks} probes" in " ".join(result.report["observation"]["notes"]), result.describe())
        lines = [json.loads(line) for line in record.text("log").splitlines()]
        kernel, replay = (differential.Account(lines, source) for source in ("kernel", "replay"))
        check(kernel.registrations, "the kernel's books are empty")
        found = differential.differences(kernel, replay, "replay", differential.KERNEL_FILE_COUNTS,
                                         differential.KERNEL_REGISTRATION_COUNTS)
        check(not found, "; ".join(found[:5]))
    return judge


def in_pieces(folder):
    """The sweep's second choice, forced on kernels that would not need it."""
    def judge(record):
        said = record.text("err")
        if NO_SUCH_PROGRAMS.search(said) and "processed" not in said:  # no verifier looked at it
            raise Skip("before 5.14 no program can be run from user space to walk a table")
        demos.verify(outcome(record), expectations(folder, "bug"))
    return judge


def by_itself(folder):
    """With the hooks that epaudit chooses."""
    def judge(record):
        demos.verify(outcome(record), expectations(folder, "bug"))
    return judge


def together(everything):
    """What is asked of one epaudit over all the demos. `everything`: (folder, twin)."""
    alarms = {rule for folder, twin in everything for rule, level in expectations(folder, twin) if level in demos.ALARMS}

    def judge(record):
        result = outcome(record)
        check(result.report is not None and result.code == (1 if alarms else 0), result.describe())
        check(set(result.rules()) == {rule for rule in alarms if not cannot_see(result.report, rule)}, result.describe())
        complete(result)
        check(result.report["observation"]["epolls"] >= len(everything), f"not all were seen: {result.report['observation']}")
    return judge


def stops(expected):
    """A role of tests/live/stops.cpp or waiting.cpp: just these rules speak, at likely or more."""
    def judge(record):
        no_problem(record)
        result = outcome(record)
        check(result.report is not None, result.describe())
        check(result.report["observation"]["hooks"].startswith(record.hooks), "another hook set: " + result.describe())
        for rule in expected:
            reason = cannot_see(result.report, rule)
            if reason:
                raise Skip(f"{rule}: {reason}")
        if result.rules() != expected:
            raise Final(result.describe())
        complete(result)
    return judge


def whose(alarm=None):
    """A role of tests/live/whose.cpp: this rule names the guilty descriptor; None: the role is healthy."""
    def judge(record):
        result = outcome(record)
        found, guilty = result.accused(), result.guilty()
        check(not alarm or guilty is not None, result.describe())
        check(found == ([(alarm, guilty)] if alarm else []), f"{found}, {guilty}: {result.describe()}")
        complete(result)
    return judge


def turns(members):
    """What is asked of one epaudit that watched several programs in turn. `members`: [(name, words, rule)]."""
    def judge(record):
        result = outcome(record)
        check(result.report is not None, result.describe())
        check(set(result.rules()) == {rule for _, _, rule in members}, result.describe())
        check(result.report["observation"]["hooks"].startswith(record.hooks), "another hook set: " + result.describe())
    return judge


def alone(words, judge):
    """Of one epaudit that watched several programs in turn: as if this one had been all, with what it wrote itself."""
    def judge_alone(record):
        own = copy.copy(record)
        report = outcome(record).report
        check(report is not None, record.text("err"))
        report["findings"] = [f for f in report["findings"] if f["process"]["exe"] == words.split()[0]]
        if "/bin/rings" not in words and set(report["observation"]["lost"]) == {RING_UNSEEN}:
            report["observation"].update(complete=True, lost={})  # only that one has a ring
        alarm = any(f["level"] in ("likely", "confirmed") for f in report["findings"])
        own.exit = 1 if alarm else 0 if report["observation"]["complete"] else 4
        written = record.text("out").partition(f"== {words}\n")[2].partition("\n== ")[0]
        own.parts = dict(record.parts, report=json.dumps(report).encode(), out=written.encode())
        judge(own)
    return judge_alone


def in_turn(name, members, wanted, absent):
    """One epaudit for all these programs, one after another. `members`: [(name, words, rule, judge)], each a program of
    its own; `absent`: {name: what is not installed}."""
    chosen = [each for each in members if wanted(each[0]) and not absent.get(each[0])]
    if chosen:
        yield Case("turns", name, " ".join(words.replace(" ", ",") for _, words, _, _ in chosen),
                   turns([each[:3] for each in chosen]))
    for member, words, _, judge in members:
        if absent.get(member):
            yield Case("skip", member, "", skipped(absent[member]))
        else:
            yield Case("none", member, "", alone(words, judge), source=name)


def seen_all_the_same(call):
    """A role of tests/live/noticed.cpp: the child had no epoll, and its calls matter to its parent's."""
    return lambda record: noticed.all_seen(outcome(record), call)


def ring(alarm=None):
    """A role of tests/live/rings.cpp, as whose(); where io_uring does not tell what it did, that is said."""
    def judge(record):
        result = outcome(record)
        if result.report and result.report["observation"]["lost"].get(RING_UNSEEN):
            check(result.code in (1, 4) and not result.report["observation"]["complete"], result.describe())
        else:
            whose(alarm)(record)
    return judge


def python_line(record):
    """The line of the Python program, whose frames are none of the C stack, is told first."""
    result = outcome(record)
    check(result.rules() == ["EP201"], result.describe())
    expected = languages.expected_line(languages.LINES / "lines.py", "EP201")
    frames = [frame for finding in result.report["findings"] for stack in finding["evidence"]["stacks"]
              if stack["what"] == "armed here" for frame in stack["frames"] if frame.get("file", "").endswith("/lines.py")]
    check(frames and (frames[0]["function"], frames[0]["line"]) == ("arm_for_output", expected), f"{frames[:2]}: {result.describe()}")


def within_budget(record):
    """Of a core that spins, two per cent buy a look now and then: the probes come off and on again, and what spins is found."""
    result = outcome(record)
    check(result.rules() == ["EP201"] and result.code == 1, result.describe())
    seen = result.report["observation"]
    check(seen["hooks"].startswith(record.hooks), "another hook set: " + result.describe())
    budget = seen["budget"]
    check(budget["attached_share"] < 0.9 and budget["longest_gap_s"] > 0, f"{budget}: {result.describe()}")


def multipath(record):
    """A spin on a connection of multipath TCP is found, or it is said that this kernel does not tell of them, or has none."""
    result = outcome(record)
    if "socket of multipath TCP: " in result.err + result.out:
        return
    notes = " ".join((result.report or {}).get("observation", {}).get("notes", []))
    check(result.rules() == ["EP202"] or "multipath TCP were not looked at" in notes, result.describe())


def refuses(code, text):
    """One clear line, the right exit code."""
    def judge(record):
        result = outcome(record)
        first = (result.err.splitlines() or [""])[0]
        check(result.code == code, f"exit {result.code}, not {code}: {result.err}")
        check(first.startswith("epaudit: ") and text in first, f"first line: {first!r}")
    return judge


def silent_server(record):
    result = outcome(record)
    silent(result)
    check(result.code == 0, result.describe())
    complete(result)
    check(result.report["observation"]["postings"] >= LEAST_POSTINGS,
          f"hardly any load: {result.report['observation']}\n{record.text('log')}")


def silent_redis(record):
    """Of an epaudit that watched others before."""
    result = outcome(record)
    silent(result)
    complete(result)
    check("requests per second" in record.text("log"), f"hardly any load: {record.text('log')[-300:]}")


def no_problem(record):
    check(record.exit is not None and not record.parts.get("problem"), record.text("problem") + record.text("err"))


def skipped(reason):
    def judge(_):
        raise Skip(reason)
    return judge


def waves(some, twin, seconds, at_once):
    """(seconds, [(folder, twin)]): demos that run side by side."""
    return [(seconds(folder), [(folder, twin) for folder in some[start:start + at_once]])
            for start, folder in list(enumerate(some))[::at_once]]


def under_one(name, all_waves, wanted, busy=False, cpus=1):
    """One epaudit for all these demos: attaching costs an emulated CPU more than they do."""
    chosen = [(seconds, [each for each in wave if wanted(run_name(*each))]) for seconds, wave in all_waves]
    everything = [each for _, wave in chosen for each in wave]
    if not everything:
        return
    words = " ".join(f"{seconds}:" + ",".join(f"{folder.name}/{twin}" for folder, twin in wave)
                     for seconds, wave in chosen if wave)
    yield Case("together", name, words, together(everything), busy, cpus=cpus)
    for folder, twin in everything:
        yield Case("none", run_name(folder, twin), "", demo(folder, twin, beside_others=True, lines=twin == "bug"),
                   source=name, cpus=cpus)


def run_name(folder, twin):
    return f"run/{folder.name}/{twin}"


def twins(folders, wanted):
    """Every demo: bugs that keep a CPU busy one by one, the others side by side."""
    for folder in folders:
        check(not expectations(folder, "fixed"), f"{folder.name}/fixed.cpp is not quiet")
    spins = [folder for folder in folders if demos.spins(folder)]
    busy = [folder for folder in folders if folder.name in demos.BUSY]
    parallel = [folder for folder in folders if folder.name in PARALLEL]
    alone = [folder for folder in folders if (folder in spins or folder in busy) and folder not in parallel]
    others = [folder for folder in folders if folder not in alone + parallel]
    calm = [folder for folder in folders if folder not in busy]

    def brief(folder):
        if folder.name in TWO_SECONDS_APART:
            return PATIENT
        return QUIET if folder in busy or folder.name in A_SECOND_APART else BRIEF
    yield from under_one("together/spins", waves(alone, "bug", brief, 1), wanted, busy=True)
    yield from under_one("together/others", waves(others, "bug", lambda _: PATIENT, SIDE_BY_SIDE) +
                         waves(calm, "fixed", lambda _: QUIET, SIDE_BY_SIDE) +
                         waves(busy, "fixed", lambda _: QUIET, 1), wanted)
    yield from under_one("together/parallel", waves(parallel, "bug", lambda _: PATIENT, 1), wanted, busy=True,
                         cpus=2)


def plan(missing, only=(), cpus=1, label="", quarter=None):
    """All cases of one hook set for a guest with so many CPUs, or those whose name holds a word of `only`. `missing`:
    programs that are not installed on the host. `label`: of its kernel. `quarter`: 0 to 3, every fourth demo; None: all."""
    attached = [demos.ROOT / "demo_bugs" / name for name in ATTACHED]

    def wanted(name):
        return not only or any(word in name for word in only)
    no_redis = sorted({"redis-server", "redis-cli", "redis-benchmark"} & set(missing))
    cases = [
        Case("attach", "attach", " ".join(["redis"] * (not no_redis) + list(ATTACHED)), together([(folder, "bug") for folder in attached])),
        Case("skip", "redis", "", skipped(", ".join(no_redis) + " not installed")) if no_redis else
        Case("none", "redis", "", alone("/usr/bin/redis-server", silent_redis), source="attach"),
        Case("budget", "budget", "busy-epollout", within_budget, busy=True),
        Case("selected", "selected", "busy-epollout", stops(["EP201"]), busy=True),
        *(Case("none", f"attach/{folder.name}", "", demo(folder, "bug", beside_others=True), source="attach") for folder in attached),
        Case("stops", "stops/signal", "signal", stops([])),
        Case("stops", "stops/ptrace", "ptrace", stops([])),
        Case("stops", "stops/freeze2", "freeze2 /tmp/cgroup2/frozen", stops([])),
        Case("stops", "stops/freeze1", "freeze1 /tmp/freezer/frozen", stops([])),
        Case("stops", "stops/nap", "nap 12", stops(["EP404"])),
        Case("stops", "stops/ring", "ring 3000", stops([])),
        Case("waiting", "waiting/end-under-edge", "end-under-edge", stops(["EP301"])),
        Case("waiting", "waiting/connect-untold", "connect-untold", stops(["EP106"])),
        Case("waiting", "waiting/lowat", "lowat", stops([])),
        Case("waiting", "waiting/unix-chunks", "unix-chunks", stops([])),
        Case("waiting", "waiting/stalls", "stalls", stops(["EP404"])),
        Case("unregistered", "unregistered/many", "many", stops(["EP106"])),
        Case("unregistered", "unregistered/listener", "listener", stops(["EP106"])),
        Case("unregistered", "unregistered/queue", "queue", stops([])),
        Case("late", "waiting/ghost", "ghost", stops(["EP303"])),
        Case("late", "waiting/ghost-ignored", "ghost-ignored", stops(["EP303"])),
        Case("late", "waiting/ghost-child", "ghost-child", stops(["EP303"])),
        Case("late", "waiting/hangs", "hangs", stops(["EP103"])),
        Case("late", "waiting/pool", "pool", stops([])),
        Case("nginx", "nginx", "", silent_server),
        Case("capabilities", "capabilities", "busy-epollout", demo(demos.ROOT / "demo_bugs/busy-epollout", "bug")),
        Case("recorded", "recorded/et-read-not-drained", "et-read-not-drained", recorded(demos.ROOT / "demo_bugs/et-read-not-drained")),
        Case("container", "container", "et-read-not-drained", container(demos.ROOT / "demo_bugs/et-read-not-drained")),
        Case("watched", "32-bit", "/bin/narrow-server", inconclusive({"processes_of_32_bits": 1}, "narrow-server (pid ")),
        Case("watched", "exec-beyond", "/bin/lives keeps 70000 /bin/sleep 3",
             inconclusive({"execs_with_more_descriptors_than_looked_at": 1})),
        Case("whose", "whose/dispatcher", "dispatcher 40", whose()),
        Case("whose", "whose/shared", "shared 5", whose("EP202"), busy=True),
        Case("watched", "noticed/own", f"/bin/noticed own {noticed.READS}", lambda record: noticed.unseen(outcome(record))),
        *(Case("watched", f"noticed/{role}", f"/bin/noticed {role} {noticed.READS}", seen_all_the_same(call))
          for role, call in (("registered", "read"), ("sent", "read"), ("epoll", "epoll_wait"))),
        *(Case("watched", f"rings/{role}", f"/bin/rings {role}", ring(alarm), busy=bool(alarm)) for role, alarm in (
            ("rearm", None), ("edges", None), ("churn", None))),
        *in_turn("turns", [("whose/ranges", "/bin/whose ranges 1", "EP303", whose("EP303")),
                           ("rings/ghost", "/bin/rings ghost", "EP303", ring("EP303")),
                           ("python", "/usr/bin/python3 -S /srv/lines.py output 6", "EP201", python_line)],
                 wanted, {"python": "python3 not installed"} if "python3" in missing else {}),
        Case("watched", "multipath-tcp", "/bin/readers mptcp ignore 2", multipath, busy=True),
        Case("once", "no-such-pid", "attach -p 999999", refuses(3, "no process 999999")),
        Case("once", "missing-file", "run -- /no/such/program", refuses(2, "No such file")),
        Case("once", "no-epoll", "run -- true", refuses(3, "no epoll instance")),
        Case("once", "unknown-hooks", "run --hooks nonsense -- true", refuses(2, "nonsense")),
        Case("once", "sweep-in-pieces", "run --walk-in-pieces --hooks tracepoint --verbose --max-fds 4096"
             " -- /demo/et-read-not-drained/bug --seconds 5", in_pieces(demos.ROOT / "demo_bugs/et-read-not-drained")),
        Case("once", "auto-hooks", "run --verbose --max-fds 4096 -- /demo/et-read-not-drained/bug --seconds 5",
             by_itself(demos.ROOT / "demo_bugs/et-read-not-drained")),
        Case("killed", "killed-tool", "", no_problem),
        *(Case("once", f"refused-{hooks}", f"run --source bpf --hooks {hooks} -- true", refuses(3, why))
          for hooks, why in REFUSED.get(label, {}).items()),
    ]
    needs = {"nginx": {"nginx", "wrk"},
             "capabilities": {"setpriv"}}
    for number, case in enumerate(cases):
        absent = sorted(needs.get(case.kind, needs.get(case.name, set())) & set(missing))
        if absent:
            cases[number] = dataclasses.replace(case, kind="skip", judge=skipped(", ".join(absent) + " not installed"))
    refused = {f"refused-{hooks}" for hooks in REFUSED.get(label, {})}
    cases = [case for case in cases if wanted(case.name) or case.name in refused or
             any(other.source == case.name and wanted(other.name) for other in cases)]
    folders = demos.folders() if quarter is None else demos.folders()[quarter::4]
    cases = [case for case in [*twins(folders, wanted), *cases] if case.cpus == cpus]
    # The guest adds this one itself, when all others are over.
    return [*cases, Case("none", "nothing-left", "", no_problem)] if cases else []


def demos_of(plan_):
    """The cases of a plan that are demos."""
    return [case for case in plan_ if case.source]


def splats(log):
    return [line.strip() for line in log.splitlines() if SPLAT.search(line) and not HARMLESS.search(line)]
