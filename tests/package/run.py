#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a release is made of: packages, image, bill of materials, man pages, completions, GitHub Action.

usage: run.py [NAME...]    (./dev package must have been run; as root, or what needs it is skipped)
"""
import contextlib
import functools
import gzip
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings

import shells

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("EPAUDIT_BUILD", ROOT / "build")).resolve()
PACKAGES = BUILD / "package"
EPAUDIT = BUILD / "epaudit"
MEBIBYTE = 1 << 20
sys.path.insert(0, str(ROOT / "scripts"))
import pages  # noqa: E402


class Skip(Exception):
    """A tool or a right is not here; the text says which."""


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def output(*command, code=0, **options):
    """Both streams, after the command has ended with this code."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, timeout=300, **options)
    check(done.returncode == code, f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


def need(tool, package=None):
    if not shutil.which(tool):
        raise Skip(f"{tool} is not installed" + (f" (package {package})" if package else ""))


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


def one(pattern):
    found = sorted(PACKAGES.glob(pattern))
    check(len(found) == 1, f"{pattern}: {[path.name for path in found]}")
    return found[0]


def deb():
    return one("epaudit_*.deb")


@contextlib.contextmanager
def scratch():
    """A folder that a throw-away root sees too."""
    (BUILD / "scratch").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD / "scratch") as directory:
        yield pathlib.Path(directory)


@functools.cache
def table():
    return pages.table_of(EPAUDIT)


# Files of the release.

