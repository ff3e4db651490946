# SPDX-License-Identifier: Apache-2.0
"""Servers whose loop hands what comes to a pool of threads: slapd, RabbitMQ."""
import os
import pathlib
import socket
import struct
import subprocess
import time

from case import Case, Site
from load import come_and_go, connect, exactly, half_close, hold, reset, stall, take, together, trickle, until
from servers import answers, free_port, need
from harness import check, end, wait_for
from web import version

SLAPD = """
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {dir}/slapd.pid
argsfile {dir}/slapd.args
threads 4
sizelimit unlimited
database mdb
suffix "dc=example"
rootdn "cn=admin,dc=example"
directory {dir}/db
dbnosync
maxsize 67108864
"""
PERSONS = 3000


def slapd(directory):
    program, port = need("slapd"), free_port()
    os.mkdir(os.path.join(directory, "db"))
    config, entries = pathlib.Path(directory, "slapd.conf"), pathlib.Path(directory, "entries.ldif")
    config.write_text(SLAPD.format(dir=directory))
    entries.write_text("dn: dc=example\nobjectClass: dcObject\nobjectClass: organization\no: x\ndc: example\n\n" + "".join(
        f"dn: cn=n{number},dc=example\nobjectClass: person\nsn: s\ncn: n{number}\ndescription: {'d' * 900}\n\n"
        for number in range(PERSONS)))
    done = subprocess.run([need("slapadd"), "-q", "-f", str(config), "-l", str(entries)], capture_output=True)
    check(done.returncode == 0, done.stderr.decode(errors="replace"))
    return Site([program, "-h", f"ldap://127.0.0.1:{port}", "-f", str(config), "-d", "0"], port, directory)


def ber(tag, body):
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + struct.pack(">H", len(body))
    return bytes([tag]) + size + body


def ldap(number, operation):
    return ber(0x30, b"\2\1" + bytes([number]) + operation)


def search(number, wanted):
    """Of everything, by a filter."""
    return ldap(number, ber(0x63, ber(4, b"dc=example") + b"\x0a\1\2\x0a\1\0\2\1\0\2\1\0\1\1\0" + wanted + b"\x30\0"))


BIND = ldap(1, ber(0x60, b"\2\1\3\4\0\x80\0"))
BOUND = 14  # bytes of the answer
ALL = search(2, ber(0x87, b"objectClass"))  # 3 MB
NONE = search(3, ber(0xa4, ber(4, b"description") + ber(0x30, ber(0x81, b"nowhere"))))  # looks at each
UNBIND = ldap(4, b"\x42\0")


def ldap_load(site, seconds):
    """First lively; then each thread of the pool has a client that reads nothing, so that whoever comes now is told of,
    put in the queue with mask 0, and not looked at, though he has half-closed or left."""
    port, busy = site.port, seconds / 3

    def ask():
        with connect(port) as client:
            client.sendall(BIND)
            take(client, BOUND)
            for _ in until(busy - 0.5):
                client.sendall(NONE)
                take(client, BOUND)
            client.sendall(UNBIND)

    def queued():
        time.sleep(busy + 0.5)
        clients = [connect(port) for _ in range(9)]
        for index, client in enumerate(clients):
            client.sendall(BIND + NONE)
            if index % 3 == 0:
                client.shutdown(socket.SHUT_WR)
            elif index % 3 == 1:
                client.close()
        time.sleep(seconds - busy - 1)  # they wait for a thread
        for client in clients:
            client.close()

    def blocked():
        time.sleep(busy)
        together(lambda: stall(port, seconds - busy - 0.5, BIND + ALL, 3),
                 lambda: stall(port, seconds - busy - 0.5, BIND + ALL, 3, half_closed=True))
    together(*[ask] * 6, blocked, queued, lambda: hold(port, seconds, 8), lambda: half_close(port, busy - 0.5, BIND + NONE),
             lambda: come_and_go(port, busy - 0.5, BIND + ALL), lambda: trickle(port, busy - 0.5, BIND, BOUND))


RABBIT = pathlib.Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the script in /usr/sbin changes the user


