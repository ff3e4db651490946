# SPDX-License-Identifier: Apache-2.0
"""One guest: QEMU with a console, and a second serial line on which /init hands over what happened."""
import base64
import binascii
import re
import subprocess
import time
import zlib

from initramfs import program

# Emulation: nested KVM is not to be relied on. -cx16: without it 6.12 faults early in boot under QEMU 7.2.
CPU = ("-accel", "tcg,thread=single", "-cpu", "qemu64,-cx16", "-smp", "2", "-m", "1024")
# An Oops ends the guest; watchdogs measure the emulator, not the kernel.
KERNEL_LINE = ("console=ttyS0 loglevel=5 oops=panic panic=-1 nowatchdog "
               "rcupdate.rcu_cpu_stall_suppress=1 tsc=reliable")
POLL_SECONDS = 0.5
SILENCE_SECONDS = 240  # longer than any case may take


class Record:
    """What one case left behind. `seconds` is guest time; parts: report, out, err, log, problem (bytes)."""

    def __init__(self, hooks, name):
        self.hooks, self.name = hooks, name
        self.exit, self.seconds, self.parts = None, 0.0, {}

    def text(self, part):
        return self.parts.get(part, b"").decode(errors="replace")


class Reader:
    """Turns the lines of the second serial line into records."""

    def __init__(self):
        self.partial, self.record, self.part, self.encoded = b"", None, None, []
        self.boot, self.bye, self.last = None, None, "nothing"

    def feed(self, data):
        """Yields the records that are complete with this data."""
        *lines, self.partial = (self.partial + data).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").strip()
            if text.startswith("@"):
                self.close_part()
                record = self.mark(text[1:].split())
                if record:
                    yield record
            elif self.part:
                self.encoded.append(text)

    def mark(self, words):
        kind, words = words[0] if words else "", words[1:]
        if kind != "part":
            self.last = " ".join([kind, *words])
        if kind == "boot":
            self.boot = words
        elif kind == "bye":
            self.bye = words
        elif kind == "case" and len(words) == 2:
            cut_short, self.record = self.record, Record(*words)
            return cut_short
        elif kind == "exit" and self.record:
            self.record.exit = int(words[0])
        elif kind == "seconds" and self.record and len(words) == 2:
            self.record.seconds = float(words[1]) - float(words[0])
        elif kind == "part" and self.record:
            self.part = words[0]
        elif kind == "end" and self.record:
            done, self.record = self.record, None
            return done
        return None

    def close_part(self):
        if self.part:
            try:
                self.record.parts[self.part] = zlib.decompress(base64.b64decode("".join(self.encoded)), 31)
            except (binascii.Error, zlib.error) as error:
                self.record.parts["problem"] = f"part {self.part} was garbled on its way: {error}".encode()
        self.part, self.encoded = None, []


def last_words(console):
    """The last line on the console that says something."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1bc", "", console.read_text(encoding="utf-8", errors="replace"))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"


class Machine:
    """A guest from power-on to its end. `trouble` says what went wrong with the machine itself."""

    def __init__(self, image, initramfs, hooks, directory, stopping):
        self.stopping = stopping  # an event: end now
        self.console = directory / f"{image.label}.log"
        self.line = directory / f"{image.label}.records"
        self.reader, self.trouble, self.wall = Reader(), None, 0.0
        append = f"{KERNEL_LINE} EPAUDIT_HOOKS={','.join(hooks)}"
        self.command = [program("qemu-system-x86_64"), *CPU, "-display", "none", "-monitor", "none", "-nodefaults",
                        "-no-reboot", "-serial", f"file:{self.console}", "-serial", f"file:{self.line}",
                        "-kernel", str(image.path), "-initrd", str(initramfs), "-append", append]

    def run(self, limit):
        """Yields records as they come; ends with the guest, or after `limit` seconds, or of silence."""
        self.console.write_bytes(b"")
        self.line.write_bytes(b"")
        start = heard = time.monotonic()
        with subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE) as qemu, open(self.line, "rb") as line:
            try:
                while True:
                    over = qemu.poll() is not None  # before reading: what was written then is read now
                    data = line.read()
                    yield from self.reader.feed(data)
                    now = time.monotonic()
                    heard = now if data else heard
                    if over:
                        break
                    if self.stopping.is_set():
                        self.trouble = "interrupted"
                        break
                    if now - start > limit or now - heard > SILENCE_SECONDS:
                        self.trouble = f"no end after {now - start:.0f} s"
                        break
                    time.sleep(POLL_SECONDS)
            finally:
                if qemu.poll() is None:
                    qemu.kill()
                said = qemu.stderr.read().decode(errors="replace").strip()
                self.wall = time.monotonic() - start
        if not self.reader.bye:
            self.trouble = self.trouble or (said and f"qemu: {said}") or "the guest ended early"
            self.trouble += (f"; last record: {self.reader.last}; last on the console: {last_words(self.console)}"
                             f" (see {self.console})")
