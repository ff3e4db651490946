# SPDX-License-Identifier: Apache-2.0
"""What a program of the museum says of itself in its opening comment: the report, and what must be seen of it where."""
import dataclasses
import re

MODES = ("run", "attach", "log", "excerpt")
LEVELS = ("info", "risk", "likely", "confirmed")
KEYS = r"Note|Report|Fix|Changed|Run|Attach|Log|Begins|Load|Also|Twin also|Expect(?: (?:run|attach|log|excerpt|all))?"
SUFFIXES = (".c", ".py", ".go", ".js", ".rs", ".java")


@dataclasses.dataclass
class Expectation:
    """rule and level; or neither, and why nothing is to be seen. `missed` says why it is not seen though it should be."""

    rule: str = ""
    level: str = ""
    reason: str = ""
    missed: bool = False

    @staticmethod
    def parse(text, where):
        if text.strip() == "silent":
            return Expectation(reason="silent")
        if match := re.fullmatch(r"none: (.+)", text):
            return Expectation(reason=match[1])
        if match := re.fullmatch(r"missed ([a-z-]+) (likely|confirmed): (.+)", text):
            return Expectation(match[1], match[2], match[3], True)
        if match := re.fullmatch(r"([a-z-]+) (info|risk|likely|confirmed)", text):
            return Expectation(match[1], match[2])
        raise SystemExit(f"{where}: cannot read the expectation '{text}'")


@dataclasses.dataclass
class Program:
    path: object
    note: str
    name: str
    story: str
    report: str
    fix: str
    changed: str
    expect: dict
    also: set  # (rule, mode)
    twin_also: dict  # (rule, mode): reason
    watched: dict  # mode: (seconds, options)
    begins: float
    idle: bool


def opening(path):
    """The opening comment as [key, text]; what comes before the first key is the story."""
    found = [["", ""]]
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#!") or "SPDX-License-Identifier" in line:
            continue
        comment = re.fullmatch(r"\s*(?://|#|/?\*+/?)\s?(.*?)\s*", line)
        if not comment or line.startswith("#include"):
            break
        text = comment[1].strip()
        if match := re.fullmatch(rf"({KEYS}):\s*(.*)", text):
            found.append([match[1], match[2]])
        else:
            found[-1][1] = f"{found[-1][1]} {text}".strip()
    return found


def watched(text):
    seconds, *options = text.split()
    return float(seconds), options


def load_one(path):
    where = path.name
    if len(path.read_text(encoding="utf-8").splitlines()) > 60:
        raise SystemExit(f"{where}: more than 60 lines")
    program = Program(path, "", path.stem, "", "", "", "", {}, set(), {},
                      {"run": (2.5, []), "attach": (3.0, []), "log": (1.5, [])}, 0.3, False)
    single = {}
    for key, text in opening(path):
        word, _, mode = key.partition(" ")
        if key == "":
            program.story = text
        elif word == "Expect" and mode:
            target = program.expect if mode == "all" else single
            target.update(dict.fromkeys(MODES if mode == "all" else [mode], Expectation.parse(text, where)))
        elif key in ("Run", "Attach", "Log"):
            program.watched[key.lower()] = watched(text)
        elif key == "Begins":
            program.begins = float(text.split()[0])
        elif key == "Load":
            program.idle = text.startswith("idle")
        elif key in ("Also", "Twin also"):
            rule, _, reason = text.partition(":")
            rule, _, mode = rule.partition(" ")
            for one in MODES if mode in ("", "all") else [mode]:
                if key == "Also":
                    program.also.add((rule, one))
                else:
                    program.twin_also[rule, one] = reason.strip()
        else:
            setattr(program, key.lower(), text)
    program.expect.update(single)
    missing = [mode for mode in MODES if mode not in program.expect]
    if missing or not program.report.startswith("https://") or not program.fix or not program.story:
        raise SystemExit(f"{where}: its opening comment lacks {'Expect ' + missing[0] if missing else 'story, Report or Fix'}")
    return program


def load(folder):
    # PROJECT-ISSUE, where the issue may be a commit: the runner's own files have no such name.
    paths = [p for p in folder.iterdir() if p.suffix in SUFFIXES and re.search(r"-[0-9a-f]+$", p.stem)]
    return [load_one(p) for p in sorted(paths, key=lambda p: p.name.lower())]
