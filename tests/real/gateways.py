# SPDX-License-Identifier: Apache-2.0
"""Squid, Varnish, h2o, nginx with TLS and HTTP/2, uWSGI, PHP-FPM, and what else speaks HTTP."""
import os
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import time

from case import Case, Site
from harness import Skip, check
from load import (Upstream, benchmark, come_and_go, connect, drain, get, half_close, hold, http_load, stall, stopped,
                  together, until)
from runtimes import sample
from samples import SOURCES
from servers import free_port, need, wrk_load
from stores import bulk
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


PHP_FPM = """
[global]
daemonize = no
error_log = /dev/stderr
log_level = error
[www]
user = nobody
group = nogroup
listen = 127.0.0.1:{port}
pm = static
pm.max_children = 12
"""
PHP = "<?php $n = (int)$_SERVER['QUERY_STRING']; if ($n > 1) echo str_repeat('x', $n); else { sleep($n); echo 'hello'; }"


def php_fpm(directory):
    programs = sorted(pathlib.Path("/usr/sbin").glob("php-fpm*"))
    if not programs:
        raise Skip("php-fpm is not installed (package php-fpm)")
    port, config = free_port(), pathlib.Path(directory, "fpm.conf")
    config.write_text(PHP_FPM.format(port=port))
    pathlib.Path(directory, "answer.php").write_text(PHP)
    return Site([str(programs[-1]), "--nodaemonize", "--fpm-config", str(config)], port, directory)


def fastcgi(directory, query, keep=0):
    """One request."""
    def record(kind, body):
        return struct.pack(">BBHHBB", 1, kind, 1, len(body), 0, 0) + body
    pairs = b"".join(bytes([len(name), len(value)]) + name + value for name, value in (
        (b"SCRIPT_FILENAME", f"{directory}/answer.php".encode()), (b"QUERY_STRING", query), (b"REQUEST_METHOD", b"GET")))
    return record(1, struct.pack(">HB5x", 1, keep)) + record(4, pairs) + record(4, b"") + record(5, b"")


def fastcgi_load(site, seconds):
    port, busy = site.port, seconds / 3

    def ask():
        for _ in until(busy):
            with connect(port) as client:
                client.sendall(fastcgi(site.directory, b"0"))
                check(drain(client), "PHP did not answer")
    large = fastcgi(site.directory, b"4000000")
    together(*[ask] * 3, lambda: hold(port, seconds, 2), lambda: half_close(port, seconds - 2, fastcgi(site.directory, b"1")),
             lambda: come_and_go(port, busy, large), lambda: stall(port, seconds - 0.5, large, 2),
             lambda: stall(port, seconds - 0.5, large, 2, half_closed=True), lambda: stopped(site.pid, seconds / 8))


NGINX_TLS = """
daemon off; worker_processes 2; pid {dir}/nginx.pid; error_log {dir}/error.log; user root;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s; keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port} ssl http2 reuseport; root {dir}/www;
    ssl_certificate {dir}/certificate; ssl_certificate_key {dir}/key;
    location /slow/ {{ proxy_pass http://127.0.0.1:{upstream}; }} }}
}}
"""


def certificate(directory):
    done = subprocess.run([need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                           "-subj", "/CN=localhost", "-keyout", f"{directory}/key", "-out", f"{directory}/certificate", "-days",
                           "2"], capture_output=True)
    check(done.returncode == 0, done.stderr.decode(errors="replace"))


def nginx_tls(directory):
    program, port, upstream = need("nginx"), free_port(), Upstream()
    documents(directory)
    certificate(directory)
    config = pathlib.Path(directory, "nginx.conf")
    config.write_text(NGINX_TLS.format(dir=directory, port=port, upstream=upstream.port))
    return Site([program, "-c", str(config), "-p", directory], port, directory, close=upstream.close)


