# SPDX-License-Identifier: Apache-2.0
"""What else a machine runs: rsyslog, D-Bus, Gearman, Tor, coturn, Transmission, Dovecot, PgBouncer."""
import contextlib
import os
import pathlib
import socket
import struct
import subprocess
import time

from case import Case, Site
from harness import check, end, wait_for
from load import (benchmark, come_and_go, connect, drain, get, half_close, hold, http_size, pipeline, stall, stopped, take, together,
                  trickle, until)
from servers import answers, free_port, need
from stores import POSTGRES, postgres, syslog_load
from web import version


def odd_clients(site, seconds, request, answer, much):
    """`request` is answered with so many bytes, `much` with more than the buffers hold. Stopped for a second in the
    lively third; then there are only those who wait."""
    port, busy = site.port, seconds / 3
    together(lambda: pipeline(port, busy, request, answer, depth=4, connections=6), lambda: hold(port, seconds, 10),
             lambda: half_close(port, busy, request), lambda: come_and_go(port, busy, request),
             lambda: trickle(port, busy, request, answer), lambda: stall(port, seconds - 0.5, much),
             lambda: stall(port, seconds - 0.5, much, half_closed=True), lambda: stopped(site.pid, seconds / 8, 1.1))


RSYSLOG = """
module(load="imptcp" threads="2")
input(type="imptcp" port="{port}" address="127.0.0.1")
global(workDirectory="{dir}")
action(type="omfile" file="{dir}/messages")
"""


def rsyslog(directory):
    program, port = need("rsyslogd"), free_port()
    config = pathlib.Path(directory, "rsyslog.conf")
    config.write_text(RSYSLOG.format(dir=directory, port=port))
    return Site([program, "-n", "-f", str(config), "-i", f"{directory}/pid"], port, directory)


def rsyslog_load(site, seconds):
    together(lambda: syslog_load(site, seconds), lambda: stopped(site.pid, seconds / 3, 1.1))


DBUS = """
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>tcp:host=127.0.0.1,port={port},family=ipv4</listen>
  <auth>ANONYMOUS</auth>
  <allow_anonymous/>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
"""


def dbus(directory):
    program, port = need("dbus-daemon"), free_port()
    config = pathlib.Path(directory, "bus.conf")
    config.write_text(DBUS.format(port=port))
    return Site([program, "--nofork", "--nopidfile", f"--config-file={config}"], port, directory)


def dbus_call(number, member):
    """Of the bus itself, without arguments."""
    def field(code, kind, text):
        body = bytes([code]) + b"\1" + kind + b"\0" + struct.pack("<I", len(text)) + text + b"\0"
        return body + bytes(-len(body) % 8)
    fields = (field(1, b"o", b"/org/freedesktop/DBus") + field(6, b"s", b"org.freedesktop.DBus") +
              field(2, b"s", b"org.freedesktop.DBus"))
    name = b"\3\1s\0" + struct.pack("<I", len(member)) + member + b"\0"
    head = b"l\1\0\1" + struct.pack("<III", 0, number, len(fields) + len(name)) + fields + name
    return head + bytes(-len(head) % 8)


def dbus_login(port, **options):
    client = connect(port, **options)
    client.sendall(b"\0AUTH ANONYMOUS 61\r\n")
    check(client.recv(100).startswith(b"OK"), "D-Bus refused the login")
    client.sendall(b"BEGIN\r\n" + dbus_call(1, b"Hello"))
    check(client.recv(4096), "D-Bus did not answer")
    return client


