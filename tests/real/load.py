# SPDX-License-Identifier: Apache-2.0
"""Clients that behave as clients do: they pipeline, stall, close half, come and go, and hold on."""
import contextlib
import os
import signal
import socket
import socketserver
import http.server
import struct
import subprocess
import threading
import time

from case import descendants
from harness import check
from servers import need

PAUSE = 0.02  # between two connections of a client that comes and goes
PAUSED = 1.1  # seconds: longer than the test profile lets a loop stall


def connect(port, timeout=30, small_buffer=False):
    client = socket.socket()
    if small_buffer:  # so that the server's output is blocked soon
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(timeout)
    client.connect(("127.0.0.1", port))
    return client


def exactly(client, size, who):
    data = b""
    while len(data) < size:
        got = client.recv(size - len(data))
        check(got, f"{who} closed")
        data += got
    return data


def reset(client):
    """Closes with RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def take(client, size):
    """Exactly so many bytes."""
    left = size
    while left:
        got = client.recv(min(left, 65536))
        check(got, f"the server closed with {left} of {size} bytes missing")
        left -= len(got)


def drain(client):
    """Until the end of the stream; None when it ended in an error."""
    count = 0
    try:
        while got := client.recv(65536):
            count += len(got)
    except OSError:
        return None
    return count


def together(*jobs):
    """Runs them side by side; the first error is raised here."""
    errors = []

    def guarded(job):
        try:
            job()
        except BaseException as error:  # noqa: BLE001 it is raised again below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def until(seconds):
    """Yields until the time is up."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        yield left


def get(path, pad=0):
    padding = f"X-Pad: {'p' * pad}\r\n" if pad else ""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{padding}\r\n".encode()


