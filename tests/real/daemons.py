# SPDX-License-Identifier: Apache-2.0
"""Daemons that are not asked over HTTP: rsyslogd, which never answers, and an X server."""
import itertools
import pathlib
import shutil
import socket
import struct
import time

from case import Case, Site
from harness import Skip, check
from load import come_and_go, connect, half_close, hold, reset, stall, stopped, take, together, until
from servers import free_port, need
from web import version

RSYSLOG = """
global(workDirectory="{dir}")
module(load="imptcp" threads="2")
input(type="imptcp" address="127.0.0.1" port="{port}")
action(type="omfile" file="{dir}/messages")
"""


def rsyslogd(directory):
    if not shutil.which("rsyslogd", path="/usr/sbin:/sbin"):
        raise Skip("rsyslogd is not installed: Debian's package excludes that of syslog-ng, which is")
    program, port = need("rsyslogd"), free_port()
    config = pathlib.Path(directory, "rsyslog.conf")
    config.write_text(RSYSLOG.format(dir=directory, port=port))
    return Site([program, "-n", "-f", str(config), "-i", f"{directory}/pid"], port, directory)


def syslog_load(site, seconds):
    """Lines, whole and in pieces; then who is connected says nothing, one in the middle of a line."""
    port, busy = site.port, seconds / 3
    line = b"<13>Oct 11 22:14:15 client program: what happened\n"

    def talk():
        with connect(port) as client:
            for _ in until(busy):
                client.sendall(line * 50)
                time.sleep(0.002)  # the pace of a client

    def breaks_off():
        with connect(port) as client:
            for at in range(0, len(line) * 4 - 9, 7):
                client.sendall((line * 4)[at:at + 7])
                time.sleep(0.002)
            time.sleep(seconds - 1)  # what it is for
            reset(client)
    together(talk, talk, breaks_off, lambda: hold(port, seconds, 8), lambda: half_close(port, busy, line * 3),
             lambda: come_and_go(port, busy, line), lambda: stopped(site.pid, seconds / 8))


HELLO = b"l\0" + struct.pack("<HHHHH", 11, 0, 0, 0, 0)
GET_INPUT_FOCUS = struct.pack("<BBH", 43, 0, 1)
WIDTH, HEIGHT = 1280, 1024


DISPLAYS = itertools.count(100)  # both legs may run at the same time


def free_display():
    """The port of one."""
    for number in DISPLAYS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", 6000 + number)):
                return 6000 + number


def xvfb(directory):
    """Its port is a display number."""
    program, port = need("Xvfb"), free_display()
    return Site([program, f":{port - 6000}", "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-listen", "tcp", "-nolisten", "unix", "-nolisten",
                 "local", "-ac", "-noreset"], port, directory)


def greeted(port, **options):
    """A client, and its root window."""
    client = connect(port, **options)
    client.sendall(HELLO)
    head = client.recv(8, socket.MSG_WAITALL)
    check(head[:1] == b"\1", f"the X server refused: {head!r}")
    body = client.recv(4 * struct.unpack("<H", head[6:8])[0], socket.MSG_WAITALL)
    vendor, formats = struct.unpack("<H", body[16:18])[0], body[21]
    at = 32 + (vendor + 3) // 4 * 4 + 8 * formats
    return client, struct.unpack("<I", body[at:at + 4])[0]


def x_load(site, seconds):
    port, busy = site.port, seconds / 3

    def talk():
        client, _ = greeted(port)
        with client:
            for _ in until(busy):
                client.sendall(GET_INPUT_FOCUS * 10)
                take(client, 320)

    def picture(deaf):
        """The whole screen, 5 MB, taken at once or not at all."""
        client, root = greeted(port, small_buffer=deaf)
        with client:
            for _ in until(busy if not deaf else 0.1):
                client.sendall(struct.pack("<BBHIhhHHI", 73, 2, 5, root, 0, 0, WIDTH, HEIGHT, 0xffffffff))
                if not deaf:
                    take(client, 32 + WIDTH * HEIGHT * 4)
            if deaf:
                time.sleep(seconds - 1)  # what it is for
    together(*[talk] * 4, lambda: picture(False), lambda: picture(True), lambda: hold(port, seconds, 8),
             lambda: half_close(port, busy, HELLO), lambda: come_and_go(port, busy, HELLO),
             lambda: stall(port, seconds - 0.5, HELLO + GET_INPUT_FOCUS * 60_000, 2), lambda: stopped(site.pid, seconds / 8))


CASES = [
    Case("rsyslogd, imptcp", rsyslogd, syslog_load, "lines, whole and byte by byte, half-closes, resets; stopped for a second; then "
         "quiet", version("rsyslog")),
    Case("Xvfb", xvfb, x_load, "requests, pictures of 5 MB, one of them not taken; half-closes, resets, stalled readers; stopped "
         "for a second; then quiet", version("xvfb")),
]