def encrypted(port, protocol="http/1.1", **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context.wrap_socket(connect(port, **options), do_handshake_on_connect=True)


def tls_load(site, seconds):
    """HTTP/2 by h2load; HTTP/1.1 by clients that read nothing, close the TCP half only, or leave in the handshake."""
    port, busy = site.port, seconds / 3
    page = f"https://127.0.0.1:{port}/"

    def deaf(half_closed):
        clients = [encrypted(port, small_buffer=True) for _ in range(3)]
        for client in clients:
            client.sendall(get("/large"))
            if half_closed:
                socket.socket.shutdown(client, socket.SHUT_WR)
        time.sleep(seconds - 1)  # what they are for
        for client in clients:
            client.close()

    def ask():
        for _ in until(busy):
            with encrypted(port) as client:
                client.sendall(get("/slow/200"))
                check(client.recv(65536), "nginx closed")
    together(lambda: benchmark(["h2load", "-c", "10", "-m", "20", "-D", str(int(busy)), page], seconds),
             lambda: benchmark(["h2load", "-c", "4", "-m", "4", "-n", "20", page + "large"], seconds),
             ask, lambda: deaf(False), lambda: deaf(True), lambda: hold(port, seconds),
             lambda: half_close(port, busy, b"\x16\x03\x01"), lambda: come_and_go(port, busy, b"\x16\x03\x01\x02"),
             lambda: stopped(site.pid, seconds / 8))


def redis_tls(directory):
    """Four threads for what comes and goes."""
    program, port = need("redis-server"), free_port()
    certificate(directory)
    return Site([program, "--tls-port", str(port), "--port", "0", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                 "--dir", directory, "--tls-cert-file", "certificate", "--tls-key-file", "key", "--tls-ca-cert-file",
                 "certificate", "--tls-auth-clients", "no", "--io-threads", "4", "--io-threads-do-reads", "yes"], port, directory)


def redis_tls_load(site, seconds):
    port = site.port
    with encrypted(port) as client:
        client.sendall(bulk(b"SET", b"big", bytes(1 << 20)))
        check(client.recv(5), "redis closed")

    def deaf(half_closed):
        clients = [encrypted(port, small_buffer=True) for _ in range(3)]
        for client in clients:
            client.sendall(bulk(b"GET", b"big") * 8)
            if half_closed:
                socket.socket.shutdown(client, socket.SHUT_WR)
        time.sleep(seconds - 1)  # what they are for
        for client in clients:
            client.close()
    together(lambda: benchmark(["redis-benchmark", "--tls", "--insecure", "-p", port, "-c", "30", "-t", "get,set", "-P", "4", "-l",
                                "-n", "100000", "-q"], seconds / 3),
             lambda: deaf(False), lambda: deaf(True), lambda: hold(port, seconds),
             lambda: half_close(port, seconds / 3, b"\x16\x03\x01"), lambda: come_and_go(port, seconds / 3, b"\x16\x03"),
             lambda: stopped(site.pid, seconds / 8))


def load(slow=(1300, 2600)):
    return lambda site, seconds: http_load(site, seconds, slow=slow)


def uwsgi_load(site, seconds):
    """Its router answers one request at a time of a connection."""
    port, busy = site.port, seconds / 3
    together(lambda: wrk_load(port, int(busy), "/", 8), lambda: hold(port, seconds), lambda: half_close(port, busy, get("/")),
             lambda: stall(port, seconds - 0.5, get("/large")),
             lambda: stall(port, seconds - 0.5, get("/large"), half_closed=True),
             lambda: half_close(port, seconds - 2, get("/slow/1300")), lambda: come_and_go(port, busy, get("/slow/100")),
             lambda: stopped(site.pid, seconds / 8))


CASES = [
    Case("Squid", squid, load(), MIXED, version("squid")),
    Case("Varnish", varnish, load(), MIXED, version("varnish")),
    Case("h2o", h2o, load(()), MIXED, version("h2o")),
    Case("uWSGI", uwsgi, uwsgi_load, "wrk, stalled readers, half-closes, resets; stopped for a second; then quiet", version("uwsgi-core")),
    Case("PHP-FPM", php_fpm, fastcgi_load, "FastCGI: short answers, stalled readers, half-closes, resets; stopped for a second; "
         "then quiet", version("php8.2-fpm")),
    Case("nginx, HTTP/2 over TLS, reuseport", nginx_tls, tls_load, "h2load, stalled readers, half-closed below TLS, left in the "
         "handshake; stopped for a second; then quiet", version("nginx-light")),
    Case("redis, TLS and 4 I/O threads", redis_tls, redis_tls_load, "redis-benchmark, stalled readers, half-closed below TLS, left "
         "in the handshake; stopped for a second; then quiet", version("redis-server")),
    Case("node cluster", sample("cluster"), load(()), MIXED, version("nodejs")),
]
