# SPDX-License-Identifier: Apache-2.0
"""The file system of the guests: busybox, epaudit, the demos and the servers with their libraries."""
import os
import pathlib
import re
import shutil
import subprocess
import threading

import lives

HERE = pathlib.Path(__file__).resolve().parent
SERVERS = ("redis-server", "redis-cli", "redis-benchmark", "nginx", "wrk", "setpriv")
DIRECTORIES = ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr/bin", "usr/sbin", "sbin", "run", "demo",
               "srv/www", "var/log/nginx", "var/lib/nginx")
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


class Missing(Exception):
    """Something the guest needs is not installed here."""


def program(name):
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not path:
        raise Missing(f"{name} is not installed (./dev setup installs it)")
    return path


def libraries(path):
    """The libraries and the interpreter of a program, as it finds them here."""
    done = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
    if "not found" in done.stdout:
        raise Missing(f"{path}: {done.stdout.strip()}")
    return re.findall(r"(?:=> )?(/\S+) \(0x", done.stdout)


class Tree:
    """A directory that becomes the initramfs."""

    def __init__(self, root):
        self.root, self.lock = pathlib.Path(root), threading.Lock()
        shutil.rmtree(self.root, ignore_errors=True)
        for name in DIRECTORIES:
            (self.root / name).mkdir(parents=True)
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name, text):
        (self.root / name).write_text(text, encoding="utf-8")

    def copy(self, source, target):
        """A file to `target` inside; missing directories are made."""
        destination = self.root / target.lstrip("/")
        if destination.exists():
            return
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.realpath(source), destination)

    def add_program(self, source, target, debug=False):
        """A program, mostly without its debug information, and what it is linked to."""
        self.copy(source, target)
        inside = self.root / target.lstrip("/")
        if not debug:
            subprocess.run(["strip", "--strip-debug", str(inside)], check=False, stderr=subprocess.DEVNULL)
        for library in libraries(source):
            self.copy(library, library)

    def add_busybox(self):
        busybox = program("busybox")
        if libraries(busybox):
            raise Missing("busybox is not static (Debian: busybox-static)")
        self.copy(busybox, "bin/busybox")
        for applet in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
            target = self.root / "bin" / applet
            if not target.exists():
                target.symlink_to("busybox")

    def pack_with(self, plan, path):
        """For guests that are to run these cases. Any thread may ask for one. Returns the path."""
        with self.lock:
            self.write("plan", "".join(case.plan() + "\n" for case in plan if case.kind not in ("none", "skip")))
            self.pack(path)
        return path

    def pack(self, path):
        """cpio, not compressed: the guest's CPU, which would unpack it, is emulated."""
        files = subprocess.run(["find", ".", "-print0"], cwd=self.root, capture_output=True, check=True).stdout
        with open(path, "wb") as out:
            done = subprocess.run([program("cpio"), "--null", "-o", "-H", "newc", "--quiet", "--owner=0:0"],
                                  cwd=self.root, input=files, stdout=out, check=False)
        if done.returncode:
            raise Missing("cannot pack the initramfs (disk full?)")


def compile_helper(source, target):
    subprocess.run([program("cc"), "-static", "-O1", "-Wall", "-Werror", "-o", str(target), str(source)], check=True)


def add_python(tree, script):
    """Debian's own interpreter, and of its library what this script imports, and names of hosts take."""
    python = "/usr/bin/python3"
    imports = "".join(line for line in script.read_text(encoding="utf-8").splitlines(True) if line.startswith("import "))
    tell = imports + "import encodings.idna\nfor m in list(sys.modules.values()): print(getattr(m, '__file__', None) or '')"
    done = subprocess.run([python, "-S", "-c", tell], capture_output=True, text=True, check=False) if os.path.exists(python) else None
    if not done or done.returncode:
        raise Missing(f"{python} is not here, or has not all of its library")
    tree.add_program(os.path.realpath(python), python)
    for file in filter(None, done.stdout.splitlines()):
        if file.endswith(".so"):
            tree.add_program(file, file)
        else:
            tree.copy(file, file)
    tree.copy(script, "srv/lines.py")


def build(binaries, demos, nginx_config, directory):
    """Builds the initramfs. `demos`: "rule/twin" names below binaries/demo_bugs. Returns it, and the servers
    that are not installed here."""
    tree = Tree(directory / "root")
    tree.add_busybox()
    tree.add_program(binaries / "epaudit", "bin/epaudit")
    tree.add_program(binaries / "tests/whose", "bin/whose")
    tree.add_program(binaries / "tests/noticed", "bin/noticed")
    tree.add_program(binaries / "tests/rings", "bin/rings")
    tree.add_program(binaries / "tests/readers", "bin/readers")
    for demo in demos:
        tree.add_program(binaries / "demo_bugs" / demo, f"demo/{demo}", debug=demo.endswith("/bug"))  # it names lines
    tree.add_program(binaries / "tests/stops", "bin/stops")
    tree.add_program(binaries / "tests/waiting", "bin/waiting")
    tree.add_program(binaries / "tests/unregistered", "bin/unregistered")
    tree.add_program(binaries / "tests/lives", "bin/lives")
    missing = []
    for name in SERVERS:
        try:
            path = program(name)
            tree.add_program(path, f"usr/bin/{name}")  # not over busybox's own (lesser) setpriv in /bin
        except Missing:
            missing.append(name)
    try:
        add_python(tree, HERE.parent / "live/lines/lines.py")
    except Missing:
        missing.append("python3")
    compile_helper(HERE / "programs.c", tree.root / "bin/programs")
    lives.build_narrow(tree.root / "bin/narrow-server", 3)
    tree.write("srv/nginx.conf", nginx_config)
    tree.write("srv/www/index.html", "x" * 2000)
    tree.write("srv/www/large", "y" * 300_000)
    shutil.copy(HERE / "init", tree.root / "init")
    os.chmod(tree.root / "init", 0o755)
    return tree, missing