def http_size(port, path, timeout=30):
    """Bytes of the whole answer; asks once."""
    with connect(port, timeout) as client:
        client.sendall(get(path))
        data = b""
        while b"\r\n\r\n" not in data:
            got = client.recv(65536)
            check(got, f"no answer to GET {path}: {data!r}")
            data += got
        head, _, body = data.partition(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                take(client, int(line.split(b":")[1]) - len(body))
                return len(head) + 4 + int(line.split(b":")[1])
        while b"0\r\n\r\n" not in body[-7:]:
            got = client.recv(65536)
            check(got, f"answer to GET {path} cut short")
            body += got
        return len(head) + 4 + len(body)


def pipeline(port, seconds, request, answer, depth=20, connections=2):
    """Sends `depth` requests in one go and reads the answers, again and again. A server may hang up after any answer
    (lighttpd does when it has many clients). Returns batches answered."""
    answered = 0
    clients = [connect(port) for _ in range(connections)]
    for _ in until(seconds):
        for client in clients:
            with contextlib.suppress(OSError):
                client.sendall(request * depth)
        for index, client in enumerate(clients):
            try:
                take(client, answer * depth)
                answered += 1
            except (AssertionError, ConnectionError):
                client.close()
                clients[index] = connect(port)
    for client in clients:
        client.close()
    check(answered, "no batch was answered")
    return answered


def stall(port, seconds, request, connections=4, half_closed=False):
    """Asks for much and reads nothing, having closed the sending half or not; at the end half of them take it, half
    reset."""
    clients = [connect(port, small_buffer=True) for _ in range(connections)]
    for client in clients:
        client.sendall(request)
        if half_closed:
            client.shutdown(socket.SHUT_WR)
    time.sleep(seconds)  # this is what a stalled client does
    for index, client in enumerate(clients):
        if index % 2:
            reset(client)
            continue
        with contextlib.suppress(OSError):  # it may have given them up
            client.shutdown(socket.SHUT_WR)
        drain(client)
        client.close()


def stopped(pid, after, seconds=PAUSED):
    """The server and its children do not run for a while, as in `docker pause`."""
    time.sleep(after)
    pids = descendants(pid)
    for number, pause in ((signal.SIGSTOP, seconds), (signal.SIGCONT, 0)):
        for one in pids:
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.kill(one, number)
        time.sleep(pause)  # this is what is tried


def slow_reader(port, seconds, request, connections=2):
    """Takes a large answer in small bites."""
    clients = [connect(port, small_buffer=True) for _ in range(connections)]
    for client in clients:
        client.sendall(request)
    for _ in until(seconds):
        for client in clients:
            client.settimeout(1)
            with contextlib.suppress(OSError):
                client.recv(8192)
        time.sleep(PAUSE)
    for client in clients:
        client.close()


def half_close(port, seconds, request):
    """Asks, closes its sending half at once, and reads to the end."""
    for _ in until(seconds):
        with connect(port, timeout=5) as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            drain(client)
        time.sleep(PAUSE)


def come_and_go(port, seconds, request):
    """Connects and leaves: at once, with a reset, in the middle of a request, with the answer unread."""
    for turn, _ in enumerate(until(seconds)):
        client = connect(port)
        try:
            if turn % 4 == 2:
                client.sendall(request[:len(request) // 2])
            elif turn % 4 == 3:
                client.sendall(request)
        except OSError:
            pass  # it was faster
        if turn % 4 == 1:
            reset(client)
        else:
            client.close()
        time.sleep(PAUSE)


def trickle(port, seconds, request, answer):
    """Sends a request in pieces."""
    for _ in until(seconds):
        with connect(port) as client:
            for at in range(0, len(request), 7):
                client.sendall(request[at:at + 7])
                time.sleep(0.002)
            take(client, answer)


def hold(port, seconds, connections=20):
    """Connected and silent. Servers may hang up on them."""
    clients = [connect(port) for _ in range(connections)]
    time.sleep(seconds)  # this is what an idle client does
    for client in clients:
        client.close()


def slow_requests(port, seconds, ms, excess, path="/"):
    """Asks for something slow and sends on at once: what is sent waits unread, correctly. The second client has
    closed its sending half, the third one resets in the middle."""
    slow = get(f"/slow/{ms}")
    answer = http_size(port, "/slow/1") + http_size(port, path) * excess
    for left in until(seconds):
        if left < ms / 1000 + 0.3:
            return
        clients = [connect(port) for _ in range(3)]
        for client in clients:
            client.sendall(slow + get(path, pad=400) * excess)
        clients[1].shutdown(socket.SHUT_WR)
        take(clients[0], answer)
        drain(clients[1])
        reset(clients[2])
        clients[0].close()
        clients[1].close()


def http_load(site, seconds, large="/large", slow=(1300, 2600), path="/", excess=60):
    """All of it at once for a third of the time, within which the server is stopped for a second; then only what waits,
    so that the loop can fall asleep. `excess`: what is asked for behind a slow answer, at once."""
    from servers import wrk_load
    port, busy = site.port, max(2, int(seconds / 3))
    answer = http_size(port, path)
    request = get(path)
    waiting = [lambda: hold(port, seconds), lambda: stall(port, seconds - 0.5, get(large)),
               lambda: stall(port, seconds - 0.5, get(large), half_closed=True)]
    waiting += [lambda ms=ms: slow_requests(port, seconds - 0.3, ms, excess, path) for ms in slow]

    def lively():
        check(wrk_load(port, busy, path, 16) > 0, "wrk was not answered")
    together(*waiting, lively, lambda: stopped(site.pid, seconds / 8),
             lambda: pipeline(port, busy, request, answer),
             lambda: half_close(port, busy, request),
             lambda: come_and_go(port, busy, request),
             lambda: trickle(port, busy, request, answer),
             lambda: slow_reader(port, busy, get(large)))


def benchmark(words, seconds):
    """A load generator that would run on; it is ended."""
    program, *rest = words
    done = subprocess.run(["timeout", str(seconds), need(program), *map(str, rest)], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE)
    check(done.returncode in (0, 124), f"{program}: {done.stderr.decode(errors='replace')[-400:]}")


class Upstream:
    """A back end for proxies: /slow/N answers after N ms, /large is 4 MB, everything else small. Threads, no epoll."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            name, _, tail = self.path.strip("/").partition("/")
            if name == "slow":
                time.sleep(int(tail) / 1000)  # this is what a slow back end does
            body = bytes(4 << 20) if name == "large" else b"hello world\n"
            with contextlib.suppress(OSError):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_):
            pass  # clients of proxies leave as they like

    def __init__(self):
        self.server = self.Server(("127.0.0.1", 0), self.Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
