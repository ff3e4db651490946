# SPDX-License-Identifier: Apache-2.0
"""Who armed it, behind a wrapper: three functions arm one descriptor each through one epoll_ctl, with one mask, and a
finding names the one that armed its own."""
import functools
import os
import shutil
import subprocess
import tempfile

from harness import BUILD, ROOT, Skip, check, epaudit


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


def stopped_by(program):
    """Input that waits for ever: the finding leads with the read that stopped early, though none followed it."""
    outcome = epaudit("run", "--profile", "test", "--", program, "half")
    findings = [f for f in outcome.report["findings"] if f["rule"] == "EP101"]
    check(len(findings) == 1, outcome.describe())
    first = findings[0]["evidence"]["stacks"][0]
    check(first["what"] == "last read here" and any("read_half" in frame["function"] for frame in first["frames"]),
          f"{first}; " + outcome.describe())


def in_go():
    if not shutil.which("go"):
        raise Skip("Go is not installed")
    with tempfile.TemporaryDirectory() as directory:
        program = os.path.join(directory, "places")
        subprocess.run(["go", "build", "-o", program, str(ROOT / "tests/live/places.go")], check=True, timeout=120,
                       env=dict(os.environ, GOFLAGS="-mod=mod", GO111MODULE="off"))
        armed_by(program, third=("unix", "open_socket"))


def register(suite):
    for frames in ("frames", "no-frames"):
        for how in ("wrapper", "deep", "again"):
            suite.run(f"places: armed through a wrapper, {how}, {frames}",
                      functools.partial(armed_by, str(BUILD / f"tests/places-{frames}"), how))
        suite.run(f"places: stopped early, {frames}",
                  functools.partial(stopped_by, str(BUILD / f"tests/places-{frames}")))
    suite.run("places: armed through a wrapper, Go", in_go)
