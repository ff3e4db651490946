#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every text that people read is as tests/golden has it: run.py [--renew] [NAME...]. No root: privileges are given up.

--renew writes the files anew instead. What differs from run to run, and from machine to machine, is replaced: see SCRUBBED.
"""
import difflib
import fcntl
import json
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "live"))
from harness import BUILD, ROOT, read_to_end  # noqa: E402

GOLDEN = pathlib.Path(__file__).resolve().parent
# Without capabilities, and still who owns the checkout: it may lie where nobody else may go.
BARE = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.geteuid() == 0 else []
SCRUBBED = (
    (re.compile(r"^epaudit \d\S*( \([^)]*\))?$", re.M), "epaudit VERSION"),
    (re.compile(re.escape(str(ROOT)) + "/"), ""),
)
SCRUBBED_IN_SAMPLES = ((re.compile(r'"version": "\d[^"]*"'), '"version": "VERSION"'),)


def environment(settings):
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH")}
    return kept | {"TERM": "xterm-256color"} | settings


def in_pipe(words, settings):
    done = subprocess.run([*BARE, BUILD / "epaudit", *words], cwd=ROOT, env=environment(settings), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def at_terminal(words, columns, settings):
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([*BARE, BUILD / "epaudit", *words], cwd=ROOT, env=environment(settings), stdin=its, stdout=its,
                               stderr=its, start_new_session=True)
    os.close(its)
    out = read_to_end(ours)
    os.close(ours)
    return process.wait(), out.replace(b"\r\n", b"\n")


def scrubbed(out, patterns=SCRUBBED):
    text = out.decode("utf-8").replace("\x1b", "\\e").replace("\r", "\\r")
    for pattern, instead in patterns:
        text = pattern.sub(instead, text)
    return text


def shown(words, how):
    kind, *settings = how.split(",")
    settings = dict(setting.split("=", 1) for setting in settings)
    if kind == "pipe":
        code, out = in_pipe(words, settings)
    else:
        code, out = at_terminal(words, int(kind.removeprefix("tty:")), settings)
    return f"$ {' '.join(['epaudit', *words])}\n{scrubbed(out)}exit code {code}\n"


def cases():
    for line in (GOLDEN / "cases.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, how, *words = line.split()
            yield name, lambda words=words, how=how: shown(words, how)
    table = subprocess.run([BUILD / "epaudit", "completion", "--table"], capture_output=True, check=True).stdout
    for command in json.loads(table)["commands"]:
        words = [command["name"], "--help"]
        yield f"help-{command['name']}", lambda words=words: shown(words, "pipe")
    samples = BUILD / "tests/epaudit_samples"
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([samples, directory], check=True)
        for path in sorted([*pathlib.Path(directory).glob("*.text"), *pathlib.Path(directory).glob("*.page")]):
            yield f"sample-{path.stem}", lambda path=path: scrubbed(path.read_bytes(), SCRUBBED_IN_SAMPLES)


def differs(name, text, file):
    if not file.exists():
        return f"{file.relative_to(ROOT)} is not there; ./dev golden writes it"
    then = file.read_bytes().decode("utf-8")
    lines = difflib.unified_diff(then.splitlines(), text.splitlines(), "as it was", "as it is", lineterm="", n=1)
    return "" if then == text else "\n".join([f"differs; ./dev golden {name} renews it", *list(lines)[:30]])


def main(arguments):
    renew = "--renew" in arguments
    only = [word for word in arguments if word != "--renew"]
    passed, failed, known = 0, 0, set()
    for name, make in cases():
        file = GOLDEN / f"{name}.txt"
        known.add(file)
        if only and not any(word in name for word in only):
            continue
        text = make()
        if renew:
            file.write_bytes(text.encode("utf-8"))
        elif wrong := differs(name, text, file):
            failed += 1
            print(f"FAILED {name}: {wrong}")
            continue
        passed += 1
    for file in sorted(set(GOLDEN.glob("*.txt")) - known - {GOLDEN / "cases.txt"}):
        if renew:
            file.unlink()
        else:
            failed += 1
            print(f"FAILED {file.stem}: no case makes it; ./dev golden takes it away")
    print(f"golden: {passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
