# SPDX-License-Identifier: Apache-2.0
"""nginx, haproxy, lighttpd, Apache httpd."""
import os
import pathlib
import time

from case import Case, Site, hang_up, lower_fd_limit, package_version
from load import (Upstream, come_and_go, connect, drain, get, half_close, hold, http_load, http_size, pipeline,
                  reset, slow_reader, stall, together, until)
from servers import free_port, need, wrk_load
from harness import Skip, check


def documents(directory):
    www = pathlib.Path(directory, "www")
    www.mkdir()
    (www / "index.html").write_bytes(b"x" * 2000)
    (www / "large").write_bytes(bytes(3 << 20))
    for page in www.iterdir():
        os.utime(page, (1e9, 1e9))  # httpd's ETag of a page just written differs in length from later ones
    return www


NGINX = """
daemon off; worker_processes 2; pid {dir}/nginx.pid; error_log {dir}/error.log; user root;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s; sendfile on; keepalive_requests 1000000;
  upstream self {{ server 127.0.0.1:{port}; keepalive 8; }}
  server {{ listen 127.0.0.1:{port}; proxy_http_version 1.1; proxy_set_header Connection "";
    location / {{ root {dir}/www; }}
    location /proxy/ {{ proxy_pass http://self/; }}
    location /slow/ {{ proxy_pass http://127.0.0.1:{upstream}; }}
    location /unbuffered/ {{ proxy_buffering off; proxy_pass http://127.0.0.1:{upstream}/; }} }}
}}
"""


def nginx(directory):
    program, port, upstream = need("nginx"), free_port(), Upstream()
    documents(directory)
    config = pathlib.Path(directory, "nginx.conf")
    config.write_text(NGINX.format(dir=directory, port=port, upstream=upstream.port))
    return Site([program, "-c", str(config), "-p", directory], port, directory, close=upstream.close)


def nginx_proxy(site, seconds):
    answer = http_size(site.port, "/proxy/")
    together(lambda: wrk_load(site.port, int(seconds - 1), "/proxy/", 16),
             lambda: stall(site.port, seconds - 0.5, get("/proxy/large")),
             lambda: pipeline(site.port, seconds - 1, get("/proxy/"), answer),
             lambda: come_and_go(site.port, seconds - 1, get("/proxy/")),
             lambda: half_close(site.port, seconds - 1, get("/proxy/")))


def pipelining_to_slow_upstream(site, seconds):
    """event-loops.md: 2472 bytes unread for seconds while the loop sleeps, and read without an event in the end."""
    answer = http_size(site.port, "/slow/1")

    def client(ms):
        for left in until(seconds):
            if left < ms / 1000 + 0.3:
                return
            with connect(site.port) as one:
                one.sendall(get(f"/slow/{ms}", pad=400) + get("/slow/1", pad=400) * 20)
                time.sleep(ms / 2000)
                one.sendall(get("/slow/1", pad=400) * 4)  # an edge that is ignored
                for _ in range(25):
                    got = one.recv(answer)
                    check(got, "cut short")
    together(*(lambda ms=ms: client(ms) for ms in (1300, 2600, 5000)), lambda: hold(site.port, seconds))


def unbuffered_to_stalled_client(site, seconds):
    together(lambda: stall(site.port, seconds - 0.5, get("/unbuffered/large"), 8),
             lambda: slow_reader(site.port, seconds - 0.5, get("/unbuffered/large"), 4),
             lambda: come_and_go(site.port, seconds / 3, get("/unbuffered/large")))


def reload_under_load(site, seconds):
    master = int(pathlib.Path(site.directory, "nginx.pid").read_text())

    def reloads():
        for _ in until(seconds - 1.5):
            hang_up(master)
            time.sleep(1.2)  # workers of two generations side by side
    together(reloads, lambda: wrk_load(site.port, int(seconds - 1), "/", 16), lambda: hold(site.port, seconds - 1),
             lambda: come_and_go(site.port, seconds - 1, get("/")))


HAPROXY = """
global
  nbthread {threads}
  maxconn 2000
  log stderr format raw local0 emerg
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend web
  bind 127.0.0.1:{port}
  http-request return status 200 content-type text/plain string hello if {{ path / }}
  default_backend back
backend back
  server one 127.0.0.1:{upstream}
"""


def haproxy(threads):
    def lay(directory):
        program, port, upstream = need("haproxy"), free_port(), Upstream()
        config = pathlib.Path(directory, "haproxy.cfg")
        config.write_text(HAPROXY.format(threads=threads, port=port, upstream=upstream.port))
        return Site([program, "-db", "-f", str(config)], port, directory, close=upstream.close)
    return lay


def one_by_one(port, seconds):
    """One connection at a time, each new: the herd's worst case, for every waiter is asleep."""
    served = 0
    for _ in until(seconds):
        with connect(port) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            served += bool(drain(client))
        time.sleep(0.003)  # all waiters fall asleep again, also on a busy machine
    check(served, "nothing was answered")