def sums_hold():
    lines = (PACKAGES / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    there = {path.name for path in PACKAGES.iterdir()} - {"SHA256SUMS"}
    check(set(listed) == there, f"listed {sorted(listed)}, there {sorted(there)}")
    for name, digest in listed.items():
        check(hashlib.sha256((PACKAGES / name).read_bytes()).hexdigest() == digest, f"{name} is another")
    check(len(there) == 5, f"package, debug package, tarball, image and bill of materials, not {sorted(there)}")


def packed_again_is_the_same():
    """In a folder of another name, at another time."""
    with scratch() as directory:
        script = f"cd {ROOT}; say() {{ :; }}; die() {{ echo \"$@\" >&2; exit 2; }}; . scripts/package.sh; make_packages '{BUILD}' '{directory}/again'"
        output("bash", "-euo", "pipefail", "-c", script)
        again, before = ((folder / "SHA256SUMS").read_text() for folder in (directory / "again", PACKAGES))
        check(again == before, f"now:\n{again}before:\n{before}")


def object_of(source):
    """Where it ends up: files of a folder are compiled several at once (cmake/together.cmake)."""
    for one in json.loads((BUILD / "compile_commands.json").read_text(encoding="utf-8")):
        file = pathlib.Path(one["file"])
        if source in (file.read_text(encoding="utf-8") if file.parent.name == "Unity" else one["file"]):
            return re.search(r" -o (\S+)", one["command"])[1]
    raise AssertionError(f"{source} is not compiled")


def compiled_elsewhere_is_the_same():
    """Objects that hold what could differ: the probes, the version, templates, the command line. All of the release is
    compared by ./dev package --twice."""
    cache = (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")
    if "RelWithDebInfo" not in cache:
        raise Skip("the build is not that of a release")
    together = re.search("EPAUDIT_TOGETHER:STRING=(.*)", cache)[1]
    objects = ["bpf/epaudit.bpf.o", *map(object_of, ("src/report/junit.cpp", "src/cli/completion.cpp", "src/capture/live_hooks.cpp"))]
    commit = re.search(r"\((.*)\)", output(EPAUDIT, "--version"))[1]
    with tempfile.TemporaryDirectory() as directory:
        copy = pathlib.Path(directory) / "a-folder-of-another-length"
        copy.mkdir()
        files = output("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
        subprocess.run(["rsync", "-a", "--files-from=-", f"{ROOT}/", copy] if shutil.which("rsync") else
                       ["cpio", "--quiet", "-pdm", copy], input="\n".join(files), text=True, check=True, cwd=ROOT)
        environment = os.environ | {"CCACHE_DISABLE": "1"}
        output("cmake", "-G", "Ninja", "-S", copy, "-B", copy / "out", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
               "-DEPAUDIT_TESTS=OFF", "-Wno-dev", f"-DEPAUDIT_COMMIT={commit}", f"-DEPAUDIT_TOGETHER={together}", env=environment)
        output("ninja", "-C", copy / "out", *objects, env=environment)
        for name in objects:
            check((copy / "out" / name).read_bytes() == (BUILD / name).read_bytes(), f"{name} differs")


def no_path_of_this_machine():
    with scratch() as directory:
        output("dpkg-deb", "-x", deb(), directory)
        for path in (directory / "usr/bin/epaudit", BUILD / "epaudit-static"):
            check(str(ROOT).encode() not in path.read_bytes(), f"{path.name} names {ROOT}")


LINTIAN_CANNOT_KNOW = [
    "spelling-error-in-binary",  # of texts that the compiler cut: "(mo)ment ago"
    "cannot-check-whether-usr-share-doc-symlink-points-to-foreign-package",  # it leads to the package beside it
]


def lintian_is_silent():
    need("lintian")
    for package in sorted(PACKAGES.glob("*.deb")):
        said = output("lintian", "--fail-on", "error,warning", "--display-info", "--pedantic", "--allow-root", "--suppress-tags",
                      ",".join(LINTIAN_CANNOT_KNOW), package)
        check(not said.strip(), said)


def the_package_is_small_and_whole():
    with scratch() as directory:
        output("dpkg-deb", "-x", deb(), directory)
        binary = directory / "usr/bin/epaudit"
        check(binary.stat().st_size < 8 * MEBIBYTE, f"{binary.stat().st_size} bytes")
        sections = output("readelf", "-S", "-W", binary)
        check(".debug_info" not in sections and ".symtab" not in sections, "not stripped")
        files = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
        wanted = {f"usr/share/man/man1/epaudit-{command['name']}.1.gz" for command in table()["commands"]}
        wanted |= {"usr/share/man/man1/epaudit.1.gz", "usr/share/man/man5/epaudit.toml.5.gz", "usr/share/man/man7/epaudit-rules.7.gz",
                   "usr/share/bash-completion/completions/epaudit", "usr/share/zsh/vendor-completions/_epaudit",
                   "usr/share/fish/vendor_completions.d/epaudit.fish", "usr/share/doc/epaudit/copyright",
                   "usr/share/doc/epaudit/changelog.gz", "usr/share/doc/epaudit/README.md",
                   "usr/share/doc/epaudit/examples/epaudit.toml"}
        wanted |= {f"usr/share/doc/epaudit/rules/{rule['id']}-{rule['name']}.md" for rule in table()["rules"]}
        check(wanted <= files, f"missing: {sorted(wanted - files)}")
        sample = (directory / "usr/share/doc/epaudit/examples/epaudit.toml").read_text(encoding="utf-8")
        (directory / "epaudit.toml").write_text(re.sub(r"^#(?=[a-z\[])", "", sample, flags=re.MULTILINE), encoding="utf-8")
        output(binary, "config", "--config", directory / "epaudit.toml")
        debug = output("dpkg-deb", "-c", one("epaudit-dbgsym_*.deb"))
        identity = re.search(r"Build ID: (\w\w)(\w+)", output("readelf", "-n", binary))
        check(f"/usr/lib/debug/.build-id/{identity[1]}/{identity[2]}.debug" in debug, "the debug package is of another build")


def old_package(directory):
    """An earlier version, with a file that the new one has not."""
    output("dpkg-deb", "--raw-extract", deb(), directory / "old")
    control = directory / "old/DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*", "Version: 0.0.1-1", control.read_text(), flags=re.MULTILINE))
    (directory / "old/usr/share/doc/epaudit/only-in-old").write_text("old\n")
    output("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", directory / "old", directory / "old.deb")
    return directory / "old.deb"


def installs_upgrades_and_purges():
    need_root()
    with scratch() as directory:
        old = old_package(directory)
        new = shutil.copy(deb(), directory)
        done = subprocess.run([ROOT / "tests/package/roots.sh", ROOT / "tests/package/life.sh", old, new], capture_output=True,
                              text=True, check=False, timeout=200, env=os.environ | {"EPAUDIT_SHARED": str(BUILD)})
        if done.returncode == 77:
            raise Skip("no overlay can be mounted here: " + done.stderr.strip()[-200:])
        check(done.returncode == 0 and done.stdout.strip().endswith("good"), (done.stdout + done.stderr)[-3000:])


def closure(package_field):
    """What must be installed with it, by dpkg's own records: the first alternative of each."""
    found, waiting = set(), [package_field]
    while waiting:
        for alternative in filter(None, (part.strip() for part in waiting.pop().split(","))):
            name = re.match(r"[a-z0-9.+-]+", alternative)[0]
            if name in found:
                continue
            found.add(name)
            waiting.append(output("dpkg-query", "-W", "-f", "${Depends},${Pre-Depends}", name))
    return found


def runs_with_what_it_depends_on():
    """In a root that holds the package and its dependencies, and nothing else."""
    need_root()
    with scratch() as directory:
        for name in ("bin", "lib", "lib64", "sbin"):
            (directory / "usr" / name).mkdir(parents=True)
            (directory / name).symlink_to("usr/" + name)
        names = closure(output("dpkg-deb", "-f", deb(), "Depends"))
        check(names >= {"libc6", "libbpf1", "libdw1"} and len(names) < 40, f"depends on {sorted(names)}")
        for name in names:
            for path in output("dpkg", "-L", name).splitlines():
                if re.match(r"/(usr/)?lib.*\.so(\.[0-9.]+)?$", path) and not os.path.isdir(path):
                    target = directory / os.path.realpath(os.path.dirname(path))[1:] / os.path.basename(path)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, target, follow_symlinks=False)
        output("dpkg-deb", "-x", deb(), directory / "unpacked")
        shutil.copytree(directory / "unpacked/usr", directory / "usr", dirs_exist_ok=True)
        shutil.copy(ROOT / "tests/corpus/busy-epollout-bug.log.zst", directory / "log.zst")
        said = output("chroot", directory, "/usr/bin/epaudit", "--version")
        check(said == output(EPAUDIT, "--version"), said)
        check("EP201" in output("chroot", directory, "/usr/bin/epaudit", "strace", "/log.zst", code=1), "no finding")


