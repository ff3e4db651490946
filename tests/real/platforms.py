# SPDX-License-Identifier: Apache-2.0
"""Servers whose loop is that of their language: Go's (Caddy, etcd, NATS, Prometheus), Ruby's Puma, Tomcat, ejabberd."""
import json
import os
import pathlib
import shutil
import subprocess
import time

from case import Case, Site
from harness import Skip, check, end, wait_for
from load import come_and_go, connect, get, half_close, hold, http_load, http_size, stall, stopped, together, until
from samples import SOURCES
from servers import answers, free_port, need
from services import ODD, odd_clients
from web import MIXED, documents, version

CADDY = """
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port} {{
  root * {dir}/www
  file_server
}}
"""


def caddy(directory):
    program, port = need("caddy"), free_port()
    documents(directory)
    config = pathlib.Path(directory, "Caddyfile")
    config.write_text(CADDY.format(dir=directory, port=port))
    return Site(["env", f"HOME={directory}", program, "run", "--config", str(config), "--adapter", "caddyfile"], port, directory)


def files_load(site, seconds):
    """Of a server of files, which answers nothing slowly."""
    http_load(site, seconds, slow=(), path="/index.html")


def etcd(directory):
    program, port, peers = need("etcd"), free_port(), free_port()
    at, between = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    return Site([program, "--data-dir", f"{directory}/data", "--listen-client-urls", at, "--advertise-client-urls", at,
                 "--listen-peer-urls", between, "--initial-advertise-peer-urls", between, "--initial-cluster", f"default={between}",
                 "--log-level", "error", "--unsafe-no-fsync"], port, directory)


def post(path, body):
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def etcd_load(site, seconds):
    """Beside the odd clients: puts and gets, and watchers, one of whom reads nothing of what he is told."""
    port = site.port
    key, value = "a2V5", "eA" * 700

    def put():
        for _ in until(seconds / 3):
            with connect(port) as client:
                client.sendall(post("/v3/kv/put", json.dumps({"key": key, "value": value})))
                check(client.recv(4096).startswith(b"HTTP/1.1 200"), "etcd refused a put")

    def watch(small_buffer):
        with connect(port, small_buffer=small_buffer) as client:
            client.sendall(post("/v3/watch", json.dumps({"create_request": {"key": key}})))
            check(client.recv(300), "etcd refused a watch")
            time.sleep(seconds - 1)  # what it is for
    request = get("/version")
    together(put, put, lambda: watch(False), lambda: watch(True),
             lambda: odd_clients(site, seconds, request, http_size(port, "/version"), get("/metrics") * 200))


def prometheus(directory):
    """It scrapes itself."""
    program, port = need("prometheus"), free_port()
    config = pathlib.Path(directory, "prometheus.yml")
    config.write_text("global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: self\n    static_configs:\n"
                      f"      - targets: ['127.0.0.1:{port}']\n")
    return Site([program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}",
                 f"--storage.tsdb.path={directory}/data", "--log.level=error"], port, directory)


def prometheus_load(site, seconds):
    request = get("/-/healthy")
    odd_clients(site, seconds, request, http_size(site.port, "/-/healthy"), get("/metrics") * 200)


def nats(directory):
    program, port = need("nats-server"), free_port()
    return Site([program, "-a", "127.0.0.1", "-p", str(port)], port, directory)


def nats_load(site, seconds):
    """Publishers and subscribers, one of whom reads nothing."""
    port, busy = site.port, seconds / 3
    hello = b'CONNECT {"verbose":false}\r\n'

    def subscriber(deaf):
        with connect(port, small_buffer=deaf) as client:
            client.sendall(hello + b"SUB news 1\r\nPING\r\n")
            client.settimeout(0.2)
            for _ in until(seconds - 1):
                if deaf:
                    time.sleep(0.2)  # this is what a deaf subscriber does
                    continue
                try:
                    client.recv(65536)
                except TimeoutError:
                    pass

    def publisher():
        with connect(port) as client:
            client.sendall(hello)
            for _ in until(busy):
                client.sendall((b"PUB news 1000\r\n" + b"x" * 1000 + b"\r\n") * 20 + b"PING\r\n")
                answer = b""
                while b"PONG" not in answer:  # behind what else it has to say: its INFO, and a PING of its own
                    got = client.recv(4096)
                    check(got, "NATS hung up")
                    answer += got
    ping = hello + b"PING\r\n"
    together(publisher, publisher, *[lambda: subscriber(False)] * 3, lambda: subscriber(True), lambda: hold(port, seconds, 8),
             lambda: half_close(port, busy, ping), lambda: come_and_go(port, busy, ping),
             lambda: stall(port, seconds - 0.5, hello + b"PING\r\n" * 100_000, 2), lambda: stopped(site.pid, seconds / 8))


def puma(directory):
    """Two processes, and threads."""
    program, port = need("puma"), free_port()
    shutil.copy(SOURCES / "rack_app.ru", directory)
    return Site([program, "-b", f"tcp://127.0.0.1:{port}", "-w", "2", "-t", "16:16", "-e", "production", "-q",
                 f"{directory}/rack_app.ru"], port, directory)


def puma_load(site, seconds):
    """Puma closes a connection after its tenth request in a row when all its threads are busy (max_fast_inline in its
    request.rb), and what is still unread then makes a reset of it: nobody asks for more than nine at once."""
    http_load(site, seconds, excess=8)


