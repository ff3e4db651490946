# SPDX-License-Identifier: Apache-2.0
"""Who armed it, behind a wrapper: three functions arm one descriptor each through one epoll_ctl, with one mask, and a
finding names the one that armed its own."""
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from harness import BUILD, ROOT, SPINNERS, Skip, Started, check, epaudit, fdinfo_of


def armed_by(program, *words, third=("timerfd", "open_clock")):
    outcome = epaudit("run", "--profile", "test", "--duration", "2.5", "--", program, *words)
    armed = {}
    for finding in outcome.report["findings"]:
        frames = [frame["function"] for stack in finding["evidence"]["stacks"] if stack["what"] == "armed here"
                  for frame in stack["frames"]]
        armed[finding["fd"]["kind"]] = [frame for frame in frames if "open_" in frame or ".open" in frame]
    wanted = {"eventfd": "open_counter", "pipe": "open_pipe", third[0]: third[1]}
    for kind, function in wanted.items():
        name = function.replace("_", "").lower()
        check(any(name in frame.replace("_", "").lower() for frame in armed.get(kind, [])) and len(armed[kind]) == 1,
              f"{kind} was armed in {function}, told: {armed}; " + outcome.describe())


def pointed_at(program, how):
    """Reports point at the line that called, not at the helpers that all calls come through, and say what those were."""
    with tempfile.TemporaryDirectory() as directory:
        sarif, text = pathlib.Path(directory, "r.sarif"), pathlib.Path(directory, "r.txt")
        outcome = epaudit("run", "--profile", "test", "--duration", "2.5", "--format", f"sarif={sarif}", "--format", f"text={text}",
                          "--", program, how)
        results, words = json.loads(sarif.read_text())["runs"][0]["results"], " ".join(text.read_text().split())
    source = (ROOT / "tests/live/places.cpp").read_text().splitlines()
    pointed = {}
    for result in results:
        place = result["locations"][0]
        line = source[place["physicalLocation"]["region"]["startLine"] - 1]
        pointed[result["properties"]["fdKind"]] = place["logicalLocations"][0]["fullyQualifiedName"], line
    for kind, function in {"eventfd": "open_counter", "pipe": "open_pipe", "timerfd": "open_clock"}.items():
        name, line = pointed.get(kind, ("", ""))
        check(function in name and "arm" in line, f"{kind}: {pointed}; {outcome.describe()}")
        check(re.search(rf"the call comes from \S* ?\S*{function}(\(\))? \(\S+places.cpp:\d+\); [^;]*arm(\(int, unsigned int\))? "
                        r"\(\S+places.cpp:\d+\) only passes it on", words), words)


def stopped_by(program):
    """Input that waits for ever: the finding leads with the read that stopped early, though none followed it."""
    outcome = epaudit("run", "--profile", "test", "--", program, "half")
    findings = [f for f in outcome.report["findings"] if f["rule"] == "EP101"]
    check(len(findings) == 1, outcome.describe())
    first = findings[0]["evidence"]["stacks"][0]
    check(first["what"] == "last read here" and any("read_half" in frame["function"] for frame in first["frames"]),
          f"{first}; " + outcome.describe())


def looked_for(pid):
    """How many places were looked for on the stack and remembered, by the process that holds the maps."""
    ours = {int(found[1]) for found in (re.search(r"^map_id:\s*(\d+)", text, re.M) for text in fdinfo_of(pid)) if found}
    listing = subprocess.run(["bpftool", "--json", "map", "show"], capture_output=True, check=True, text=True)
    views = [m["id"] for m in json.loads(listing.stdout) if m["id"] in ours and m.get("name") == "site_views"]
    check(len(views) == 1, f"maps: {views}")
    rows = subprocess.run(["bpftool", "--json", "map", "dump", "id", str(views[0])], capture_output=True, check=True, text=True)
    return sum(view["value"]["next_way"] for row in json.loads(rows.stdout) for view in row["formatted"]["values"])


def known_again(program):
    """Of 300 calls at three places, who calls whom is looked for once on each CPU, or twice: for each look takes longer than
    all the rest of an epoll_ctl."""
    tool = Started("run", "-q", "--", program, "again")
    try:
        line = tool.process.stdout.readline()
        check(line == b"armed\n", f"{line}")
        looks = looked_for(tool.process.pid)
    finally:
        tool.interrupt()
    check(3 <= looks <= min(6 * os.cpu_count(), 150), f"{looks} looks")


def in_go():
    if not shutil.which("go"):
        raise Skip("Go is not installed")
    with tempfile.TemporaryDirectory() as directory:
        program = os.path.join(directory, "places")
        subprocess.run(["go", "build", "-o", program, str(ROOT / "tests/live/places.go")], check=True, timeout=120,
                       env=dict(os.environ, GOFLAGS="-mod=mod", GO111MODULE="off"))
        armed_by(program, third=("unix", "open_socket"))


def register(suite):
    with suite.side_by_side(SPINNERS):
        for frames in ("frames", "no-frames"):
            for how in ("wrapper", "deep", "again"):
                suite.run(f"places: armed through a wrapper, {how}, {frames}",
                          functools.partial(armed_by, str(BUILD / f"tests/places-{frames}"), how))
            for how in ("wrapper", "deep"):
                suite.run(f"places: the caller of a helper, {how}, {frames}",
                          functools.partial(pointed_at, str(BUILD / f"tests/places-{frames}"), how))
            suite.run(f"places: known again, {frames}", functools.partial(known_again, str(BUILD / f"tests/places-{frames}")))
            suite.run(f"places: stopped early, {frames}",
                      functools.partial(stopped_by, str(BUILD / f"tests/places-{frames}")))
        suite.run("places: armed through a wrapper, Go", in_go)