def the_tarball_needs_no_library():
    with scratch() as directory:
        output("tar", "-xzf", one("*-linux-*.tar.gz"), "-C", directory)
        (top,) = directory.iterdir()
        binary = top / "bin/epaudit"
        check("statically linked" in output("ldd", binary, code=1) or "not a dynamic" in output("ldd", binary, code=1), "not static")
        check(output(binary, "--version") == output(EPAUDIT, "--version"), "another version")
        check({"LICENSE", "LICENSE.GPL-2.0", "README.md", "completions", "share", "epaudit.toml"} <=
              {path.name for path in top.iterdir()}, f"{list(top.iterdir())}")


# The image.

def image_layout(directory):
    output("tar", "-xf", one("*-oci-*.tar"), "-C", directory)
    return directory


def blob(layout, descriptor):
    path = layout / "blobs" / descriptor["digest"].replace(":", "/")
    data = path.read_bytes()
    check(len(data) == descriptor["size"] and hashlib.sha256(data).hexdigest() == path.name, f"{path.name} is damaged")
    return data


def the_image_is_well_formed():
    with scratch() as directory:
        layout = image_layout(directory)
        check(json.loads((layout / "oci-layout").read_text())["imageLayoutVersion"] == "1.0.0", "oci-layout")
        (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
        name = entry["annotations"]["org.opencontainers.image.ref.name"]
        check(name == "epaudit:" + output(EPAUDIT, "--version").split()[1], f"its name is {name}")
        manifest = json.loads(blob(layout, entry))
        config = json.loads(blob(layout, manifest["config"]))
        check(config["config"]["Entrypoint"] == ["/usr/bin/epaudit"] and config["os"] == "linux", f"{config}")
        check([hashlib.sha256(gzip.decompress(blob(layout, layer))).hexdigest() for layer in manifest["layers"]] ==
              [diff.partition(":")[2] for diff in config["rootfs"]["diff_ids"]], "diff_ids")
        blobs = {path.name for path in (layout / "blobs/sha256").iterdir()}
        check(blobs == {one_of["digest"].partition(":")[2] for one_of in (entry, manifest["config"], *manifest["layers"])},
              "blobs that nothing refers to")


def the_image_runs():
    """By the first runtime that can start it; crun wants one kind of control groups, and not every machine has that."""
    need_root()
    need("umoci")
    runtimes = [command for command in (["crun", "--cgroup-manager=disabled"], ["runc"]) if shutil.which(command[0])]
    if not runtimes:
        raise Skip("neither crun nor runc is installed")
    with scratch() as directory:
        (directory / "layout").mkdir()
        layout = image_layout(directory / "layout")
        (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
        tag = entry["annotations"]["org.opencontainers.image.ref.name"]
        output("umoci", "unpack", "--image", f"{layout}:{tag}", directory / "bundle")
        shutil.copy(ROOT / "tests/corpus/busy-epollout-bug.log.zst", directory / "bundle/rootfs/tmp/log.zst")
        refused = []
        for runtime in runtimes:
            done = in_container(runtime, directory / "bundle", "--version")
            if done.returncode:
                refused.append(f"{runtime[0]}: {done.stderr.strip()[-200:]}")
                continue
            check(done.stdout == output(EPAUDIT, "--version"), done.stdout + done.stderr)
            done = in_container(runtime, directory / "bundle", "strace", "/tmp/log.zst")
            check(done.returncode == 1 and "EP201" in done.stdout, done.stdout + done.stderr)
            return
        raise Skip("no container can be started here: " + "; ".join(refused))


def in_container(runtime, bundle, *arguments):
    """The image's entry point with these arguments."""
    config = json.loads((bundle / "config.json").read_text())
    config["process"]["terminal"] = False
    config["process"]["args"] = config["process"]["args"][:1] + list(arguments)
    config["linux"]["namespaces"] = [one_of for one_of in config["linux"]["namespaces"] if one_of["type"] != "cgroup"]
    config["mounts"] = [one_of for one_of in config["mounts"] if one_of["type"] != "cgroup"]
    (bundle / "config.json").write_text(json.dumps(config))
    return subprocess.run([*runtime, "run", "--bundle", bundle, f"epaudit-test-{os.getpid()}-{len(arguments)}"], capture_output=True,
                          text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)


# The bill of materials.

def the_bill_of_materials_is_true():
    bom = json.loads(one("*.cdx.json").read_text(encoding="utf-8"))
    check((bom["bomFormat"], bom["specVersion"], bom["version"]) == ("CycloneDX", "1.4", 1), "head")
    check(re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", bom["serialNumber"]), "serialNumber")
    uses = {}
    for part in bom["components"]:
        check(part["purl"].startswith(f"pkg:deb/debian/{part['name']}@"), part["purl"])
        check(output("dpkg-query", "-W", "-f", "${Version}\n", part["name"]).splitlines()[0] == part["version"], f"version of {part['name']}")
        uses[part["name"]] = {p["value"] for p in part["properties"] if p["name"] == "epaudit:use"}
    references = [part["bom-ref"] for part in bom["components"]]
    check(len(set(references)) == len(references) and bom["dependencies"][0]["dependsOn"] == references, "dependencies")
    # Known from elsewhere: the package's dependencies, the archives of the static binary, libraries that are headers only.
    depends = {re.match(r"[a-z0-9.+-]+", part.strip())[0] for part in output("dpkg-deb", "-f", deb(), "Depends").split(",")}
    check(depends == {name for name, how in uses.items() if "shared" in how}, f"shared, not {sorted(depends)}: {uses}")
    static = {name for name, how in uses.items() if "static" in how}
    check(static >= {"libbpf-dev", "libdw-dev", "libelf-dev", "zlib1g-dev", "libzstd-dev", "libc6-dev"}, f"static: {sorted(static)}")
    header = {name for name, how in uses.items() if "headers" in how}
    check(header >= {"libcli11-dev", "nlohmann-json3-dev", "libtomlplusplus-dev", "libfmt-dev"}, f"headers: {sorted(header)}")


def the_bill_of_materials_fits_the_schema():
    """That of CycloneDX, as their own library for JavaScript brings it."""
    try:
        import jsonschema
    except ImportError:
        raise Skip("python3-jsonschema is not installed") from None
    folder = of_npm("@cyclonedx/cyclonedx-library@10.3.0") / "@cyclonedx/cyclonedx-library/res/schema"
    schemas = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
    schema = schemas["bom-1.4.SNAPSHOT.schema.json"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        resolver = jsonschema.RefResolver(schema["$id"], schema, store={"http://cyclonedx.org/schema/" + name: one_of for name, one_of in schemas.items()})
        checker = jsonschema.Draft7Validator(schema, resolver=resolver)
    bom = json.loads(one("*.cdx.json").read_text(encoding="utf-8"))
    check(not checker.is_valid(bom | {"components": [{"name": "no type"}]}), "the schema accepts anything")
    check(not (errors := [error.message[:200] for error in checker.iter_errors(bom)]), f"{errors}")


# Man pages and completions.

def man_pages():
    return sorted((BUILD / "man").glob("man?/*.gz"))


def man_pages_pass_mandoc():
    need("mandoc")
    check(len(man_pages()) == len(table()["commands"]) + 3, f"{man_pages()}")
    with scratch() as directory:
        (directory / "bad.1").write_text(".TH bad\n.SH\n")
        output("mandoc", "-T", "lint", directory / "bad.1", code=2)
        for page in man_pages():
            plain = directory / page.stem
            plain.write_bytes(gzip.decompress(page.read_bytes()))
            check(not output("mandoc", "-T", "lint", plain), f"{page.name}")


def options_in_help(command):
    """What the program itself shows, not the table that the pages are made from."""
    return set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", output(EPAUDIT, *command, "--help"), re.MULTILINE))


def options_in_page(name):
    page = BUILD / f"man/man1/{name}.1.gz"
    text = output("man", "-l", page, env=os.environ | {"MANWIDTH": "200", "LC_ALL": "C", "MAN_KEEP_FORMATTING": ""})
    text = text.partition("\nOPTIONS\n")[2]
    return set(re.findall(r"^ {7}(?:-\w, )?(--[a-z-]+)", text, re.MULTILINE))


def man_pages_have_the_options():
    need("man", "man-db")
    commands = output(EPAUDIT, "--help").partition("\nCommands:\n")[2].partition("\n\n")[0]
    listed = set(re.findall(r"^  ([a-z]+) {2,}", commands, re.MULTILINE))
    check(listed == {command["name"] for command in table()["commands"]}, f"commands in --help: {sorted(listed)}")
    for name in sorted(listed):
        shown, written = options_in_help([name]), options_in_page(f"epaudit-{name}")
        check(shown, f"{name} --help shows no options")
        check(shown == written, f"{name}: only in --help {sorted(shown - written)}, only in the page {sorted(written - shown)}")
    check(options_in_help([]) == options_in_page("epaudit"), "epaudit(1)")


def man_pages_speak_of_what_there_is():
    """Prose of commands that went, options and rules that nobody has."""
    names = {command["name"] for command in table()["commands"]} | {"epaudit", "epaudit-rules", "epaudit.toml"}
    prose = {path.stem for path in (ROOT / "docs/man").glob("*.scd")}
    check(prose <= names, f"docs/man has pages of nothing: {sorted(prose - names)}")
    known = {name for command in [table()["program"], *table()["commands"]] for option in command["options"] for name in option["names"]}
    for path in (ROOT / "docs/man").glob("*.scd"):
        text = path.read_text(encoding="utf-8")
        used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"^strace .*|-- .*$", "", text, flags=re.MULTILINE)))
        check(used <= known, f"{path.name}: {sorted(used - known)}")


def example_configuration():
    """The one in epaudit.toml(5) is accepted, and names every key there is."""
    text = (ROOT / "docs/man/epaudit.toml.scd").read_text(encoding="utf-8")
    with scratch() as directory:
        (directory / "epaudit.toml").write_text(re.search(r"```\n(.*?)```", text, re.DOTALL)[1], encoding="utf-8")
        output(EPAUDIT, "config", "--config", directory / "epaudit.toml")


# What is typed, what must be offered, and what must not.
COMPLETIONS = [
    ("epaudit ", {"run", "attach", "inspect", "completion"}, {"EP201"}),
    ("epaudit ins", {"inspect"}, {"run"}),
    ("epaudit run --fail", {"--fail-on"}, {"--format"}),
    ("epaudit run --fail-on ", {"confirmed", "likely", "risk", "never"}, {"some.log"}),
    ("epaudit run --fail-on=con", {"--fail-on=confirmed"}, {"--fail-on=likely"}),
    ("epaudit run --format s", {"sarif", "suppressions"}, {"json"}),
    ("epaudit run --format json=so", {"json=some.log"}, set()),
    ("epaudit strace so", {"some.log"}, set()),
    ("epaudit strace --select EP201,EP20", {"EP201,EP202", "EP201,EP206"}, {"EP201,EP301"}),
    ("epaudit explain busy", {"busy-epollout"}, {"eof-spin"}),
    ("epaudit replay --set busy-epollout.re", {"busy-epollout.returns="}, set()),
    ("epaudit replay --config so", {"some.log"}, set()),
    ("epaudit run pgr", {"pgrep"}, set()),
    ("epaudit run -- pgr", {"pgrep"}, set()),
    ("epaudit run --quiet -- cat so", {"some.log"}, set()),
    ("epaudit run --user root cat so", {"some.log"}, set()),
    ("epaudit completion ", {"bash", "zsh", "fish"}, {"some.log"}),
    ("epaudit doctor --format ", {"text", "json"}, {"sarif"}),
]


def completes(make, name):
    with scratch() as directory:
        (directory / "home").mkdir()
        (directory / "home/some.log").touch()
        try:
            shell = make(BUILD / "completions" / name, directory / "home")
        except shells.NoShell as reason:
            raise Skip(str(reason)) from None
        try:
            for line, wanted, unwanted in COMPLETIONS:
                offered = {word.removesuffix(",") for word in shell.complete(line)}
                offered |= {word.removesuffix("=") for word in offered}
                check(wanted <= offered, f"{line!r}: {sorted(wanted - offered)} not in {sorted(offered)[:40]}")
                check(not unwanted & offered, f"{line!r}: {sorted(unwanted & offered)} offered")
            for command in table()["commands"]:  # every option, by itself
                names = {option["names"][-1] for option in command["options"] if not option["positional"]}
                offered = {word.removesuffix("=") for word in shell.complete(f"epaudit {command['name']} --")}
                check(names <= offered, f"{command['name']}: {sorted(names - offered)} not offered")
        finally:
            shell.close()


def completions_in_bash():
    completes(shells.bash, "epaudit")


def completions_in_zsh():
    completes(shells.zsh, "_epaudit")


def completions_in_fish():
    completes(shells.Fish, "epaudit.fish")


# Pages of rules.

def rule_pages_are_fresh():
    made = pages.pages("rules", table())
    there = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs/rules").glob("*.md")}
    stale = sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
    check(not stale, f"stale, renew them with ./dev docs: {stale}")


# The GitHub Action, and the recipes of docs/ci.md.

@contextlib.contextmanager
def release_server():
    """Serves the packages as GitHub does a release."""
    with scratch() as directory:
        version = output(EPAUDIT, "--version").split()[1]
        (directory / f"v{version}").symlink_to(PACKAGES)
        handler = functools.partial(QuietHandler, directory=directory)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}", version
            server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


