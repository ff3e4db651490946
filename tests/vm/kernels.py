# SPDX-License-Identifier: Apache-2.0
"""Debian's cloud and PREEMPT_RT kernels, from the machine's own apt mirror, kept outside the tree.

Only suite and package names are written down here. Where they come from is derived from the machine's apt
sources, with an apt configuration of its own: nothing of the machine's apt state is read or changed but its
sources, its keys and its way to the network (proxies).
"""
import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
import time

CLOUD, RT = "cloud-amd64", "rt-amd64"
APT_SECONDS = 300


@dataclasses.dataclass(frozen=True)
class Kernel:
    """What to look for. `line` is the beginning of the version; empty: whatever is newest."""
    name: str
    line: str
    suites: tuple
    flavour: str = CLOUD


# Guests start from the last of these, which takes longest.
KERNELS = (
    Kernel("5.10-rt", "5.10.", ("bullseye", "bullseye-security"), RT),
    Kernel("6.1-rt", "6.1.", ("bookworm", "bookworm-security"), RT),
    Kernel("6.12-rt", "6.12.", ("trixie", "trixie-security"), RT),
    Kernel("5.10", "5.10.", ("bullseye", "bullseye-security")),
    Kernel("6.1", "6.1.", ("bookworm", "bookworm-security")),
    Kernel("6.12", "6.12.", ("trixie", "trixie-security")),
    Kernel("newest", "", ("sid",)),
)


@dataclasses.dataclass(frozen=True)
class Image:
    """A kernel to boot. `label` is its major.minor, with -rt behind it where it is one, `release` what uname -r will say."""
    label: str
    release: str
    path: pathlib.Path

    @property
    def realtime(self):
        return self.label.endswith("-rt")


class Unavailable(Exception):
    """This kernel cannot be had here; the text says why."""


class NoSource(Unavailable):
    """This machine has nowhere to get Debian packages from."""


@dataclasses.dataclass(frozen=True)
class Source:
    uri: str
    suite: str
    components: tuple
    signed_by: tuple


def cache_directory():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base, "epaudit", "kernels")


# --- the machine's sources ---


