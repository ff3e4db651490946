# SPDX-License-Identifier: Apache-2.0
"""What else a machine runs: D-Bus, Gearman, Tor, coturn, Transmission, Dovecot, PgBouncer."""
import contextlib
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import time

from case import Case, Site
from harness import check, end, wait_for
from load import (benchmark, come_and_go, connect, drain, get, half_close, hold, http_size, pipeline, stall, stopped, take, together,
                  trickle, until)
from servers import answers, free_port, need
from stores import POSTGRES, postgres
from web import version


def odd_clients(site, seconds, request, answer, much, half_closed=True):
    """`request` is answered with so many bytes, `much` with more than the buffers hold. Stopped for a second in the
    lively third; then there are only those who wait."""
    port, busy = site.port, seconds / 3
    together(lambda: pipeline(port, busy, request, answer, depth=4, connections=6), lambda: hold(port, seconds, 10),
             lambda: half_close(port, busy, request), lambda: come_and_go(port, busy, request),
             lambda: trickle(port, busy, request, answer), lambda: stall(port, seconds - 0.5, much),
             lambda: stall(port, seconds - 0.5, much, half_closed=half_closed), lambda: stopped(site.pid, seconds / 8))


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
             lambda: stopped(site.pid, seconds / 8))


def gearmand(directory):
    program, port = need("gearmand"), free_port()
    return Site([program, "-L", "127.0.0.1", "-p", str(port), "-t", "2", "-l", "stderr", "-P", f"{directory}/pid", "-u", "root"],
                port, directory)


def gearman_load(site, seconds):
    def echo(size):
        return b"\0REQ" + struct.pack(">II", 16, size) + bytes(size)
    # Whoever half-closes with his answers unread stops a thread of it: SO_LINGER is ten seconds, close() sleeps (EP404).
    odd_clients(site, seconds, echo(100), 112, echo(50_000) * 100, half_closed=False)


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


DOVECOT = """
protocols = imap
listen = 127.0.0.1
base_dir = {dir}/run
state_dir = {dir}/run
log_path = /dev/stderr
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{dir}/mail
default_vsz_limit = 0
mail_max_userip_connections = 100
first_valid_uid = 1
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={dir}/mail
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  process_limit = 8
  service_count = 0
}}
"""


def dovecot(directory):
    """With one mail of 4 MB."""
    program, port = need("dovecot"), free_port()
    mail = pathlib.Path(directory, "mail")
    for name in ("cur", "new", "tmp"):
        (mail / name).mkdir(parents=True)
    (mail / "cur/1000000000.1.localhost:2,").write_bytes(b"Subject: large\r\n\r\n" + (b"m" * 70 + b"\r\n") * 60_000)
    for path in (mail, *mail.rglob("*")):
        shutil.chown(path, "nobody", "nogroup")
    config = pathlib.Path(directory, "dovecot.conf")
    config.write_text(DOVECOT.format(dir=directory, port=port))
    return Site([program, "-F", "-c", str(config)], port, directory)


def imap_load(site, seconds):
    port, busy = site.port, seconds / 3
    login = b"a LOGIN user x\r\nb SELECT INBOX\r\n"

    def until_ok(client, tag):
        data = b""
        while b"\n" + tag + b" OK" not in b"\n" + data[-3000:]:
            got = client.recv(65536)
            check(got, f"Dovecot closed: {data[-200:]!r}")
            data += got

    def talk():
        with connect(port) as client:
            client.sendall(login)
            until_ok(client, b"b")
            for _ in until(busy):
                client.sendall(b"c NOOP\r\n")
                until_ok(client, b"c")

    def idle():
        """Told of new mail."""
        with connect(port) as client:
            client.sendall(login + b"d IDLE\r\n")
            until_ok(client, b"b")
            time.sleep(seconds - 1)  # what it is for
    fetch = login + b"c FETCH 1 BODY[]\r\n"
    together(*[talk] * 4, *[idle] * 3, lambda: hold(port, seconds, 5), lambda: half_close(port, busy, login),
             lambda: come_and_go(port, busy, fetch), lambda: stall(port, seconds - 0.5, fetch, 2),
             lambda: stall(port, seconds - 0.5, fetch, 2, half_closed=True), lambda: stopped(site.pid, seconds / 8))


PGBOUNCER = """
[databases]
postgres = host=127.0.0.1 port={back}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = any
unix_socket_dir =
pool_mode = transaction
default_pool_size = 4
ignore_startup_parameters = extra_float_digits
user = postgres
"""


def pgbouncer(directory):
    """In front of PostgreSQL, which is not watched; with fewer connections to it than clients."""
    program, port = need("pgbouncer"), free_port()
    back = postgres(directory)
    server = subprocess.Popen(back.words, cwd=directory, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(back.ready, 20, "PostgreSQL to listen")
    config = pathlib.Path(directory, "pgbouncer.ini")
    config.write_text(PGBOUNCER.format(port=port, back=back.port).replace("postgres = host", "postgres = user=postgres host"))
    return Site([program, "-q", str(config)], port, directory, close=lambda: end(server))


def pgbouncer_load(site, seconds):
    words = [str(POSTGRES[-1] / "pgbench"), "-h", "127.0.0.1", "-p", str(site.port), "-U", "postgres", "-n"]
    start = b"user\0postgres\0database\0postgres\0\0"
    start = struct.pack(">II", len(start) + 8, 196608) + start

    def query(text):
        return start + b"Q" + struct.pack(">I", len(text) + 5) + text + b"\0"
    select = pathlib.Path(site.directory, "select.sql")
    select.write_text("SELECT 1;\n")
    large = query(b"SELECT repeat('x', 1000) FROM generate_series(1, 4000)")
    together(lambda: benchmark([*words, "-f", str(select), "-c", "10", "-T", str(int(seconds / 3)), "postgres"], seconds),
             lambda: benchmark([*words, "-f", str(select), "-C", "-c", "2", "-T", "1", "postgres"], seconds),
             lambda: hold(site.port, seconds, 8), lambda: half_close(site.port, seconds - 2, query(b"SELECT pg_sleep(0.5)")),
             lambda: come_and_go(site.port, seconds / 3, query(b"SELECT 1")),
             lambda: stall(site.port, seconds - 0.5, large, 2), lambda: stall(site.port, seconds - 0.5, large, 1, half_closed=True),
             lambda: stopped(site.pid, seconds / 8))


ODD = "pipelining, byte by byte, half-closes, resets, stalled readers; stopped for a second; then quiet"
CASES = [
    Case("D-Bus", dbus, dbus_load, "calls, two deaf callers, one half-closed; stopped for a second", version("dbus-daemon")),
    Case("Gearman", gearmand, gearman_load, ODD, version("gearman-job-server"), faulty=("EP404",)),
    Case("Tor, control port", tor, tor_load, ODD, version("tor")),
    Case("coturn", coturn, stun_load, ODD, version("coturn")),
    Case("Transmission", transmission, transmission_load, ODD, version("transmission-daemon")),
    Case("Dovecot, IMAP", dovecot, imap_load, "NOOP, IDLE, a mail of 4 MB, half-closes, resets, stalled readers; stopped for a "
         "second; then quiet", version("dovecot-core")),
    Case("PgBouncer", pgbouncer, pgbouncer_load, "pgbench with and without reconnecting, stalled readers, half-closes, resets; "
         "stopped for a second; then quiet", version("pgbouncer")),
]
