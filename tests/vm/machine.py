# SPDX-License-Identifier: Apache-2.0
"""One guest: QEMU with a console, and a second serial line on which /init hands over what happened."""
import base64
import binascii
import os
import pathlib
import re
import subprocess
import time
import zlib

from initramfs import program

# Emulation: nested KVM is not to be relied on.
# -icount: the guest's clock counts its instructions and jumps over idle time. So what a guest does with its time does not
# depend on how busy the host is, and a demo that sleeps costs nothing. Each takes 2^shift ns: at 4 ns a demo that spins
# costs the host half of what it does at 2 ns. The newest kernel preempts probes (twins), and at 4 ns they take so long
# that it often happens twice at once: nginx, under load, is not seen whole.
CPU = ("-accel", "tcg,thread=single", "-m", "1024")
SHIFT, NEWEST_SHIFT = 2, 1
# Without it 6.12 faults early in boot under QEMU 7.2. Newer kernels need cmpxchg16b, or kmalloc_nolock() fails.
ESTABLISHED = NO_CX16 = ("5.10", "6.1", "6.12")
# Entropy: its instruction count is all the emulated clock shows, and a kernel that has to make entropy of that (the
# jitter of try_to_generate_entropy()) keeps whoever asks for random numbers busy for minutes.
MODEL = "qemu64,+rdrand"
# A second CPU, only for what needs one: QEMU 7.2 with -icount lets the first run until the next timer is due, and whatever
# spins there starves the second: a sleep of 100 ms takes seconds, or for ever (8.1 shares the time out).
ONE_CPU = ("5.10", "6.1")  # their second CPU does not come up under -icount
# An Oops ends the guest; watchdogs measure the emulator, not the kernel.
KERNEL_LINE = ("console=ttyS0 loglevel=5 oops=panic panic=-1 nowatchdog "
               "rcupdate.rcu_cpu_stall_suppress=1 tsc=reliable")
POLL_SECONDS = 0.5
# Limits are in CPU seconds of the emulator, which never idles: so a busy host does not make a guest late.
SILENCE_SECONDS = 600  # longer than any case may take, beside others and on a slow host too
WALL_FACTOR = 20       # no host is that busy: it hangs without using its CPU


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


def cpu_seconds(pid):
    """What the process has used so far; nothing when it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Machine:
    """A guest from power-on to its end. `trouble` says what went wrong with the machine itself; `cpu`, `wall`:
    the seconds it took."""

    def __init__(self, image, cpus, initramfs, hooks, directory, stopping):
        self.stopping = stopping  # an event: end now
        self.console = directory / f"{image.label}.log"
        self.line = directory / f"{image.label}.records"
        self.reader, self.trouble, self.cpu, self.wall = Reader(), None, 0.0, 0.0
        append = f"{KERNEL_LINE} EPAUDIT_HOOKS={','.join(hooks)}"
        line = image.label.removesuffix("-rt")
        shift = SHIFT if line in ESTABLISHED else NEWEST_SHIFT
        self.command = [program("qemu-system-x86_64"), *CPU, "-icount", f"shift={shift},sleep=off", "-smp", str(cpus),
                        "-cpu", MODEL + ",-cx16" * (line in NO_CX16), "-display", "none", "-monitor", "none", "-nodefaults",
                        "-no-reboot", "-serial", f"file:{self.console}", "-serial", f"file:{self.line}",
                        "-kernel", str(image.path), "-initrd", str(initramfs), "-append", append]

    def late(self, limit, heard):
        """Why it may not go on, or None. `heard`: CPU and wall seconds when it was last heard of."""
        if self.stopping.is_set():
            return "interrupted"
        if self.cpu > limit or self.wall > limit * WALL_FACTOR:
            return f"no end after {self.cpu:.0f} s of CPU, {self.wall:.0f} s"
        if self.cpu - heard[0] > SILENCE_SECONDS or self.wall - heard[1] > SILENCE_SECONDS * WALL_FACTOR:
            return f"silent since {heard[0]:.0f} s of CPU"
        return None

    def run(self, limit):
        """Yields records as they come; ends with the guest, or after `limit` CPU seconds, or of silence."""
        self.console.write_bytes(b"")
        self.line.write_bytes(b"")
        start, heard = time.monotonic(), (0.0, 0.0)
        with subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE) as qemu, open(self.line, "rb") as line:
            try:
                while not self.trouble:
                    over = qemu.poll() is not None  # before reading: what was written then is read now
                    data = line.read()
                    yield from self.reader.feed(data)
                    self.wall = time.monotonic() - start
                    self.cpu = max(self.cpu, cpu_seconds(qemu.pid))
                    heard = (self.cpu, self.wall) if data else heard
                    if over:
                        break
                    self.trouble = self.late(limit, heard)
                    time.sleep(POLL_SECONDS)
            finally:
                if qemu.poll() is None:
                    qemu.kill()
                said = qemu.stderr.read().decode(errors="replace").strip()
        if not self.reader.bye:
            self.trouble = self.trouble or (said and f"qemu: {said}") or "the guest ended early"
            self.trouble += (f"; last record: {self.reader.last}; last on the console: {last_words(self.console)}"
                             f" (see {self.console})")
