# SPDX-License-Identifier: Apache-2.0
"""Language runtimes and event libraries, by the small servers of samples/."""
import samples
from case import Case, Site
from servers import free_port
from load import http_load
from web import MIXED, starved, version


def sample(name):
    def lay(directory):
        port = free_port()
        return Site([*samples.command(name), str(port)], port, directory)
    return lay


def gunicorn(directory):
    port = free_port()
    return Site([*samples.command("gevent"), f"127.0.0.1:{port}"], port, directory)


def load(site, seconds):
    http_load(site, seconds)


SLOW = MIXED + "; pipelining behind a slow answer"
CASES = [
    Case("node http", sample("node"), load, SLOW, version("nodejs")),
    Case("node at its fd limit", sample("node"), starved, "prlimit while it runs, 12 clients", version("nodejs"), least=20),
    Case("Python asyncio", sample("asyncio"), load, SLOW, version("python3.11")),
    Case("asyncio at its fd limit", sample("asyncio"), starved, "prlimit while it runs, 12 clients", version("python3.11"),
         least=50, faulty=("EP205",)),
    Case("uvloop", sample("uvloop"), load, SLOW, version("python3-uvloop")),
    Case("gunicorn, gevent", gunicorn, load, SLOW, version("gunicorn")),
    Case("Tornado", sample("tornado"), load, SLOW, version("python3-tornado")),
    Case("trio", sample("trio"), load, SLOW, version("python3-trio")),
    Case("Twisted", sample("twisted"), load, SLOW, version("python3-twisted")),
    Case("Go net/http", sample("go"), load, SLOW, version("golang-1.19-go")),
    Case("tokio", sample("tokio"), load, SLOW, version("librust-tokio-dev")),
    Case("asio", sample("asio"), load, SLOW, version("libasio-dev")),
    Case("libevent evhttp", sample("libevent"), load, SLOW, version("libevent-dev")),
    Case("libuv", sample("libuv"), load, SLOW, version("libuv1-dev")),
    Case("Java NIO", sample("nio"), load, SLOW, version("openjdk-17-jdk-headless")),
    Case("Netty on NIO", sample("netty"), load, SLOW, version("libnetty-java")),
]
