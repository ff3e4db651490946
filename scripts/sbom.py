#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints what is linked into epaudit, as CycloneDX 1.4.

usage: sbom.py BUILD    (epaudit and epaudit-static must be built there)

Three ways in which something of a Debian package gets into epaudit: as a static library (of epaudit-static, from its link
map), as a shared library (of the Debian package, from its dynamic section), as text (headers, from the compiler's own list
of what each file included). Names and versions are dpkg's.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import uuid

SERIAL = uuid.UUID("8a2f7c1e-6d0b-5f4e-9a55-0d6c3e1b7f20")  # namespace of serial numbers


def output(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def static_inputs(build):
    """Archives and start files that the linker loaded."""
    paths = re.findall(r"^LOAD (/\S+)$", (build / "epaudit-static.map").read_text(encoding="utf-8"), re.MULTILINE)
    return {os.path.realpath(path) for path in paths if not path.startswith(str(build))}


def shared_inputs(build):
    lines = output("ldd", build / "epaudit").splitlines()
    needed = set(re.findall(r"\[(.+)\]", output("readelf", "-d", build / "epaudit")))
    found = {line.split()[0]: line.split()[2] for line in lines if "=>" in line}
    return {os.path.realpath(found[name]) for name in needed if name in found}


def headers(build):
    """What the objects that are shipped included, from outside of the project."""
    wanted, paths = False, set()
    for line in output("ninja", "-C", build, "-t", "deps").splitlines():
        if line and not line[0].isspace():
            wanted = line.startswith(("CMakeFiles/epaudit", "bpf/"))
        elif wanted and (path := os.path.realpath(build / line.strip())).startswith("/usr/"):
            paths.add(path)
    return paths


def packages_of(paths):
    """{package: paths}; names without their architecture."""
    found = {}
    paths = sorted(paths)
    for begin in range(0, len(paths), 500):
        done = subprocess.run(["dpkg", "-S", *paths[begin:begin + 500]], capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines():
            package, _, path = line.partition(": ")
            if not line.startswith("diversion"):
                found.setdefault(package.split(",")[0].split(":")[0], set()).add(path)
        missing = re.findall(r"no path found matching pattern (\S+)", done.stderr)
        # On a merged /usr, dpkg knows a file by the name it was packed with.
        for path in missing:
            again = subprocess.run(["dpkg", "-S", path.removeprefix("/usr")], capture_output=True, text=True, check=False)
            if again.returncode:
                sys.exit(f"sbom: {path} belongs to no package")
            found.setdefault(again.stdout.partition(": ")[0].split(":")[0], set()).add(path)
    return found


def component(package, uses, distribution):
    version, arch, source, source_version = output(
        "dpkg-query", "-W", "-f", "${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n",
        package).splitlines()[0].split("\t")
    purl = f"pkg:deb/debian/{package}@{version}?arch={arch}&distro={distribution}"
    properties = [{"name": "epaudit:use", "value": use} for use in sorted(uses)]
    properties.append({"name": "epaudit:source-package", "value": f"{source} {source_version}"})
    return {"type": "library", "bom-ref": purl, "name": package, "version": version, "purl": purl, "properties": properties}


def main(build):
    build = pathlib.Path(build).resolve()
    version, commit = (output(build / "epaudit", "--version").split() + [""])[1:3]
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', pathlib.Path("/etc/os-release").read_text(encoding="utf-8"), re.MULTILINE))
    uses = {}
    for use, paths in (("static", static_inputs(build)), ("shared", shared_inputs(build)), ("headers", headers(build))):
        for package in packages_of(paths):
            uses.setdefault(package, set()).add(use)
    distribution = f"{release['ID']}-{release.get('VERSION_ID', 'sid')}"
    components = [component(package, uses[package], distribution) for package in sorted(uses)]
    own = f"pkg:generic/epaudit@{version}"
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.4",
        "serialNumber": "urn:uuid:" + str(uuid.uuid5(SERIAL, version + commit + json.dumps(components))),
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))),
            "component": {"type": "application", "bom-ref": own, "name": "epaudit", "version": version, "purl": own,
                          "licenses": [{"license": {"id": "Apache-2.0"}}]},
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": [one["bom-ref"] for one in components]}],
    }
    print(json.dumps(bom, indent=1))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
