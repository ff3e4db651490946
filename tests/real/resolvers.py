# SPDX-License-Identifier: Apache-2.0
"""Name servers: BIND, Knot, PowerDNS Recursor, dnsdist."""
import pathlib
import socket
import subprocess

from case import Case, Site
from load import stopped, together
from harness import end
from servers import free_port, need
from stores import QUESTION, dns_load, unbound
from web import version

ZONE = """
$TTL 3600
@ IN SOA ns hostmaster 1 3600 900 604800 300
@ IN NS ns
ns IN A 192.0.2.2
www IN A 192.0.2.1
"""

NAMED = """
options {{ directory "{dir}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
  minimal-responses yes; pid-file none; session-keyfile none; managed-keys-directory "{dir}"; }};
controls {{ }};
zone "example" {{ type primary; file "{dir}/zone"; }};
"""


def knows_www(port):
    """That it listens is not enough: the zone may not have been read yet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        client.connect(("127.0.0.1", port))
        try:
            client.send(QUESTION)
            return client.recv(512)[7] == 1  # answers
        except OSError:
            return False


def site(words, port, directory, **options):
    return Site(words, port, directory, ready=lambda: knows_www(port), **options)


def named(directory):
    program, port = need("named"), free_port()
    path = pathlib.Path(directory)
    (path / "zone").write_text(ZONE)
    (path / "named.conf").write_text(NAMED.format(dir=directory, port=port))
    return site([program, "-f", "-n", "2", "-c", str(path / "named.conf")], port, directory)


KNOT = """
server:
  rundir: "{dir}"
  listen: 127.0.0.1@{port}
  udp-workers: 2
  tcp-workers: 2
database:
  storage: "{dir}"
log:
  - target: stderr
    any: error
zone:
  - domain: example
    file: "{dir}/zone"
"""


def knot(directory):
    program, port = need("knotd"), free_port()
    path = pathlib.Path(directory)
    (path / "zone").write_text(ZONE)
    (path / "knot.conf").write_text(KNOT.format(dir=directory, port=port))
    return site([program, "-c", str(path / "knot.conf")], port, directory)


RECURSOR = """
local-address=127.0.0.1
local-port={port}
config-dir={dir}
socket-dir={dir}
daemon=no
threads=2
auth-zones=example={dir}/zone
write-pid=no
loglevel=0
hint-file=no
security-poll-suffix=
"""


def recursor(directory):
    program, port = need("pdns_recursor"), free_port()
    path = pathlib.Path(directory)
    (path / "zone").write_text("$ORIGIN example.\n" + ZONE)
    (path / "recursor.conf").write_text(RECURSOR.format(dir=directory, port=port))
    return site([program, f"--config-dir={directory}"], port, directory)


DNSDIST = """
setLocal("127.0.0.1:{port}")
newServer("127.0.0.1:{back}")
getServer(0):setUp()
setSecurityPollSuffix("")
"""


def dnsdist(directory):
    """In front of unbound, which is not watched."""
    program, port = need("dnsdist"), free_port()
    back = unbound(directory)
    server = subprocess.Popen(back.words, cwd=directory, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    config = pathlib.Path(directory, "dnsdist.conf")
    config.write_text(DNSDIST.format(port=port, back=back.port))
    return site([program, "--supervised", "--disable-syslog", "-C", str(config)], port, directory, close=lambda: end(server))


def load(server, seconds):
    """Once it is stopped for a second."""
    together(lambda: dns_load(server, seconds), lambda: stopped(server.pid, seconds / 5))


ABOUT = "UDP and TCP queries, half-closes, byte by byte; stopped for a second"
CASES = [
    Case("BIND", named, load, ABOUT, version("bind9")),
    Case("Knot", knot, load, ABOUT, version("knot")),
    Case("PowerDNS Recursor", recursor, load, ABOUT, version("pdns-recursor")),
    Case("dnsdist", dnsdist, load, ABOUT + "; in front of unbound", version("dnsdist")),
]