def of_npm(*packages):
    """The folder of node_modules, in which these are."""
    need("npm")
    place = BUILD / "npm"
    if not all((place / "node_modules" / package.rpartition("@")[0]).exists() for package in packages):
        place.mkdir(exist_ok=True)
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", place, *packages], capture_output=True,
                              text=True, check=False, timeout=120)
        if done.returncode:
            raise Skip(f"npm could not install {' '.join(packages)}: {done.stderr.strip()[-200:]}")
    return place / "node_modules"


def yaml():
    try:
        import yaml as module
    except ImportError:
        raise Skip("python3-yaml is not installed") from None
    return module


def recipe(language):
    """The first indented block of docs/ci.md below the heading of this CI service."""
    text = (ROOT / "docs/ci.md").read_text(encoding="utf-8").partition(f"## {language}\n")[2]
    block = re.match(r"\n((?:    .*\n|\n)+)", text)[1]
    return re.sub(r"^    ", "", block, flags=re.MULTILINE)


def the_action_is_valid():
    program = of_npm("@action-validator/core@0.6.0", "@action-validator/cli@0.6.0") / ".bin/action-validator"
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    with scratch() as directory:
        for name, content, code in (("action.yml", text, 0), ("action.yml", text.replace("using: composite", "using: nothing"), 1)):
            (directory / name).write_text(content)
            output(program, directory / name, code=code)
        (directory / ".github/workflows").mkdir(parents=True)
        (directory / ".github/workflows/audit.yml").write_text(recipe("GitHub Actions"))
        output(program, directory / ".github/workflows/audit.yml")