def one_line_sources(text):
    """deb [signed-by=/path arch=amd64] URI SUITE COMPONENT..."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s*)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if match:
            options = dict(word.split("=", 1) for word in (match[1] or "").split() if "=" in word)
            keys = tuple(k for k in options.get("signed-by", "").split(",") if k.startswith("/"))
            yield Source(match[2], match[3], tuple(match[4].split()), keys)


def deb822_sources(text):
    """Stanzas of `Field: value`, continued on indented lines."""
    for stanza in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        fields = {name.lower(): value for name, value in re.findall(r"(?m)^([\w-]+):((?:.*)(?:\n[ \t].*)*)", stanza)}
        words = {name: value.split() for name, value in fields.items()}
        if "deb" not in words.get("types", []) or words.get("enabled", ["yes"])[0].lower() in ("no", "false"):
            continue
        keys = tuple(k for k in words.get("signed-by", []) if k.startswith("/"))
        for uri in words.get("uris", []):
            for suite in words.get("suites", []):
                yield Source(uri, suite, tuple(words.get("components", [])), keys)


def machine_sources():
    shell = subprocess.run(["apt-config", "shell", "list", "Dir::Etc::sourcelist/f", "parts", "Dir::Etc::sourceparts/d"],
                           capture_output=True, text=True, check=True).stdout
    paths = dict(word.split("=", 1) for word in shlex.split(shell))
    files = [pathlib.Path(paths.get("list", "/etc/apt/sources.list"))]
    files += sorted(pathlib.Path(paths.get("parts", "/etc/apt/sources.list.d")).glob("*"))
    found = []
    for file in files:
        if file.suffix not in (".list", ".sources") or not file.is_file():
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        found += deb822_sources(text) if file.suffix == ".sources" else one_line_sources(text)
    return [source for source in found if "main" in source.components]


def path_of(uri):
    return re.sub(r"^[\w+.-]+:(//[^/]*)?", "", uri).strip("/")


def archives(sources, suite):
    """URIs that may hold the suite: those that hold a suite of the same sort on this machine; for security
    updates also what stands beside the main archive under the same root."""
    security = suite.endswith("-security")
    debian = [s for s in sources if re.search(r"(^|/)debian\b", path_of(s.uri)) or "debian" in "".join(s.signed_by)]
    uris = [s.uri for s in debian if s.suite.rstrip("/").endswith(("-security", "/updates")) == security]
    if security:
        uris += [re.sub(r"/debian/?$", "/debian-security", s.uri) for s in debian if re.search(r"/debian/?$", s.uri)]
    return list(dict.fromkeys(uris))


# --- a private apt ---


class Apt:
    """apt with its own state, cache and sources, the machine's keys, and the machine's proxies."""

    def __init__(self, directory, sources):
        self.directory = pathlib.Path(directory)
        for name in ("lists/partial", "archives/partial", "keys", "empty"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (self.directory / "status").touch()
        self.sources = self.directory / "sources.list"
        self.collect_keys(sources)
        here = self.directory
        settings = {
            "Dir::Etc::sourcelist": self.sources, "Dir::Etc::sourceparts": here / "empty",
            "Dir::Etc::main": here / "none", "Dir::Etc::parts": here / "empty",
            "Dir::Etc::preferences": here / "none", "Dir::Etc::preferencesparts": here / "empty",
            "Dir::Etc::trustedparts": here / "keys",
            "Dir::State": here, "Dir::State::lists": here / "lists", "Dir::State::status": here / "status",
            "Dir::Cache": here, "Dir::Cache::archives": here / "archives",
            "APT::Architecture": "amd64", "APT::Architectures::": "amd64",
            "APT::Sandbox::User": "root",  # the cache is in a home directory
            "Acquire::Languages": "none", "Acquire::Retries": "2",
        }
        lines = [f'{name} "{value}";' for name, value in settings.items()]
        dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
        kept = r'Acquire::(https?|ftp)::|Acquire::Check-|Acquire::ForceIPv|Acquire::AllowInsecure|Dir::Etc::netrc'
        lines += [line for line in dump.splitlines() if re.match(kept, line)]
        self.config = here / "apt.conf"
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def collect_keys(self, sources):
        keys = {pathlib.Path(key) for source in sources for key in source.signed_by}
        keys |= set(pathlib.Path("/usr/share/keyrings").glob("debian-archive*"))
        keys |= set(pathlib.Path("/etc/apt/trusted.gpg.d").glob("*"))
        for key in keys:
            target = self.directory / "keys" / key.name
            if key.suffix in (".gpg", ".asc") and key.is_file() and not target.exists():
                target.symlink_to(key)

    def run(self, tool, *words, cwd=None):
        environment = dict(os.environ, APT_CONFIG=str(self.config), LC_ALL="C.UTF-8")
        done = subprocess.run([tool, *words], cwd=cwd, env=environment, capture_output=True, text=True,
                              timeout=APT_SECONDS, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))]
            raise Unavailable(f"{tool} {words[0]}: {(said or done.stderr.splitlines() or ['failed'])[0]}")
        return done.stdout

    def use(self, uri, suite):
        """Reads the package lists of the suite; refuses what is not signed or not there."""
        self.sources.write_text(f"deb [arch=amd64] {uri} {suite} main\n", encoding="utf-8")
        self.run("apt-get", "--error-on=any", "update")


def version_key(text):
    return [int(word) if word.isdigit() else word for word in re.findall(r"\d+|[a-z]+", text)]


def newest_package(names, line, flavour):
    """The package that holds vmlinuz, and its kernel's release: linux-image-RELEASE, or, since images became
    meta packages, linux-binary-RELEASE."""
    pattern = re.compile(rf"linux-(image|binary)-({re.escape(line)}\d\S*-{flavour})" if line
                         else rf"linux-(image|binary)-(\d+\.\d+\.\S*-{flavour})")
    found = [(version_key(m[2]), m[1] == "image", m[0], m[2]) for m in map(pattern.fullmatch, names) if m]
    if not found:
        return None
    newest = max(f[0] for f in found)
    _, _, package, release = min((f for f in found if f[0] == newest), key=lambda f: f[1])
    return package, release


def unpack_vmlinuz(package, target):
    """Copies the one file that is needed out of a Debian package."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as unpack:
        with tarfile.open(fileobj=unpack.stdout, mode="r|") as archive:
            for member in archive:
                if member.isfile() and re.search(r"(^|/)(boot/vmlinuz-|modules/[^/]+/vmlinuz$)", member.name):
                    with open(target, "wb") as out:
                        shutil.copyfileobj(archive.extractfile(member), out)
                    unpack.kill()
                    return
    raise Unavailable(f"{os.path.basename(package)} holds no vmlinuz")


