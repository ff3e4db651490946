# SPDX-License-Identifier: Apache-2.0
"""Real servers under load on loopback: silence, complete data, and strace as an independent witness."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from harness import SPEED, Final, Skip, Started, check, end, wait_for

LOAD_SECONDS = 12
AGREEMENT = 0.03  # of calls per request between two equal runs


def need(program):
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if not path:
        raise Skip(f"{program} is not installed")
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Server:
    """A server in a directory of its own; ends with the test."""

    def __init__(self, directory, port, words):
        self.port = port
        self.log = open(os.path.join(directory, "log"), "wb")
        self.process = subprocess.Popen(words, cwd=directory, stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL)
        self.pid = self.process.pid
        wait_for(lambda: answers(port) or self.process.poll() is not None, 15, words[0] + " to listen")
        check(self.process.poll() is None, words[0] + " ended: " + pathlib.Path(directory, "log").read_text())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self.log.close()


def redis(directory):
    port = free_port()
    return Server(directory, port, [need("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                                    "--appendonly", "no", "--dir", directory])


NGINX = """
daemon off; worker_processes {workers}; pid {dir}/nginx.pid; error_log {dir}/error.log; {user}
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s; sendfile on; keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port}; location / {{ root {dir}/www; }}
            {more} location /proxy/ {{ proxy_pass http://127.0.0.1:{port}/; }} }}
}}
"""


def nginx(directory, workers=2, more=""):
    """`more`: directives of its server."""
    program = need("nginx")
    port = free_port()
    www = pathlib.Path(directory, "www")
    www.mkdir()
    (www / "index.html").write_text("x" * 2000)
    (www / "large").write_bytes(b"y" * 300_000)
    for path in (directory, www):
        os.chmod(path, 0o755)
    config = pathlib.Path(directory, "nginx.conf")
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(NGINX.format(workers=workers, dir=directory, port=port, user=user, more=more))
    return Server(directory, port, [program, "-c", str(config), "-p", directory])


def redis_load(port, seconds=None, requests=None):
    """Returns the number of requests made."""
    if requests:
        subprocess.run([need("redis-benchmark"), "-p", str(port), "-c", "50", "-n", str(requests), "-t", "get", "-q"],
                       stdout=subprocess.DEVNULL, check=True)
        return requests
    done = subprocess.run(["timeout", str(seconds), need("redis-benchmark"), "-p", str(port), "-c", "50", "-t",
                           "get,set,lpush", "-l", "-n", "100000", "-q"], stdout=subprocess.DEVNULL)
    check(done.returncode == 124, "redis-benchmark failed")
    return 0


def wrk_load(port, seconds, path="/", connections=32):
    done = subprocess.run([need("wrk"), "-t1", f"-c{connections}", f"-d{seconds}", f"http://127.0.0.1:{port}{path}"],
                          capture_output=True, check=True)
    return int(re.search(r"(\d+) requests in", done.stdout.decode()).group(1))


def silent(outcome):
    check(outcome.report is not None, outcome.describe())
    if outcome.rules():
        raise Final(outcome.describe())
    check(outcome.code == 0, outcome.describe())
    check(outcome.report["observation"]["complete"], str(outcome.report["observation"]))
    check(outcome.report["observation"]["postings"] > 10000, str(outcome.report["observation"]))


def quiet_under_load(start, load):
    def test():
        with tempfile.TemporaryDirectory() as directory, start(directory) as server:
            tool = Started("attach", "--follow-forks", "--budget", "none", "--duration", LOAD_SECONDS, "-p", server.pid)
            load(server.port)
            silent(tool.finish())
    return test


def quiet_from_birth(words_of, load):
    """The same from the first instruction, with the strict thresholds of the test profile."""
    def test():
        with tempfile.TemporaryDirectory() as directory:
            server = words_of(directory)  # only to learn its words and port
            server.__exit__()
            tool = Started("run", "--duration", "6", "--", *server.process.args)
            wait_for(lambda: answers(server.port), 15, "the server to listen")
            load(server.port)
            silent(tool.finish())
    return test


STRACE_LINE = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", re.M)


def strace_counts(pids, load):
    with tempfile.NamedTemporaryFile() as out:
        words = [need("strace"), "-f", "-c", "-o", out.name]
        for pid in pids:
            words += ["-p", str(pid)]
        tool = subprocess.Popen(words, stderr=subprocess.PIPE)
        for _ in pids:
            tool.stderr.readline()  # "Process N attached"
        requests = load()
        tool.send_signal(signal.SIGINT)
        tool.communicate()
        return requests, {name: int(n) for n, name in STRACE_LINE.findall(pathlib.Path(out.name).read_text())}


READS = ("read", "readv", "pread64", "recvfrom", "recvmsg")
WRITES = ("write", "writev", "sendto", "sendmsg", "sendfile")


def children_of(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def agrees_with_strace(start, load):
    """Calls per request as epaudit posted them, against strace -c -f of an equal second run."""
    def test():
        with tempfile.TemporaryDirectory() as directory, start(directory) as server:
            load(server.port)  # warm-up: connections, caches
            tool = Started("attach", "--follow-forks", "--budget", "none", "-p", server.pid)
            requests = load(server.port)
            outcome = tool.interrupt()
            silent(outcome)
            posted = outcome.report["observation"]["calls"]
            traced_requests, traced = strace_counts([server.pid, *children_of(server.pid)], lambda: load(server.port))
            for kind, names in (("read", READS), ("write", WRITES), ("accept", ("accept", "accept4"))):
                ours = posted.get(kind, 0) / requests
                theirs = sum(traced.get(name, 0) for name in names) / traced_requests
                check(abs(ours - theirs) <= AGREEMENT * max(ours, theirs) + 0.01,
                      f"{kind} per request: {ours:.4f} posted, {theirs:.4f} traced ({posted}, {traced})")
            print(f"      {requests} requests, {posted.get('read', 0)} reads posted; strace: {traced_requests} requests")
    return test


def register(suite):
    suite.run("redis under load is silent", quiet_under_load(redis, lambda port: redis_load(port, LOAD_SECONDS - 1)))
    suite.run("nginx under load is silent", quiet_under_load(nginx, lambda port: (
        wrk_load(port, 4), wrk_load(port, 3, "/large", 8), wrk_load(port, 3, "/proxy/"))))
    suite.run("redis from birth is silent", quiet_from_birth(redis, lambda port: redis_load(port, 3)))
    suite.run("nginx from birth is silent", quiet_from_birth(nginx, lambda port: wrk_load(port, 3, "/proxy/")))
    suite.run("redis: postings agree with strace", agrees_with_strace(redis, lambda port: redis_load(port, requests=int(20000 / SPEED))))
    suite.run("nginx: postings agree with strace", agrees_with_strace(nginx, lambda port: wrk_load(port, 3)))