TOMCAT = pathlib.Path("/usr/share/tomcat10")
SERVER_XML = """
<Server port="-1">
  <Service name="Catalina">
    <Connector port="{port}" address="127.0.0.1" protocol="org.apache.coyote.http11.Http11NioProtocol" maxThreads="32"
               maxKeepAliveRequests="-1"/>
    <Engine name="Catalina" defaultHost="localhost">
      <Host name="localhost" appBase="webapps" autoDeploy="false"><Context path="" docBase="{dir}/www"/></Host>
    </Engine>
  </Service>
</Server>
"""
WEB_XML = """
<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="5.0">
  <servlet><servlet-name>files</servlet-name><servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class></servlet>
  <servlet-mapping><servlet-name>files</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
</web-app>
"""


def tomcat(directory):
    if not (TOMCAT / "bin/bootstrap.jar").exists():
        raise Skip("Tomcat is not installed (package tomcat10)")
    program, port, base = need("java"), free_port(), pathlib.Path(directory)
    documents(directory)
    for name in ("conf", "logs", "temp", "webapps", "work"):
        (base / name).mkdir()
    (base / "conf/server.xml").write_text(SERVER_XML.format(port=port, dir=directory))
    (base / "conf/web.xml").write_text(WEB_XML)
    jars = ":".join(str(TOMCAT / "bin" / name) for name in ("bootstrap.jar", "tomcat-juli.jar"))
    return Site([program, "-XX:+UseSerialGC", "-Xmx256m", "-cp", jars, f"-Dcatalina.home={TOMCAT}", f"-Dcatalina.base={directory}",
                 "org.apache.catalina.startup.Bootstrap", "start"], port, directory)


EJABBERD = """
loglevel: error
hosts: [localhost]
listen:
  - {{port: {port}, ip: "127.0.0.1", module: ejabberd_c2s, max_stanza_size: 262144, backlog: 1000}}
modules: {{}}
"""


def ejabberd(directory):
    """Its name server is not what is watched, and would outlive it."""
    need("ejabberdctl")
    code = sorted(pathlib.Path("/usr/lib").glob("*/ejabberd-*/ebin"))
    if not code:
        raise Skip("the code of ejabberd is not where Debian puts it")
    port, names = free_port(), free_port()
    config = pathlib.Path(directory, "ejabberd.yml")
    config.write_text(EJABBERD.format(port=port))
    server = subprocess.Popen([need("epmd"), "-port", str(names)], env=dict(os.environ, ERL_EPMD_ADDRESS="127.0.0.1"),
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: answers(names), 10, "epmd to listen")
    libraries = [word for path in sorted(pathlib.Path(code[-1]).parents[1].glob("*/ebin")) for word in ("-pa", str(path))]
    own = dict(HOME=directory, ERL_EPMD_PORT=names, ERL_EPMD_ADDRESS="127.0.0.1", EJABBERD_CONFIG_PATH=config,
               EJABBERD_LOG_PATH=f"{directory}/ejabberd.log", SPOOL_DIR=f"{directory}/spool")
    return Site(["env", *(f"{name}={value}" for name, value in own.items()), need("erl"), "-noinput", "-sname", f"precision{port}@localhost",
                 *libraries, "-mnesia", "dir", f'"{directory}/spool"', "+S", "4:4", "-s", "ejabberd"], port, directory,
                close=lambda: end(server))


def xmpp_load(site, seconds):
    """Streams that are opened and answered; a second opening on the same connection ends it."""
    port, busy = site.port, seconds / 3
    opening = (b"<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client' "
               b"xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>")

    def talk():
        for _ in until(busy):
            with connect(port) as client:
                client.sendall(opening)
                answer = b""
                while b"</stream:features>" not in answer:  # with the opening of its own stream, or behind it
                    got = client.recv(4096)
                    check(got, f"ejabberd hung up: {answer!r}")
                    answer += got
    together(*[talk] * 4, lambda: hold(port, seconds, 10), lambda: half_close(port, busy, opening),
             lambda: come_and_go(port, busy, opening),
             lambda: stall(port, seconds - 0.5, opening + b"<iq type='get' id='x'><query xmlns='jabber:iq:auth'/></iq>" * 2000, 2),
             lambda: stall(port, seconds - 0.5, opening, 2, half_closed=True), lambda: stopped(site.pid, seconds / 8))


CASES = [
    Case("Caddy", caddy, files_load, MIXED, version("caddy")),
    Case("etcd", etcd, etcd_load, "puts, two watchers, one deaf; " + ODD, version("etcd-server")),
    Case("Prometheus", prometheus, prometheus_load, "scrapes of itself; " + ODD, version("prometheus")),
    Case("NATS", nats, nats_load, "publishers, subscribers, one deaf; half-closes, resets, stalled readers; stopped for a second; "
         "then quiet", version("nats-server")),
    Case("Puma", puma, puma_load, MIXED + "; slow answers", version("puma")),
    Case("Tomcat", tomcat, files_load, MIXED, version("tomcat10-common")),
    Case("ejabberd", ejabberd, xmpp_load, "streams opened, half-closes, resets, stalled readers; stopped for a second; then quiet",
         version("ejabberd")),
]
