# SPDX-License-Identifier: Apache-2.0
"""What became of each mutant, and docs/mutants.md."""
import collections

from harness import ROOT
import operators

LOUD = ("likely", "confirmed")
# A harmful one is named, named wrongly (none of its operator's rules), or missed; a harmless one is silent, a remark is
# made of what is true of it (a rule of its operator's), or it is accused of what it does not do. One that dies by itself,
# or does not compile, is none.
KINDS = ("named", "wrong", "missed", "silent", "remarked", "accused", "died", "broken")
RIGHT = ("named", "silent", "remarked")
FAULTS = ("wrong", "accused", "broken")

HEAD = """# Mutants of correct servers

Made by `./dev mutate --table` from runs. Six echo services of our own (`tests/mutants/loops/`), each the event loop of one
family of libraries, are broken mechanically, one fault at a time (`tests/mutants/operators.py`). The same nine seconds of
users are sent to each mutant twice: alone, where the harm is measured from outside (bytes that never came back, answers
that come late, CPU burnt while nobody says anything, sockets that stay open), and under `epaudit run --profile test`.

*Named*: at likely or above, by a rule that fits the fault (`operators.py` says which). *Wrong*: another rule only. *Missed*:
nothing at likely or above. Of the harmless: *silent*, or *remarked*: what is said is true, though these users did not
suffer from it; or *accused* of what it does not do. Those that crash by themselves are not counted.

"""


def loud(result):
    return {rule for rule, level in result.get("said", []) if level in LOUD}


def kind_of(mutant, result):
    if result.get("broken"):
        return "broken"
    if result["died"]:
        return "died"
    rules = loud(result)
    if result["harm"]:
        return "named" if rules & set(mutant.rules) else "wrong" if rules else "missed"
    return "silent" if not rules else "remarked" if rules <= set(mutant.rules) else "accused"


def words_of(result):
    said = ", ".join(f"{rule} {level}" for rule, level in result.get("said", [])) or "silent"
    harm = "; ".join(result.get("harm", [])) or "no harm"
    return f"{said} (exit {result.get('exit')}{', lost ' + str(result['lost']) if result.get('lost') else ''}) | {harm}"


def write(mutants, results):
    rows = collections.defaultdict(collections.Counter)
    others = []
    for mutant in mutants:
        if mutant.name() not in results:
            raise SystemExit(f"{mutant.name()} has not run: ./dev mutate {mutant.name()}")
        kind = kind_of(mutant, results[mutant.name()])
        rows[mutant.operator][kind] += 1
        if kind in ("missed", *FAULTS):
            others.append((mutant, kind, results[mutant.name()]))
    text = HEAD + "| fault | mutants | harmful | named | wrong | missed | harmless | silent | remarked | accused |\n" + \
        "|---|---|---|---|---|---|---|---|---|---|\n"
    what = {operator.name: operator.what for operator in operators.OPERATORS} | {"none": "none: the six as they are"}
    total = collections.Counter()
    for name in what:
        total += rows[name]
        text += line(what[name], rows[name])
    text += line("**all**", total)
    harmful = total["named"] + total["wrong"] + total["missed"]
    text += f"\nOf {harmful} harmful mutants {total['named']} are named ({100 * total['named'] / max(harmful, 1):.0f} %).\n"
    text += "\n## Those that are not right\n\n| mutant | harm | epaudit says |\n|---|---|---|\n"
    for mutant, kind, result in others:
        said, harm = words_of(result).split(" | ", 1)
        now = " ".join(mutant.now.split()).replace("|", "\\|")
        text += f"| {kind}: `{mutant.name()}` (`{now or ';'}`) | {harm} | {said} |\n"
    (ROOT / "docs/mutants.md").write_text(text, encoding="utf-8")


def line(name, row):
    harmful = row["named"] + row["wrong"] + row["missed"]
    harmless = row["silent"] + row["remarked"] + row["accused"]
    cells = [harmful + harmless, harmful, row["named"], row["wrong"], row["missed"], harmless, row["silent"], row["remarked"],
             row["accused"]]
    return f"| {name} | " + " | ".join(map(str, cells)) + " |\n"