LIGHTTPD = """
server.document-root = "{dir}/www"
server.port = {port}
server.bind = "127.0.0.1"
server.errorlog = "{dir}/error.log"
server.event-handler = "linux-sysepoll"
index-file.names = ("index.html")
server.max-keep-alive-requests = 1000000
"""


def lighttpd(directory):
    program, port = need("lighttpd"), free_port()
    documents(directory)
    config = pathlib.Path(directory, "lighttpd.conf")
    config.write_text(LIGHTTPD.format(dir=directory, port=port))
    return Site([program, "-D", "-f", str(config)], port, directory)


def starved(site, seconds, clients=12):
    """The descriptor limit falls below what the clients ask for."""
    time.sleep(0.5)  # some life before, so that accepts were seen
    lower_fd_limit(site.pid, 4)
    held = [connect(site.port) for _ in range(clients)]
    time.sleep(seconds - 0.5)  # they wait to be accepted
    for client in held:
        reset(client)


HTTPD = """
ServerRoot {dir}
{modules}
PidFile {dir}/httpd.pid
ServerName localhost
Listen 127.0.0.1:{port}
ErrorLog {dir}/error.log
DocumentRoot {dir}/www
DirectoryIndex index.html
StartServers 4
ServerLimit 4
MinSpareThreads 100
MaxSpareThreads 100
ThreadsPerChild 25
MaxRequestWorkers 100
MaxKeepAliveRequests 0
"""
MODULES = pathlib.Path("/usr/lib/apache2/modules")


def httpd(directory):
    program, port = need("apache2"), free_port()
    if not (MODULES / "mod_mpm_event.so").exists():
        raise Skip("mod_mpm_event is not installed")
    documents(directory)
    modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so"
                        for name in ("mpm_event", "authz_core", "dir") if (MODULES / f"mod_{name}.so").exists())
    config = pathlib.Path(directory, "httpd.conf")
    config.write_text(HTTPD.format(dir=directory, port=port, modules=modules))
    return Site([program, "-DFOREGROUND", "-d", directory, "-f", str(config)], port, directory)


def web_load(site, seconds):
    http_load(site, seconds, slow=())


def proxy_load(site, seconds):
    http_load(site, seconds)


def herd(site, seconds):
    """Long enough for two of the windows over which EP401 compares (5 s), however late the first begins."""
    together(lambda: one_by_one(site.port, 2 * seconds), lambda: hold(site.port, 2 * seconds, 4))


def version(package):
    return lambda: package_version(package)


MIXED = "wrk, pipelining, stalled and slow readers, half-closes, resets; stopped for a second; then quiet"
NGINX_VERSION, HAPROXY_VERSION = version("nginx-light"), version("haproxy")
CASES = [
    Case("nginx static", nginx, web_load, MIXED, NGINX_VERSION),
    Case("nginx proxy", nginx, nginx_proxy, "the same through proxy_pass to itself", NGINX_VERSION),
    Case("nginx pipelining, slow upstream", nginx, pipelining_to_slow_upstream,
         "20 pipelined requests behind one of 1.3, 2.6 and 5 s", NGINX_VERSION, least=100),
    Case("nginx unbuffered, stalled client", nginx, unbuffered_to_stalled_client,
         "4 MB through proxy_buffering off to clients that stall", NGINX_VERSION, least=100),
    Case("nginx reload", nginx, reload_under_load, "SIGHUP every 1.2 s under wrk", NGINX_VERSION),
    Case("haproxy, 1 thread", haproxy(1), proxy_load, MIXED + "; slow back end", HAPROXY_VERSION),
    Case("haproxy, 4 threads", haproxy(4), proxy_load, MIXED + "; slow back end", HAPROXY_VERSION),
    Case("haproxy, 4 threads, one listener", haproxy(4), herd, "one new connection at a time", HAPROXY_VERSION,
         hazard=("EP401",)),
    Case("lighttpd", lighttpd, web_load, MIXED, version("lighttpd")),
    Case("lighttpd at its fd limit", lighttpd, starved, "prlimit while it runs, 12 clients", version("lighttpd"),
         found={"EP205": "confirmed"}),
    Case("nginx at its fd limit", nginx, lambda site, seconds: nginx_starved(site, seconds),
         "prlimit of its workers while they run, 12 clients", NGINX_VERSION, least=50),
    Case("httpd, mpm_event", httpd, web_load, MIXED, version("apache2-bin")),
    Case("httpd, 4 processes, one listener", httpd, herd, "one new connection at a time", version("apache2-bin"),
         hazard=("EP401",)),
]


def nginx_starved(site, seconds):
    time.sleep(0.5)
    for path in pathlib.Path(f"/proc/{site.pid}/task").glob("*/children"):
        for word in path.read_text().split():
            lower_fd_limit(int(word), 2)
    held = [connect(site.port) for _ in range(12)]
    time.sleep(seconds - 0.5)
    for client in held:
        os.close(client.detach())
