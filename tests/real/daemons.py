# SPDX-License-Identifier: Apache-2.0
"""A daemon that never answers: rsyslogd."""
import pathlib
import shutil
import time

from case import Case, Site
from harness import Skip
from load import come_and_go, connect, half_close, hold, reset, stopped, together, until
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


CASES = [
    Case("rsyslogd, imptcp", rsyslogd, syslog_load, "lines, whole and byte by byte, half-closes, resets; stopped for a second; then "
         "quiet", version("rsyslog")),
]
