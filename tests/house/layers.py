#!/usr/bin/env python3
"""scripts/check_layers.py fails where an include is put the wrong way, and passes what we have: layers.py. No root, no build.

It works on a copy of the sources, which each case changes in one place.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# What is done to the copy, and what must be said of it (nothing: it is right).
CASES = [
    ("as it is", None, None, None),
    ("a report that runs rules", "src/report/text.cpp", '#include "src/audit/auditor.h"\n',
     "src/report/text.cpp:1: report must not include src/audit/auditor.h"),
    ("evidence that knows the engine", "src/evidence/place.h", '#include "src/audit/rule.h"\n',
     "src/evidence/place.h:1: evidence must not include src/audit/rule.h"),
    ("an engine that knows its rules", "src/audit/auditor.cpp", '#include "rules/catalogue.h"\n',
     "src/audit/auditor.cpp:1: audit must not include rules/catalogue.h"),
    ("a rule that asks the kernel", "rules/eof-spin/rule.cpp", '#include "src/capture/live.h"\n',
     "rules/eof-spin/rule.cpp:1: rules must not include src/capture/live.h"),
    ("a log reader that knows the command line", "src/strace/import.cpp", '#  include  "src/cli/options.h"\n',
     "src/strace/import.cpp:1: strace must not include src/cli/options.h"),
    ("something below everything", "src/support/say.cpp", '#include "bpf/types.h"\n',
     "src/support/say.cpp:1: support must not include bpf/types.h"),
    ("a test's header in the program", "src/books/tables.cpp", '#include "tests/unit/scenario.h"\n',
     "src/books/tables.cpp:1: books must not include tests/unit/scenario.h"),
    ("a folder that is in no list", "src/attic/old.cpp", '#include "src/support/say.h"\n',
     "src/attic/old.cpp:1: attic must not include src/support/say.h"),
    ("a neighbour in the same folder", "src/support/say.cpp", '#include "src/support/utf8.h"\n', None),
    ("an arrow that the documentation lacks", "cmake/layers.txt", "attic:\n",
     "docs/design.md does not show the arrows"),
    ("a list with a circle in it", "cmake/layers.txt", "attic:      cli\n", "attic knows cli, which is not above it"),
]


def copy_of_sources(where):
    for folder in ("src", "rules"):
        shutil.copytree(ROOT / folder, where / folder)
    for file in ("cmake/layers.txt", "docs/design.md"):
        (where / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, where / file)


def verdict(where):
    run = subprocess.run([sys.executable, ROOT / "scripts/check_layers.py", where], capture_output=True, text=True)
    return run.returncode, run.stderr


def try_case(where, name, file, text, expected):
    if file is None:
        code, said = verdict(where)
    else:
        path = where / file
        before = path.read_text() if path.exists() else None
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + (before or ""))
        code, said = verdict(where)
        if before is None:
            shutil.rmtree(path.parent)
        else:
            path.write_text(before)
    right = code == 0 and not said if expected is None else code == 1 and expected in said
    print(f"ok  {name}" if right else f"FAILED {name}: exit {code}: {said.strip()}")
    return right


def main():
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        copy_of_sources(where)
        results = [try_case(where, *case) for case in CASES]
    passed = sum(results)
    print(f"house: {passed} passed, {len(results) - passed} failed, 0 skipped")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