def server_test(directory):
    """What the recipes build: a test that makes the mistake of EP201."""
    shutil.copy(ROOT / "demo_bugs/busy-epollout/bug.cpp", directory / "bug.cpp")
    flags = f"-std=c++20 -I{ROOT} -I{ROOT}/demo_bugs $(CXXFLAGS) -pthread"
    (directory / "Makefile").write_text(f"server_test: bug\n\tprintf '#!/bin/sh\\nexec ./bug --seconds 4\\n' > $@; chmod +x $@\nbug: bug.cpp\n\t$(CXX) {flags} -o $@ $< {ROOT}/demo_bugs/common/demo.cpp\n")


def the_github_recipe_works():
    """As printed: the steps of the workflow, and those of the action that it uses."""
    module = yaml()
    steps = module.safe_load(recipe("GitHub Actions"))["jobs"]["audit"]["steps"]
    action = module.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    (used,) = [step for step in steps if step.get("uses", "").startswith("epaudit/")]
    with release_server() as (url, version), scratch() as directory:
        check(used["uses"].endswith(f"@v{version}"), f"{used['uses']}, and this is {version}")
        check(set(used["with"]) <= set(action["inputs"]), f"no such input: {set(used['with']) - set(action['inputs'])}")
        server_test(directory)
        for step in steps:
            if "run" in step:
                output("bash", "-eo", "pipefail", "-c", step["run"], cwd=directory)
        inputs = {name: used["with"].get(name, about.get("default", "")) for name, about in action["inputs"].items()}
        names = {"github.action_ref": f"v{version}", "github.server_url": url, "github.action_repository": ""}
        names |= {f"inputs.{name}": value for name, value in inputs.items()}
        environment = os.environ | {"GITHUB_ACTION_PATH": str(ROOT), "RUNNER_TEMP": str(directory), "GITHUB_PATH": str(directory / "path"),
                                    "GITHUB_OUTPUT": str(directory / "output")}
        codes = []
        for step in action["runs"]["steps"]:
            if "run" not in step:
                check(step["uses"].startswith("github/codeql-action/upload-sarif@") and step["with"]["sarif_file"] == "${{ inputs.sarif }}", f"{step}")
                continue
            own = {name: expanded(value, names) for name, value in step["env"].items()}
            if "EPAUDIT_RELEASES" in own:
                own["EPAUDIT_RELEASES"] = url
            if (directory / "path").exists():
                environment["PATH"] = (directory / "path").read_text().strip() + ":" + environment["PATH"]
            done = subprocess.run(["bash", "-c", step["run"]], env=environment | own, cwd=directory, capture_output=True, text=True,
                                  check=False, timeout=120)
            codes.append((done.returncode, done.stdout, done.stderr))
        check(codes[0][0] == 0, f"{codes[0]}")
        check(codes[1][0] == 1 and "::error " in codes[1][1] + codes[1][2], f"{codes[1]}")
        check((directory / "output").read_text() == "exit-code=1\n", (directory / "output").read_text())
        results = json.loads((directory / "epaudit.sarif").read_text())["runs"][0]["results"]
        check([result["ruleId"] for result in results] == ["EP201"], f"{[result['ruleId'] for result in results]}")
        check((directory / "epaudit.xml").exists() and (directory / "epaudit.html").exists(), "reports")


