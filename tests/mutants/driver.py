# SPDX-License-Identifier: Apache-2.0
"""The users of an echo service, and what they suffer. All that is called harm is measured here, from outside: by what came
back, by whose CPU time went where, by which sockets stayed open. epaudit has no part in it."""
import contextlib
import os
import pathlib
import socket
import statistics
import struct
import threading
import time

CALM = 2.5  # seconds in which nobody says anything
ANSWER = 2.0  # seconds to wait for one
BURNT = 0.25  # of a core, while all is calm
LATE = 0.15  # seconds for a short answer, the median of all
STUCK = 3  # sockets that nobody speaks to any more
TICKS = os.sysconf("SC_CLK_TCK")


def text(who, size):
    """So many bytes of a talk, no two lines of which are alike."""
    lines, length = [], 0
    while length < size:
        lines.append(f"{who}, line {len(lines)} of what is to come back\n".encode())
        length += len(lines[-1])
    return b"".join(lines)[:size]


def processes(program):
    """Numbers of those that run this file."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and os.readlink(entry / "exe").split(" (deleted)")[0] == str(program):
                found.append(int(entry.name))
    return found


def cpu_seconds(program):
    total = 0
    for pid in processes(program):
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def sockets(program):
    total = 0
    for pid in processes(program):
        with contextlib.suppress(OSError):
            for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    total += os.readlink(fd).startswith("socket:")
    return total


class Conversation:
    """One connection, and how many bytes it waits for in vain."""

    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=ANSWER)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def say(self, data):
        self.connection.sendall(data)

    def hear(self, size):
        """So many bytes; returns how many of them did not come."""
        self.connection.settimeout(ANSWER)
        while size > 0:
            try:
                part = self.connection.recv(min(size, 65536))
            except OSError:
                break
            if not part:
                break
            size -= len(part)
        return size

    def ends(self):
        """Does the server end it?"""
        self.connection.settimeout(ANSWER)
        with contextlib.suppress(ConnectionResetError):
            try:
                return self.connection.recv(1) == b""
            except TimeoutError:
                return False
        return True


class Users:
    """All that they suffered: name of the one -> what."""

    def __init__(self, port):
        self.port, self.missing, self.latencies, self.lock = port, {}, [], threading.Lock()
        self.calm_cpu = 0.0

    def suffers(self, who, what):
        with self.lock:
            self.missing.setdefault(who, what)

    def ask(self, who, conversation, data):
        try:
            conversation.say(data)
        except OSError as error:
            self.suffers(who, f"{len(data)} bytes not taken ({error.__class__.__name__})")
            return False
        left = conversation.hear(len(data))
        if left:
            self.suffers(who, f"{left} of {len(data)} bytes never came back")
        return not left

    # --- each of these is one user ---------------------------------------------------------------------

    def chat(self):
        """Short questions, one after the other."""
        with Conversation(self.port) as c:
            for _ in range(15):
                then = time.monotonic()
                if not self.ask("chat", c, text("chat", 200)):
                    return
                self.latencies.append(time.monotonic() - then)
                time.sleep(0.1)

    def burst(self):
        """Thirty at once, as after a restart of somebody in front."""
        with contextlib.ExitStack() as stack:
            everyone = [stack.enter_context(Conversation(self.port)) for _ in range(30)]
            for c in everyone:
                c.say(text("burst", 300))
            left = sum(bool(c.hear(300)) for c in everyone)
            if left:
                self.suffers("burst", f"{left} of 30 connections got no answer")

    def pipeline(self):
        """Much more than one read takes."""
        with Conversation(self.port) as c:
            self.ask("pipeline", c, text("pipeline", 90_000))

    def bulk(self):
        """More than any socket buffer holds, from a peer that reads late."""
        with Conversation(self.port) as c:
            size = 6_000_000
            sender = threading.Thread(target=self.send_all, args=(c, text("bulk", size)), daemon=True)
            sender.start()
            time.sleep(0.8)
            left = c.hear(size)
            if left:
                self.suffers("bulk", f"{left} of {size} bytes never came back")

    def send_all(self, c, data):
        c.connection.settimeout(None)
        with contextlib.suppress(OSError):
            c.connection.sendall(data)

    def half_closer(self):
        """Says that it has ended, and wants the rest."""
        for _ in range(4):
            with Conversation(self.port) as c:
                c.say(text("half-closer", 1000))
                c.connection.shutdown(socket.SHUT_WR)
                if left := c.hear(1000):
                    self.suffers("half-closer", f"{left} of 1000 bytes never came back")
                elif not c.ends():
                    self.suffers("half-closer", "its connection never ended")

    def comers_and_goers(self):
        """Health checks: connect, and away; some of them with a reset."""
        for number in range(20):
            with Conversation(self.port) as c:
                if number % 2:
                    c.say(text("goer", 20_000))
                    c.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            time.sleep(0.02)


def run_all(*users):
    threads = [threading.Thread(target=guarded, args=(user,), daemon=True) for user in users]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + ANSWER * 4
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def guarded(user):
    with contextlib.suppress(OSError):  # said by what was not answered
        user()


class Suffered:
    """What was measured, and what of it is harm."""

    def __init__(self, users, calm_cpu, stuck, died):
        self.users, self.calm_cpu, self.stuck, self.died = users, calm_cpu, stuck, died

    def harm(self):
        found = [f"{who}: {what}" for who, what in sorted(self.users.missing.items())]
        latency = statistics.median(self.users.latencies) if self.users.latencies else 0
        if latency > LATE:
            found.append(f"late: short answers take {latency * 1000:.0f} ms")
        if self.calm_cpu > BURNT:
            found.append(f"burnt: {self.calm_cpu * 100:.0f} % of a core while nobody says anything")
        if self.stuck >= STUCK:
            found.append(f"stuck: {self.stuck} sockets stay open that nobody uses")
        return found


def drive(program, port):
    """Some nine seconds of a service's life. `program`: its file."""
    users = Users(port)
    before = sockets(program)
    guarded(lambda: live(program, users))
    stuck = settled(program, before)
    return Suffered(users, users.calm_cpu, stuck, not processes(program))


def live(program, users):
    with Conversation(users.port) as idle, Conversation(users.port) as stalled:
        users.ask("idle", idle, text("idle", 10))
        owed = text("stalled", 3_000_000)  # its answer is wanted much later
        threading.Thread(target=users.send_all, args=(stalled, owed), daemon=True).start()
        run_all(users.chat, users.burst, users.pipeline, users.bulk, users.half_closer, users.comers_and_goers)
        then, cpu = time.monotonic(), cpu_seconds(program)
        time.sleep(CALM)
        users.calm_cpu = (cpu_seconds(program) - cpu) / (time.monotonic() - then)
        users.ask("idle", idle, text("idle", 10))
        if left := stalled.hear(len(owed)):
            users.suffers("stalled", f"{left} of {len(owed)} bytes never came back")
        with Conversation(users.port) as late_comer:
            users.ask("late-comer", late_comer, text("late-comer", 100))


def settled(program, before):
    """Sockets that are left once everybody is gone, when those that go have had the time to."""
    deadline = time.monotonic() + 1.5
    while (left := sockets(program) - before) > 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
