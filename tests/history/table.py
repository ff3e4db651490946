# SPDX-License-Identifier: Apache-2.0
"""docs/history.md: what epaudit first said of each program of the museum, what it says now, and what was changed."""
from harness import ROOT
from programs import MODES

HEAD = """# The museum of real bugs

Made by `./dev history --table` from runs. Each line is a bug that somebody really had, as a small program of our own in
`tests/history/`, written from the public report before epaudit was asked; its repaired twin must be silent. Four ways
to see it: `run` from birth (test profile), `attach` 2 s into the symptom (production profile), a strace `log`, and an
`excerpt` of 200 lines from the middle of that log. *First* is what epaudit said when it met the program, *now* what it
says today. *Named* is: the rule that the program's opening comment expects, and no other, at its least level. That was
`likely` when the programs were written; for logs and excerpts it was lowered afterwards to what the first run showed such
a source to hold (the program says why, docs/limits.md says all of it). *Missed* is what should be named, and is not.

"""


def right(program, mode, said):
    """Judged from the words that are kept."""
    want = program.expect[mode]
    levels = {}
    if not said.startswith("silent"):
        levels = dict(part.rsplit(" ", 1) for part in said.split(", "))
    accused = {rule for rule, level in levels.items() if level in ("likely", "confirmed")}
    if accused - ({want.rule} | {rule for rule, one in program.also if one == mode}):
        return False
    order = ("info", "risk", "likely", "confirmed")
    return not want.rule or (want.rule in levels and order.index(levels[want.rule]) >= order.index(want.level))


def brief(verdicts):
    """Four verdicts in few words: modes that say the same stand together."""
    groups = {}
    for mode, said in verdicts.items():
        groups.setdefault(said, []).append(mode)
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{'/'.join(modes)}: {said}" for said, modes in groups.items())


def write(programs, known, first_file):
    first = {}
    for line in first_file.read_text(encoding="utf-8").splitlines():
        name, *cells = line.split("\t")
        first[name] = cells
    lines, sums = [], {mode: [0, 0] for mode in MODES}
    silent = [0, 0]
    for program in programs:
        if program.name not in first or any(mode not in known.get(program.name, {}).get("bug", {}) for mode in MODES):
            raise SystemExit(f"{program.name} has not run in all modes: ./dev history {program.name}")
        then, now = dict(zip(MODES, first[program.name])), known[program.name]["bug"]
        for mode in MODES:
            if program.expect[mode].rule:
                sums[mode][0] += right(program, mode, then[mode])
                sums[mode][1] += right(program, mode, now[mode])
        twins = known[program.name]["fixed"].values()
        silent[0] += first[program.name][4] == "silent"
        silent[1] += not any("likely" in said or "confirmed" in said for said in twins)
        rules = sorted({e.rule for e in program.expect.values() if e.rule}) or ["none"]
        missed = [f"{mode} missed: {e.reason}" for mode, e in program.expect.items() if e.missed]
        notes = ". ".join(note for note in [program.changed, *sorted(set(missed))] if note)
        same = brief(then) == brief(now)
        lines.append(f"| [{program.name}](../tests/history/{program.path.name}) | [report]({program.report.split()[0]}) | {', '.join(rules)} | "
                     f"{brief(then)} | {'the same' if same else brief(now)} | {notes} |\n")
    total = len(programs)
    text = HEAD + "| | bugs named, first | bugs named, now | missed | cannot be seen there | no bug, and silent |\n|---|---|---|---|---|---|\n"
    for mode, (then, now) in sums.items():
        wants = [p.expect[mode] for p in programs]
        named = [w for w in wants if w.rule and not w.missed]
        missed = sum(w.missed for w in wants)
        quiet = sum(w.reason == "silent" for w in wants)
        bugs = len(named) + missed
        text += f"| {mode} | {then} of {bugs} | {now} of {bugs} | {missed} | {total - bugs - quiet} | {quiet} |\n"
    text += f"\nRepaired twins silent in all four: first {silent[0]}, now {silent[1]}, of {total}.\n\n"
    text += "| program | report | rule | first seen as | now | what changed, what is missed |\n|---|---|---|---|---|---|\n"
    (ROOT / "docs/history.md").write_text(text + "".join(lines), encoding="utf-8")
