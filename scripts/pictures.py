#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes docs/pictures anew from real runs: the HTML page, the report at a terminal, and what inspect shows. ./dev pictures calls
this as root. What a terminal shows is taken from a real one (tmux), coloured by aha and drawn by Chromium, as the page is."""
import contextlib
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/formats"))
import browser  # noqa: E402

TOOL = "build/epaudit"
DEMO = "/srv/publisher"  # in a /srv of its own
OUT = ROOT / "docs/pictures"
COLUMNS, WIDTH = 104, 960


class Terminal:
    """A terminal of its own, in which one command runs. Its server is its own as well: the one before may still be ending."""

    def __init__(self, directory, rows, words):
        self.tmux = ["tmux", "-S", tempfile.mktemp(dir=directory), "-f", "/dev/null"]
        command = "; ".join([shlex.join(words), "tput civis", "read -r _"])
        environment = {**os.environ, "PS1": "$ ", "LC_ALL": "C.UTF-8"}
        subprocess.run([*self.tmux, "new-session", "-d", "-x", str(COLUMNS), "-y", str(rows), "sh", "-c", command], cwd=ROOT,
                       check=True, env=environment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run([*self.tmux, "kill-server"], check=False)

    def screen(self):
        return subprocess.run([*self.tmux, "capture-pane", "-e", "-p"], check=True, capture_output=True, text=True).stdout

    def wait_for(self, *words, seconds=30):
        end = time.monotonic() + seconds
        while not all(word in self.screen() for word in words):
            if time.monotonic() > end:
                raise TimeoutError(f"{words} did not appear:\n{self.screen()}")
            time.sleep(0.1)


def draw_terminal(chromium, directory, name, prompt, screen):
    page = pathlib.Path(directory) / f"{name}.html"
    text = f"\x1b[2m$\x1b[0m {prompt}\n\n{screen.rstrip()}\n"
    html = subprocess.run(["aha", "--black", "--title", name], input=text, check=True, capture_output=True, text=True).stdout
    style = "<style>body { margin: 16px; } pre { font: 14px/1.35 'DejaVu Sans Mono', monospace; margin: 0; }</style></head>"
    page.write_text(html.replace("</head>", style))
    draw(chromium, page, name, WIDTH)


def draw(chromium, page, name, width, height=None):
    """All of the page, or so much of it."""
    chromium.open(page, width, "light")
    tall = height or int(chromium.evaluate("Math.ceil(document.body.getBoundingClientRect().bottom) + 16"))
    chromium.call("Emulation.setDeviceMetricsOverride", width=width, height=tall, deviceScaleFactor=1, mobile=False)
    chromium.screenshot(OUT / f"{name}.png", beyond=False)


@contextlib.contextmanager
def demo():
    process = subprocess.Popen([DEMO, "--seconds", "60"], cwd="/srv", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def main():
    OUT.mkdir(exist_ok=True)
    shutil.copy(ROOT / "build/demo_bugs/busy-epollout/bug", DEMO)
    with tempfile.TemporaryDirectory() as directory, browser.Browser() as chromium:
        page = pathlib.Path(directory) / "page.html"
        subprocess.run([TOOL, "run", "--quiet", "--format", f"html={page}", "--", DEMO, "--seconds", "4"], cwd=ROOT, check=False)
        draw(chromium, page, "page", 1100, 900)
        with Terminal(directory, 62, [TOOL, "run", "--quiet", "--", DEMO, "--seconds", "3"]) as terminal:
            terminal.wait_for("verdict")
            draw_terminal(chromium, directory, "report", f"sudo epaudit run -- {DEMO} --seconds 3", terminal.screen())
        with demo() as pid:
            with Terminal(directory, 30, [TOOL, "inspect", "-p", str(pid)]) as terminal:
                terminal.wait_for("registrations")
                draw_terminal(chromium, directory, "inspect", f"sudo epaudit inspect -p {pid}", terminal.screen())
            with Terminal(directory, 24, [TOOL, "inspect", "--watch", "1s", "-p", str(pid)]) as terminal:
                terminal.wait_for("registrations")
                draw_terminal(chromium, directory, "watch", f"sudo epaudit inspect --watch 1s -p {pid}", terminal.screen())


if __name__ == "__main__":
    main()
