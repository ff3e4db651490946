#!/usr/bin/env python3
"""Holds every #include to cmake/layers.txt: check_layers.py [ROOT]. Says which arrow is wrong, and where.

The compiler cannot: all folders share one include path, and a header that is only included needs no library.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def read_layers(text):
    layers = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, below = line.split(":")
        layers[name.strip()] = below.split()
        for one in layers[name.strip()]:
            if one != "bpf" and one not in layers:
                raise SystemExit(f"cmake/layers.txt:{number}: {name.strip()} knows {one}, which is not above it in the list")
    return layers


def folder_of(path):
    """Of a path below the root: finding for src/finding/finding.h; nothing for what is no layer (generated headers)."""
    parts = path.split("/")
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    return parts[0] if parts[0] in ("rules", "bpf", "tests", "demo_bugs") else None


def wrong_includes(root, layers):
    for path in sorted([*root.glob("src/**/*"), *root.glob("rules/**/*")]):
        if path.suffix not in (".h", ".cpp"):
            continue
        name = path.relative_to(root).as_posix()
        own = folder_of(name)
        text = path.read_text()
        for match in INCLUDE.finditer(text):
            other = folder_of(match[1])
            if other in (None, own) or (own in layers and other in layers[own]):
                continue
            line = text.count("\n", 0, match.start(1)) + 1
            yield f"{name}:{line}: {own} must not include {match[1]}: cmake/layers.txt allows it {', '.join(layers.get(own, [])) or 'nothing'}"


def picture_is_old(root, text):
    """docs/design.md draws the same arrows."""
    arrows = [line for line in text.splitlines() if line and not line.startswith("#")]
    drawn = [line[4:] for line in (root / "docs/design.md").read_text().splitlines() if line.startswith("    ")]
    return not all(arrow in drawn for arrow in arrows)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    text = (root / "cmake/layers.txt").read_text()
    trouble = list(wrong_includes(root, read_layers(text)))
    if picture_is_old(root, text):
        trouble.append("docs/design.md does not show the arrows of cmake/layers.txt")
    for one in trouble:
        print(one, file=sys.stderr)
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())