def expanded(text, names):
    """${{ a || b }} and ${{ a }} inside of a text: as much of GitHub's expressions as action.yml uses outside of `if`."""
    def value(found):
        return next((names[name.strip()] for name in found[1].split("||") if names[name.strip()]), "")
    return re.sub(r"\$\{\{(.*?)\}\}", value, text)


def the_action_refuses_a_damaged_release():
    with release_server() as (url, version), scratch() as directory:
        name = one("*-linux-*.tar.gz").name
        (directory / f"v{version}").mkdir()
        (directory / f"v{version}" / name).write_bytes(b"something else")
        shutil.copy(PACKAGES / "SHA256SUMS", directory / f"v{version}")
        environment = os.environ | {"RUNNER_TEMP": str(directory / "temp"), "GITHUB_PATH": str(directory / "path"), "EPAUDIT_VERSION": f"v{version}"}
        script = ROOT / "packaging/action/install.sh"
        said = output("bash", script, code=1, env=environment | {"EPAUDIT_RELEASES": f"file://{directory}"})
        check("FAILED" in said and not (directory / "path").exists(), said)
        check("is no release" in output("bash", script, code=1, env=environment | {"EPAUDIT_RELEASES": url, "EPAUDIT_VERSION": "main"}), "main")


def the_gitlab_recipe_works():
    module = yaml()
    (job,) = module.safe_load(recipe("GitLab CI")).values()
    with release_server() as (url, version), scratch() as directory:
        server_test(directory)
        variables = job["variables"]
        check(variables["EPAUDIT_RELEASE"].endswith(f"/releases/download/v{version}") and f"epaudit-{version}-" in variables["EPAUDIT"],
              f"{variables}, and this is {version}")
        environment = os.environ | variables | {"EPAUDIT_RELEASE": f"{url}/v{version}"}
        *first, last = job["script"]
        for line in first:
            output("bash", "-eo", "pipefail", "-c", line, cwd=directory, env=environment)
        check("EP201" in output("bash", "-eo", "pipefail", "-c", last, cwd=directory, env=environment, code=1), "no finding")
        for path in [*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]]:
            check((directory / path).stat().st_size > 0, path)