def fetch(kernel, say):
    """Downloads the newest kernel of that line from whichever of its suites can be had."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise NoSource("this machine has no apt")
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    sources = machine_sources()
    found, reasons = [], []
    if not any(archives(sources, suite) for suite in kernel.suites):
        raise NoSource("no Debian archive in this machine's apt sources")
    with tempfile.TemporaryDirectory(prefix=f"apt-{kernel.name}-", dir=cache) as scratch:
        for suite in kernel.suites:
            uris = archives(sources, suite)
            if not uris:
                reasons.append(f"{suite}: no Debian archive of that sort in this machine's apt sources")
            for number, uri in enumerate(uris):
                try:
                    apt = Apt(os.path.join(scratch, f"{suite}-{number}"), sources)
                    apt.use(uri, suite)
                    names = apt.run("apt-cache", "pkgnames", "linux-").split()
                except (Unavailable, subprocess.TimeoutExpired) as error:
                    reasons.append(f"{suite}: {error}")
                    continue
                newest = newest_package(names, kernel.line, kernel.flavour)
                if newest:
                    found.append((version_key(newest[1]), apt, *newest))
                else:
                    reasons.append(f"{suite}: no package linux-image-{kernel.line}*-{kernel.flavour}")
                break
        for _, apt, package, release in sorted(found, key=lambda each: each[0], reverse=True):
            say(f"vm: fetching {package}")
            try:
                apt.run("apt-get", "download", package, cwd=scratch)
                break
            except Unavailable as error:  # a list may name what its mirror does not hold any more, or not yet
                reasons.append(str(error))
        else:
            raise Unavailable("; ".join(reasons))
        directory = cache / release
        directory.mkdir(exist_ok=True)
        partial = directory / "vmlinuz.partial"
        unpack_vmlinuz(str(next(pathlib.Path(scratch).glob("*.deb"))), partial)
        partial.replace(directory / "vmlinuz")
    (cache / f"{kernel.name}.json").write_text(
        json.dumps({"release": release, "package": package, "fetched": int(time.time())}) + "\n", encoding="utf-8")
    return release


def cached_release(kernel):
    note = cache_directory() / f"{kernel.name}.json"
    try:
        release = json.loads(note.read_text(encoding="utf-8"))["release"]
    except (OSError, ValueError, KeyError):
        return None
    return release if (cache_directory() / release / "vmlinuz").is_file() else None


def image(kernel, refresh, say):
    """The kernel's image, from the cache or from the mirror. A mirror out of reach does not cost a cached one."""
    release = cached_release(kernel)
    if refresh or not release:
        try:
            release = fetch(kernel, say)
        except (Unavailable, OSError, subprocess.SubprocessError) as error:
            if not release:
                raise error if isinstance(error, Unavailable) else Unavailable(str(error)) from error
            say(f"vm: {kernel.name}: keeping {release}: {error}")
    return Image(".".join(release.split(".")[:2]) + "-rt" * (kernel.flavour == RT), release, cache_directory() / release / "vmlinuz")
