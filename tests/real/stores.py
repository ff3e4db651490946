# SPDX-License-Identifier: Apache-2.0
"""Databases, caches, brokers, resolvers, chat."""
import contextlib
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import threading
import time

from case import Case, Site
from load import (benchmark, come_and_go, connect, exactly, half_close, hold, pipeline, reset, stall, take, together, trickle,
                  until)
from paths import BUILD
from servers import free_port, need
from harness import Skip, check
from web import starved, version


def redis(directory):
    port = free_port()
    return Site([need("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                 "--dir", directory], port, directory)


def bulk(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def redis_load(site, seconds):
    port, big = site.port, 1 << 20
    with connect(port) as client:
        client.sendall(bulk(b"SET", b"big", bytes(big)))
        take(client, 5)
    ask = bulk(b"GET", b"big")

    def subscribers():
        """One of them never reads; publishing fills its buffers."""
        with contextlib.ExitStack() as stack:
            deaf = stack.enter_context(connect(port, small_buffer=True))
            deaf.sendall(bulk(b"SUBSCRIBE", b"news"))
            source = stack.enter_context(connect(port))
            for _ in until(seconds):
                source.sendall(bulk(b"PUBLISH", b"news", bytes(5000)))
                take(source, 4)
                time.sleep(0.005)

    def blocked():
        with contextlib.ExitStack() as stack:
            waiting = [stack.enter_context(connect(port)) for _ in range(4)]
            for client in waiting:
                client.sendall(bulk(b"BLPOP", b"never", b"0"))
            waiting[0].shutdown(socket.SHUT_WR)
            time.sleep(seconds)  # what they are for
    together(lambda: benchmark(["redis-benchmark", "-p", port, "-c", "30", "-t", "get,set,lpush", "-l", "-n", "100000", "-q"],
                               seconds / 3),
             lambda: benchmark(["redis-benchmark", "-p", port, "-c", "10", "-P", "16", "-t", "get", "-l", "-n", "100000",
                                "-q"], seconds / 3),
             lambda: stall(port, seconds - 0.5, ask * 8), subscribers, blocked,
             lambda: hold(port, seconds), lambda: half_close(port, seconds / 2, ask),
             lambda: come_and_go(port, seconds / 2, ask), lambda: trickle(port, 1, bulk(b"PING"), 7))


def memcached(directory):
    port = free_port()
    return Site([need("memcached"), "-u", "root", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "4"], port, directory)


def memcached_load(site, seconds):
    port, size = site.port, 500_000
    with connect(port) as client:
        client.sendall(b"set big 0 0 %d\r\n%s\r\nset small 0 0 5\r\nhello\r\n" % (size, bytes(size)))
        take(client, 16)
    small, answer = b"get small\r\n", len(b"VALUE small 0 5\r\nhello\r\nEND\r\n")
    together(lambda: pipeline(port, seconds * 0.6, small, answer, depth=50, connections=8),
             lambda: pipeline(port, seconds * 0.6, b"set k 0 0 5\r\nhello\r\n", 8, depth=3, connections=20),
             lambda: stall(port, seconds - 0.5, b"get big\r\n" * 8), lambda: hold(port, seconds),
             lambda: half_close(port, seconds / 2, small), lambda: come_and_go(port, seconds / 2, small),
             lambda: trickle(port, seconds / 2, small, answer))


MOSQUITTO = """
listener {port} 127.0.0.1
allow_anonymous true
user root
persistence false
log_dest none
"""


def mosquitto(directory):
    port = free_port()
    config = pathlib.Path(directory, "mosquitto.conf")
    config.write_text(MOSQUITTO.format(port=port))
    return Site([need("mosquitto"), "-c", str(config)], port, directory)


def mqtt(kind, body):
    """One packet; bodies up to 2 MB."""
    length, text = len(body), b""
    while True:
        text += bytes([length % 128 | (128 if length >= 128 else 0)])
        length //= 128
        if not length:
            return bytes([kind]) + text + body


def mqtt_connect(port, name, **options):
    client = connect(port, **options)
    client.sendall(mqtt(0x10, b"\0\4MQTT\4\2\0\x3c" + struct.pack(">H", len(name)) + name))
    take(client, 4)
    return client


def mqtt_load(site, seconds):
    port = site.port
    publish = mqtt(0x30, b"\0\4news" + b"n" * 200)
    ping = b"\xc0\0"

    def talk(number):
        """Publishes and pings; the answers to the pings pace it."""
        with mqtt_connect(port, b"p%d" % number) as client:
            for _ in until(seconds * 0.6):
                client.sendall(publish * 5 + ping)
                take(client, 2)

    def listen(number, deaf):
        with mqtt_connect(port, b"s%d" % number, small_buffer=deaf) as client:
            client.sendall(mqtt(0x82, b"\0\1\0\4news\0"))
            take(client, 5)
            for _ in until(seconds):
                if deaf:
                    time.sleep(0.2)  # what it is for
                    continue
                client.settimeout(0.5)
                with contextlib.suppress(OSError):
                    client.recv(65536)
    hello = mqtt(0x10, b"\0\4MQTT\4\2\0\x3c\0\1x")
    together(*(lambda n=n: talk(n) for n in range(4)), *(lambda n=n: listen(n, n < 2) for n in range(8)),
             lambda: hold(port, seconds), lambda: half_close(port, seconds / 2, hello + ping),
             lambda: come_and_go(port, seconds / 2, hello), lambda: trickle(port, seconds / 3, hello, 4))


def as_user(name):
    return [need("setpriv"), "--reuid", name, "--regid", name, "--clear-groups"]


POSTGRES = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))


def postgres(directory):
    if not POSTGRES:
        raise Skip("PostgreSQL is not installed")
    data, port = os.path.join(directory, "data"), free_port()
    os.mkdir(data)
    shutil.chown(data, "postgres")
    done = subprocess.run([*as_user("postgres"), str(POSTGRES[-1] / "initdb"), "-D", data, "--no-sync", "-A", "trust"],
                          capture_output=True, cwd=directory)
    check(done.returncode == 0, done.stderr.decode(errors="replace"))

    def ready():  # its eighth line is its state; that it listens is not enough
        state = pathlib.Path(data, "postmaster.pid")
        return state.exists() and state.read_text().splitlines()[7:8] == ["ready   "]

    return Site([*as_user("postgres"), str(POSTGRES[-1] / "postgres"), "-D", data, "-p", str(port), "-F", "-c",
                 "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={data}"], port, directory,
                ready=ready)


def postgres_load(site, seconds):
    words = [str(POSTGRES[-1] / "pgbench"), "-h", "127.0.0.1", "-p", str(site.port), "-U", "postgres"]

    def bench():
        done = subprocess.run([*words, "-i", "-s", "1", "-q", "postgres"], capture_output=True)
        check(done.returncode == 0, done.stderr.decode(errors="replace"))
        benchmark([*words, "-c", "8", "-T", str(int(seconds / 2)), "postgres"], seconds)
        benchmark([*words, "-C", "-S", "-c", "2", "-T", "1", "postgres"], seconds)
    together(bench, lambda: hold(site.port, seconds, 5), lambda: come_and_go(site.port, seconds, b"\0\0\0\x08\x04\xd2\x16\x2f"))


TEMPLATE = threading.Lock()


def make_template(program, template, options):
    """What mariadb-install-db does, which wants a program from the client package."""
    shutil.rmtree(template, ignore_errors=True)
    template.mkdir(parents=True)
    share = pathlib.Path("/usr/share/mysql")
    script = b"create database mysql;\nuse mysql;\nset @auth_root_socket=NULL;\n" + b"".join(
        (share / name).read_bytes() for name in ("mysql_system_tables.sql", "mysql_system_tables_data.sql"))
    done = subprocess.run([program, "--no-defaults", "--bootstrap", f"--datadir={template}", "--user=root", *options],
                          input=script, capture_output=True)
    check(done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")[-800:])
    (template / "done").touch()


def mariadb(directory):
    """Its system tables take seconds to make: once, then copied."""
    program, template = need("mariadbd"), BUILD / "real/mariadb"
    small = ["--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M"]
    with TEMPLATE:
        if not (template / "done").exists():
            make_template(program, template, small)
    data, port = os.path.join(directory, "data"), free_port()
    shutil.copytree(template, data)
    return Site([program, "--no-defaults", f"--datadir={data}", "--user=root", f"--port={port}", "--bind-address=127.0.0.1",
                 f"--socket={data}/socket", f"--pid-file={data}/pid", "--thread-handling=pool-of-threads",
                 "--thread-pool-size=4", "--skip-name-resolve", "--max-connect-errors=1000000", *small], port, directory)


class Sql:
    """As much of the MySQL protocol as a query needs; root has no password here."""

    def __init__(self, port):
        self.socket = connect(port, timeout=20)
        self.packet()
        flags = 0x0200 | 0x8000 | 0x80000 | 0x1
        self.send(1, struct.pack("<IIB23x", flags, 1 << 24, 33) + b"root\0\0" + b"mysql_native_password\0")
        check(self.packet()[:1] == b"\0", "MariaDB refused the login")

    def send(self, number, body):
        self.socket.sendall(struct.pack("<I", len(body))[:3] + bytes([number]) + body)

    def exactly(self, size):
        return exactly(self.socket, size, "MariaDB")

    def packet(self):
        size = int.from_bytes(self.exactly(4)[:3], "little")
        return self.exactly(size)

    def ask(self, text):
        self.send(0, b"\3" + text)

    def answer(self):
        """Reads a result set: columns, EOF, rows, EOF."""
        first = self.packet()
        check(first[:1] != b"\xff", first[9:].decode(errors="replace"))
        for _ in range(2 if first[:1] != b"\0" else 0):
            while not (packet := self.packet())[:1] == b"\xfe" or len(packet) > 8:
                pass


def sql_load(site, seconds):
    def talk(text, pause=0.0, share=0.6):
        one = Sql(site.port)
        for _ in until(seconds * share):
            one.ask(text)
            one.answer()
            time.sleep(pause)
        one.socket.close()

    def impatient():
        """Leaves in the middle of a query, one with the next query already sent."""
        for _ in until(seconds - 2):
            gone, eager = Sql(site.port), Sql(site.port)
            gone.ask(b"SELECT SLEEP(1.5)")
            eager.ask(b"SELECT SLEEP(1.5)")
            eager.ask(b"SELECT 2")
            time.sleep(0.3)
            reset(gone.socket)
            eager.answer()
            eager.answer()
            eager.socket.close()
    together(*(lambda: talk(b"SELECT 1") for _ in range(6)), lambda: talk(b"SELECT SLEEP(1.7)", share=0.9),
             lambda: talk(b"SELECT REPEAT('x', 1000000)", 0.05), impatient,
             lambda: hold(site.port, seconds, 5), lambda: come_and_go(site.port, seconds * 0.6, b"\1\0\0\1x"))


UNBOUND = """
server:
  directory: "{dir}"
  username: ""
  chroot: ""
  pidfile: ""
  interface: 127.0.0.1
  port: {port}
  do-daemonize: no
  num-threads: 2
  use-syslog: no
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  local-zone: "example." static
  local-data: "www.example. A 192.0.2.1"
remote-control:
  control-enable: no
"""


def unbound(directory):
    port = free_port()
    config = pathlib.Path(directory, "unbound.conf")
    config.write_text(UNBOUND.format(dir=directory, port=port))
    return Site([need("unbound"), "-d", "-c", str(config)], port, directory)


QUESTION = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\3www\7example\0\0\1\0\1"


def dns_load(site, seconds):
    framed = struct.pack(">H", len(QUESTION)) + QUESTION
    answer = 2 + len(QUESTION) + 16

    def datagrams():
        """One that is lost is asked again by the next turn."""
        answers = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(2)
            client.connect(("127.0.0.1", site.port))
            for _ in until(seconds * 0.7):
                for _ in range(8):
                    client.send(QUESTION)
                with contextlib.suppress(TimeoutError):
                    for _ in range(8):
                        answers += client.recv(512)[:2] == QUESTION[:2]
        check(answers, "no datagram was answered")
    together(*[datagrams] * 4, lambda: pipeline(site.port, seconds * 0.6, framed, answer, depth=4),
             lambda: half_close(site.port, seconds / 2, framed), lambda: come_and_go(site.port, seconds / 2, framed),
             lambda: trickle(site.port, seconds / 2, framed, answer), lambda: hold(site.port, seconds, 5))


SYSLOG_NG = """
@version: 3.38
options {{ threaded(yes); stats-freq(0); }};
source s {{ network(ip("127.0.0.1") port({port}) transport("tcp") max-connections(64)); }};
destination d {{ file("{dir}/messages"); }};
log {{ source(s); destination(d); }};
"""


def syslog_ng(directory):
    port = free_port()
    config = pathlib.Path(directory, "syslog-ng.conf")
    config.write_text(SYSLOG_NG.format(dir=directory, port=port))
    return Site([need("syslog-ng"), "-F", "--no-caps", "--worker-threads=8", "-f", str(config), "-R", f"{directory}/persist",
                 "-p", f"{directory}/pid", "-c", f"{directory}/control"], port, directory)


def syslog_load(site, seconds):
    """Bursts of messages, so that its threads sleep in between; senders that come and go, stay silent or write slowly."""
    message = b"<13>Jan  1 00:00:00 host program[1]: " + b"m" * 160 + b"\n"

    def talk():
        with connect(site.port) as client:
            for _ in until(seconds * 0.8):
                client.sendall(message * 20)
                time.sleep(0.004)

    def come_and_leave():
        for _ in until(seconds / 2):
            with connect(site.port) as client:
                client.sendall(message)
            time.sleep(0.02)
    together(*[talk] * 12, come_and_leave, lambda: hold(site.port, seconds, 8))


def beanstalkd(directory):
    port = free_port()
    return Site([need("beanstalkd"), "-l", "127.0.0.1", "-p", str(port)], port, directory)


NGIRCD = """
[Global]
Name = irc.example.net
Info = precision
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = hello
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
[Options]
DNS = no
Ident = no
PAM = no
SyslogFacility = local0
"""


def ngircd(directory):
    port = free_port()
    config = pathlib.Path(directory, "ngircd.conf")
    config.write_text(NGIRCD.format(port=port))
    return Site([need("ngircd"), "-n", "-f", str(config)], port, directory)


def leaving_in_the_greeting(site, seconds):
    """Three clients that greet and leave before they are answered, by halves. What the server still has to say to them
    fails, and is tried again at each turn."""
    for _ in range(3):
        with connect(site.port) as client:
            client.sendall(b"NICK one\r\nUSER one 0 * :One\r\nPING a\r\n")
            client.shutdown(socket.SHUT_WR)
            time.sleep(0.2)  # it notices
    time.sleep(seconds - 0.6)  # nobody asks for anything any more


CASES = [
    Case("redis", redis, redis_load, "redis-benchmark plain and pipelined, deaf subscriber, BLPOP, stalled readers",
         version("redis-server")),
    Case("redis at its fd limit", redis, starved, "prlimit while it runs, 12 clients", version("redis-server"),
         found={"EP205": "confirmed"}),
    Case("memcached", memcached, memcached_load, "pipelined get and set, stalled readers of 4 MB", version("memcached")),
    Case("mosquitto", mosquitto, mqtt_load, "4 publishers, 8 subscribers, two of them deaf", version("mosquitto")),
    Case("PostgreSQL", postgres, postgres_load, "pgbench, with and without reconnecting; clients that give up",
         version("postgresql-15")),
    Case("MariaDB, thread pool", mariadb, sql_load, "short, long and large queries; clients that leave in one",
         version("mariadb-server-core")),
    Case("syslog-ng, 8 threads", syslog_ng, syslog_load, "12 senders of bursts, short-lived and silent ones",
         version("syslog-ng-core")),
    Case("beanstalkd at its fd limit", beanstalkd, starved, "prlimit while it runs, 12 clients", version("beanstalkd"),
         found={"EP205": "confirmed"}),
    Case("ngircd, clients that leave", ngircd, leaving_in_the_greeting,
         "three clients that half-close or leave in their greeting", version("ngircd"), found={"EP204": "confirmed"},
         faulty=("EP203",)),
    Case("unbound", unbound, dns_load, "UDP and TCP queries, two threads", version("unbound")),
]