TESTS = [
    sums_hold, the_package_is_small_and_whole, no_path_of_this_machine, lintian_is_silent, installs_upgrades_and_purges,
    runs_with_what_it_depends_on, the_tarball_needs_no_library, the_image_is_well_formed, the_image_runs,
    the_bill_of_materials_is_true, the_bill_of_materials_fits_the_schema, man_pages_pass_mandoc, man_pages_have_the_options, man_pages_speak_of_what_there_is,
    example_configuration, completions_in_bash, completions_in_zsh, completions_in_fish, rule_pages_are_fresh,
    the_action_is_valid, the_action_refuses_a_damaged_release, the_github_recipe_works, the_gitlab_recipe_works,
    packed_again_is_the_same, compiled_elsewhere_is_the_same,
]


def main(only):
    passed = failed = skipped = 0
    for test in TESTS:
        name = test.__name__
        if only and not any(word in name for word in only):
            continue
        began = time.monotonic()
        try:
            test()
            passed += 1
            print(f"{time.monotonic() - began:6.1f} s  passed: {name}")
        except Skip as reason:
            skipped += 1
            print(f"skipped {name}: {reason}")
        except Exception as error:  # a failing test must not take the others down
            failed += 1
            print(f"FAILED {name}: {type(error).__name__} {error}")
    print(f"package: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
