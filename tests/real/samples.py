# SPDX-License-Identifier: Apache-2.0
"""Builds the small servers of tests/real/samples, each when a case asks for it. What cannot be built because a
compiler or library is missing is a skip with that reason; a sample that does not compile is a failure."""
import os
import pathlib
import shutil
import subprocess
import threading

from paths import BUILD, ROOT
from harness import Skip, check

SOURCES = ROOT / "tests/real/samples"
OUT = BUILD / "real"
JARS = pathlib.Path("/usr/share/java")
REGISTRY = pathlib.Path("/usr/share/cargo/registry")  # where Debian's librust-*-dev put their sources
LOCK = threading.Lock()


def tool(name, package):
    """Debian's own, also where another version comes first in PATH."""
    path = shutil.which(name, path="/usr/bin:/usr/local/bin") or shutil.which(name)
    if not path:
        raise Skip(f"{name} is not installed (package {package})")
    return path


def have(path, package):
    if not pathlib.Path(path).exists():
        raise Skip(f"{path} is missing (package {package})")


def compile_once(target, sources, words, env=None):
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.stat().st_mtime < max(source.stat().st_mtime for source in sources):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, env=env)
        check(done.returncode == 0, f"{' '.join(map(str, words))}:\n{done.stdout}{done.stderr}")
    return str(target)


def c_sample(name, library, header, package):
    have(f"/usr/include/{header}", package)
    source = SOURCES / f"{name}.c"
    return [compile_once(OUT / name, [source], [tool("gcc", "gcc"), "-O2", "-Wall", "-Wextra", source, "-o", OUT / name,
                                                f"-l{library}"])]


def asio():
    have("/usr/include/asio.hpp", "libasio-dev")
    source = SOURCES / "asio.cpp"
    return [compile_once(OUT / "asio", [source], [tool("g++", "g++"), "-O2", "-std=c++20", "-DASIO_STANDALONE", source,
                                                  "-o", OUT / "asio", "-pthread"])]


def go():
    source = SOURCES / "server.go"
    env = dict(os.environ, GOFLAGS="-mod=mod", GOPROXY="off", GOCACHE=str(OUT / "go-cache"), GO111MODULE="off")
    return [compile_once(OUT / "go", [source], [tool("go", "golang-go"), "build", "-o", OUT / "go", source], env)]


def tokio():
    cargo = tool("cargo", "cargo")
    have(REGISTRY / "tokio-1.24.2", "librust-tokio-dev")
    sources = [SOURCES / "tokio/Cargo.toml", SOURCES / "tokio/src/main.rs"]
    home = OUT / "cargo"
    copy = OUT / "tokio-src"  # cargo writes its lock file beside the sources
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text(f'[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "{REGISTRY}"\n',
                                      encoding="utf-8")
    shutil.copytree(SOURCES / "tokio", copy, dirs_exist_ok=True)
    env = dict(os.environ, CARGO_HOME=str(home), RUSTC=tool("rustc", "rustc"))
    return [compile_once(OUT / "tokio/release/sample", sources,
                         [cargo, "build", "--release", "--offline", "--manifest-path", copy / "Cargo.toml",
                          "--target-dir", OUT / "tokio"], env)]


def java(name):
    source = SOURCES / f"{name}.java"
    jars = []
    if name == "NettyServer":
        jars = sorted(str(jar) for jar in JARS.glob("netty-*.jar"))
        if not jars:
            raise Skip("no Netty in /usr/share/java (package libnetty-java)")
    path = ":".join([str(OUT / "java"), *jars])
    compile_once(OUT / f"java/{name}.class", [source], [tool("javac", "openjdk-17-jdk-headless"), "-nowarn", "-d",
                                                        OUT / "java", "-cp", path, source])
    return [tool("java", "openjdk-17-jre-headless"), "-Xmx128m", "-cp", path, name]


def python(name, module, package):
    """A Python program that needs a module of Debian's."""
    program = tool("python3", "python3")
    if subprocess.run([program, "-c", f"import {module}"], capture_output=True).returncode:
        raise Skip(f"the Python module {module} is missing (package {package})")
    return [program, str(SOURCES / f"{name}.py")]


def gunicorn():
    """With one worker of gevent's: what serves is its child."""
    python("wsgi_app", "gevent", "python3-gevent")
    return [tool("gunicorn", "gunicorn"), "-k", "gevent", "-w", "1", "--pythonpath", str(SOURCES), "--log-level", "error",
            "wsgi_app", "-b"]


BUILDERS = {
    "libevent": lambda: c_sample("libevent", "event", "event2/http.h", "libevent-dev"),
    "libuv": lambda: c_sample("libuv", "uv", "uv.h", "libuv1-dev"),
    "asio": asio,
    "go": go,
    "tokio": tokio,
    "nio": lambda: java("NioServer"),
    "netty": lambda: java("NettyServer"),
    "node": lambda: [tool("node", "nodejs"), str(SOURCES / "server.js")],
    "cluster": lambda: [tool("node", "nodejs"), str(SOURCES / "cluster.js")],
    "asyncio": lambda: [tool("python3", "python3"), str(SOURCES / "asyncio_server.py")],
    "uvloop": lambda: python("uvloop_server", "uvloop", "python3-uvloop"),
    "tornado": lambda: python("tornado_server", "tornado", "python3-tornado"),
    "trio": lambda: python("trio_server", "trio", "python3-trio"),
    "twisted": lambda: python("twisted_server", "twisted", "python3-twisted"),
    "gevent": gunicorn,
}


def command(name):
    """The words that start the sample, without its port."""
    with LOCK:
        return BUILDERS[name]()