def rabbitmq(directory):
    """Its name server is not what is watched, and would outlive it."""
    need("rabbitmq-server")
    port, names, between = free_port(), free_port(), free_port()
    path = pathlib.Path(directory)
    (path / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\nlog.console.level = error\n")
    (path / "plugins").write_text("[].")
    (path / "environment").touch()
    own = dict(HOME=directory, LANG="C.UTF-8", ERL_EPMD_PORT=names, ERL_EPMD_ADDRESS="127.0.0.1",
               RABBITMQ_NODENAME=f"precision{port}@localhost", RABBITMQ_DIST_PORT=between, RABBITMQ_MNESIA_BASE=path / "mnesia",
               RABBITMQ_LOG_BASE=path / "logs", RABBITMQ_LOGS="-", RABBITMQ_CONFIG_FILE=path / "rabbitmq.conf",
               RABBITMQ_ENABLED_PLUGINS_FILE=path / "plugins", RABBITMQ_CONF_ENV_FILE=path / "environment",
               RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 4:4")
    server = subprocess.Popen([need("epmd"), "-port", str(names)], env=dict(os.environ, ERL_EPMD_ADDRESS="127.0.0.1"),
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: answers(names), 10, "epmd to listen")
    return Site(["env", *(f"{name}={value}" for name, value in own.items()), "sh", str(RABBIT)], port, directory,
                close=lambda: end(server))


GREETING = b"AMQP\0\0\x09\1"


def short(text):
    return bytes([len(text)]) + text


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def method(channel, kind, number, arguments):
    return frame(1, channel, struct.pack(">HH", kind, number) + arguments)


class Amqp:
    """As much of AMQP 0-9-1 as a message needs."""

    def __init__(self, port, queue, **options):
        self.socket, self.queue = connect(port, **options), short(queue)
        login = b"\0guest\0guest"
        self.ask(GREETING, 10)
        self.ask(method(0, 10, 11, b"\0\0\0\0" + short(b"PLAIN") + struct.pack(">I", len(login)) + login + short(b"en_US")), 10)
        self.ask(method(0, 10, 31, struct.pack(">HIH", 100, 131072, 0)) + method(0, 10, 40, short(b"/") + b"\0\0"), 10)
        self.ask(method(1, 20, 10, b"\0"), 20)
        self.ask(method(1, 50, 10, b"\0\0" + self.queue + b"\0\0\0\0\0"), 50)

    def ask(self, text, kind):
        """An answer of this class must come."""
        self.socket.sendall(text)
        while True:
            number, body = self.frame()
            if number == 1:
                check(struct.unpack(">H", body[:2])[0] == kind, f"unexpected answer: {body!r}")
                return

    def frame(self):
        head = self.exactly(7)
        number, _, size = struct.unpack(">BHI", head)
        return number, self.exactly(size + 1)[:-1]

    def exactly(self, size):
        return exactly(self.socket, size, "RabbitMQ")

    def publish(self, body):
        self.socket.sendall(method(1, 60, 40, b"\0\0\0" + self.queue + b"\0") +
                            frame(2, 1, struct.pack(">HHQH", 60, 0, len(body), 0)) + frame(3, 1, body))

    def get(self):
        self.ask(method(1, 60, 70, b"\0\0" + self.queue + b"\1"), 60)

    def consume(self):
        self.socket.sendall(method(1, 60, 20, b"\0\0" + self.queue + b"\0\2\0\0\0\0"))


def amqp_load(site, seconds):
    port, busy = site.port, seconds / 3

    def talk(number):
        one = Amqp(port, b"q%d" % number)
        for _ in until(busy):
            one.publish(b"m" * 200)
            one.get()
        one.socket.close()

    def deaf(half_closed):
        """Its queue is longer than its buffers."""
        one = Amqp(port, b"deaf%d" % half_closed, small_buffer=True)
        for _ in range(60):
            one.publish(bytes(100_000))
        one.consume()
        if half_closed:
            one.socket.shutdown(socket.SHUT_WR)
        for _ in until(seconds):
            time.sleep(0.2)  # what it is for
        reset(one.socket)

    def broken(how):
        """After the header comes what may not come yet: nothing is read for three seconds, then it is closed."""
        kept = []
        for _ in range(4):
            client = connect(port)
            kept.append(client)
            client.sendall(GREETING)
            client.recv(65536)  # the first method of the server
            client.sendall(method(0, 20, 10, b"\0"))
            time.sleep(0.1)
            if how == "half":
                client.shutdown(socket.SHUT_WR)
            elif how == "leave":
                client.close()
        time.sleep(seconds - 0.5)  # they are kept
        for client in kept:
            client.close()
    together(*(lambda n=n: talk(n) for n in range(4)), *(lambda h=h: deaf(h) for h in (0, 1)),
             *(lambda h=h: broken(h) for h in ("half", "leave", "stay")), lambda: hold(port, seconds, 6),
             lambda: come_and_go(port, busy, GREETING), lambda: trickle(port, busy, GREETING, 8))


CASES = [
    Case("slapd, 4 threads", slapd, ldap_load, "searches; all threads blocked by clients that read nothing, half-closed or not, "
         "and nine more that wait, half-close or leave", version("slapd")),
    Case("RabbitMQ", rabbitmq, amqp_load, "publish and get, two deaf consumers, one half-closed; broken greetings that "
         "half-close or leave", version("rabbitmq-server")),
]