def dbus_load(site, seconds):
    port, busy = site.port, seconds / 3

    def talk():
        with dbus_login(port) as client:
            for _ in until(busy):
                client.sendall(dbus_call(2, b"ListNames"))
                check(client.recv(65536), "D-Bus closed")

    def deaf(half_closed):
        """Asks on and on and reads nothing."""
        with dbus_login(port, small_buffer=True) as client:
            client.settimeout(0.3)
            with contextlib.suppress(OSError):
                for _ in range(3000):
                    client.sendall(dbus_call(2, b"Introspect") * 10)
            if half_closed:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_WR)
            time.sleep(seconds - 1)  # what it is for
    hello = b"\0AUTH ANONYMOUS 61\r\n"
    together(*[talk] * 4, lambda: deaf(False), lambda: deaf(True), lambda: hold(port, seconds, 6),
             lambda: half_close(port, busy, hello), lambda: come_and_go(port, busy, hello),
             lambda: stopped(site.pid, seconds / 8, 1.1))


def gearmand(directory):
    program, port = need("gearmand"), free_port()
    return Site([program, "-L", "127.0.0.1", "-p", str(port), "-t", "2", "-l", "stderr", "-P", f"{directory}/pid", "-u", "root"],
                port, directory)


def gearman_load(site, seconds):
    def echo(size):
        return b"\0REQ" + struct.pack(">II", 16, size) + bytes(size)
    odd_clients(site, seconds, echo(100), 112, echo(50_000) * 100)


TOR = """
SocksPort 0
DisableNetwork 1
ControlPort 127.0.0.1:{port}
DataDirectory {dir}/data
Log err stderr
"""


def tor(directory):
    program, port = need("tor"), free_port()
    config = pathlib.Path(directory, "torrc")
    config.write_text(TOR.format(dir=directory, port=port))
    return Site([program, "--defaults-torrc", "/dev/null", "-f", str(config)], port, directory)


def tor_load(site, seconds):
    with connect(site.port) as client:
        client.sendall(b"AUTHENTICATE\r\n")
        take(client, len(b"250 OK\r\n"))
    login = b"AUTHENTICATE\r\n"
    odd_clients(site, seconds, login, len(b"250 OK\r\n"), login + b"GETINFO config/names\r\n" * 300)


def coturn(directory):
    program, port = need("turnserver"), free_port()
    return Site([program, "-n", "-L", "127.0.0.1", "-p", str(port), "--no-tls", "--no-dtls", "--no-auth", "--no-cli", "-m", "2",
                 "--log-file", "stdout", "--db", f"{directory}/db", "--pidfile", f"{directory}/pid"], port, directory)


def stun_load(site, seconds):
    binding = struct.pack(">HHI", 1, 0, 0x2112a442) + b"transaction1"
    with connect(site.port) as client:
        client.sendall(binding)
        answer = len(client.recv(4096))
    odd_clients(site, seconds, binding, answer, binding * 5000)


def transmission(directory):
    program, port = need("transmission-daemon"), free_port()
    pathlib.Path(directory, "web").mkdir()
    return Site([program, "-f", "-g", directory, "--no-dht", "--no-lpd", "--no-portmap", "--no-utp", "-p", str(port), "-r",
                 "127.0.0.1", "-P", str(free_port()), "-i", "127.0.0.1", "--no-auth", "-w", directory], port, directory)


def transmission_load(site, seconds):
    ask = get("/transmission/rpc")
    odd_clients(site, seconds, ask, http_size(site.port, "/transmission/rpc"), ask * 2000)


ODD = "pipelining, byte by byte, half-closes, resets, stalled readers; stopped for a second; then quiet"
CASES = [
    Case("rsyslog, imptcp", rsyslog, rsyslog_load, "12 senders of bursts, short-lived and silent ones; stopped for a second",
         version("rsyslog")),
    Case("D-Bus", dbus, dbus_load, "calls, two deaf callers, one half-closed; stopped for a second", version("dbus-daemon")),
    Case("Gearman", gearmand, gearman_load, ODD, version("gearman-job-server"), faulty=("EP404",)),
    Case("Tor, control port", tor, tor_load, ODD, version("tor")),
    Case("coturn", coturn, stun_load, ODD, version("coturn")),
    Case("Transmission", transmission, transmission_load, ODD, version("transmission-daemon")),
]
