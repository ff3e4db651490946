# SPDX-License-Identifier: Apache-2.0
"""Squid, Varnish, h2o, nginx with TLS and HTTP/2, uWSGI, PHP-FPM, and what else speaks HTTP."""
import os
import pathlib
import shutil
import socket
import struct
import subprocess

from case import Case, Site
from harness import Skip, check
from load import Upstream, come_and_go, connect, drain, get, half_close, hold, http_load, stall, stopped, together, until
from samples import SOURCES
from servers import free_port, need, wrk_load
from web import MIXED, documents, version

SQUID = """
http_port 127.0.0.1:{port} accel defaultsite=localhost
cache_peer 127.0.0.1 parent {upstream} 0 no-query originserver
http_access allow all
cache deny all
pid_filename {dir}/squid.pid
access_log none
cache_log {dir}/cache.log
netdb_filename none
coredump_dir {dir}
pinger_enable off
shutdown_lifetime 0 seconds
cache_effective_user proxy
"""


def squid(directory):
    program, port, upstream = need("squid"), free_port(), Upstream()
    config = pathlib.Path(directory, "squid.conf")
    config.write_text(SQUID.format(dir=directory, port=port, upstream=upstream.port))
    os.chmod(directory, 0o777)
    return Site([program, "-N", "-f", str(config)], port, directory, close=upstream.close)


# Without the headers that make two answers differ in length.
VARNISH = """
vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{upstream}"; }}
sub vcl_recv {{ if (req.url ~ "^/(slow|large)") {{ return (pass); }} }}
sub vcl_deliver {{ unset resp.http.X-Varnish; unset resp.http.Age; }}
"""


def varnish(directory):
    program, port, upstream = need("varnishd"), free_port(), Upstream()
    if not shutil.which("gcc"):
        raise Skip("gcc is not installed, with which Varnish compiles its configuration")
    config = pathlib.Path(directory, "default.vcl")
    config.write_text(VARNISH.format(upstream=upstream.port))
    return Site([program, "-F", "-j", "none", "-n", f"{directory}/v", "-a", f"127.0.0.1:{port}", "-f", str(config), "-s", "malloc,32M", "-p", "timeout_idle=60", "-T", "none"], port, directory, close=upstream.close)


H2O = """
listen:
  host: 127.0.0.1
  port: {port}
num-threads: 2
user: root
hosts:
  default:
    paths:
      "/proxy":
        proxy.reverse.url: http://127.0.0.1:{upstream}/
      "/":
        file.dir: {dir}/www
"""


def h2o(directory):
    program, port, upstream = need("h2o"), free_port(), Upstream()
    documents(directory)
    config = pathlib.Path(directory, "h2o.conf")
    config.write_text(H2O.format(dir=directory, port=port, upstream=upstream.port))
    return Site([program, "-m", "worker", "-c", str(config)], port, directory, close=upstream.close)


def uwsgi(directory):
    """Its HTTP router is a process of its own."""
    program, port = need("uwsgi"), free_port()
    if not list(pathlib.Path("/usr/lib/uwsgi/plugins").glob("python3*_plugin.so")):
        raise Skip("the Python plugin is not installed (package uwsgi-plugin-python3)")
    return Site([program, "--plugins", "http,python3", "--http", f"127.0.0.1:{port}", "--http-keepalive", "--master", "--processes",
                 "2", "--threads", "16", "--die-on-term", "--wsgi-file", str(SOURCES / "wsgi_app.py"), "--disable-logging", "--socket",
                 f"{directory}/socket"], port, directory)


def load(slow=(1300, 2600)):
    """Once it is stopped for a second."""
    def run(site, seconds):
        together(lambda: http_load(site.port, seconds, slow=slow), lambda: stopped(site.pid, seconds / 8, 1.1))
    return run


def uwsgi_load(site, seconds):
    """Its router answers one request at a time of a connection."""
    port, busy = site.port, seconds / 3
    together(lambda: wrk_load(port, int(busy), "/", 8), lambda: hold(port, seconds), lambda: half_close(port, busy, get("/")),
             lambda: stall(port, seconds - 0.5, get("/large")),
             lambda: stall(port, seconds - 0.5, get("/large"), half_closed=True),
             lambda: half_close(port, seconds - 2, get("/slow/1300")), lambda: come_and_go(port, busy, get("/slow/100")),
             lambda: stopped(site.pid, seconds / 8, 1.1))


STOPPED = MIXED + "; stopped for a second"
CASES = [
    Case("Squid", squid, load(), STOPPED, version("squid")),
    Case("Varnish", varnish, load(), STOPPED, version("varnish")),
    Case("h2o", h2o, load(()), STOPPED, version("h2o")),
    Case("uWSGI", uwsgi, uwsgi_load, "wrk, stalled readers, half-closes, resets; stopped for a second; then quiet", version("uwsgi-core")),
]
