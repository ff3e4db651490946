#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the man pages, and the page of each rule in docs/rules, from what epaudit says of itself.

usage: pages.py man EPAUDIT DIRECTORY     DIRECTORY/man1/epaudit.1 and the others; needs scdoc
       pages.py rules EPAUDIT DIRECTORY   DIRECTORY/EP201-busy-epollout.md and the others, and README.md

Options, commands, rules, thresholds and explain pages come from `epaudit completion --table`; the prose of a command's
page from docs/man/COMMAND.scd, where there is one.
"""
import json
import pathlib
import re
import subprocess
import sys
import textwrap

PROSE = pathlib.Path(__file__).resolve().parents[1] / "docs/man"
EXIT_STATUS = """*0*
	No finding at or above *--fail-on*.

*1*
	Findings.

*2*
	Usage or configuration error, or an output could not be written.

*3*
	Could not observe: privileges, kernel, target gone, no epoll seen.

*4*
	Inconclusive: nothing was found, but that is no proof. The verdict says why.
"""
USAGE = {  # of those whose operands the table cannot tell
    "run": "[_OPTIONS_] -- _CMD_ [_ARG_...]",
    "record": "*-o* _FILE_ [_OPTIONS_] -- _CMD_ [_ARG_...]\n\n*epaudit record* *-o* _FILE_ *-p* _PID_[,_PID_] [_OPTIONS_]",
}


def escaped(text):
    return re.sub(r"([\\*_])", r"\\\1", text)


def inline(text):
    """One paragraph of Markdown as scdoc: code becomes bold, emphasis underlined; wrapped."""
    parts = []
    for number, part in enumerate(text.split("`")):
        if number % 2:
            parts.append(f"*{escaped(part)}*")
            continue
        for piece in re.split(r"(\*\*[^*]+\*\*|\*[^* ][^*]*\*)", part):
            if len(piece) > 4 and piece.startswith("**"):
                parts.append(f"*{escaped(piece[2:-2])}*")
            elif len(piece) > 2 and piece.startswith("*") and piece.endswith("*"):
                parts.append(f"_{escaped(piece[1:-1])}_")
            else:
                parts.append(escaped(piece))
    lines = textwrap.wrap("".join(parts), 74, break_long_words=False, break_on_hyphens=False)
    return [re.sub(r"^([-#.;\[|\]])", r"\\\1", line) for line in lines]


def scdoc_of(markdown, heading):
    """An explain page, its first line left out, its headings below `heading`."""
    out, paragraph, bullet = [], [], False

    def flush():
        nonlocal bullet
        lines = inline(" ".join(paragraph)) if paragraph else []
        out.extend([("  " if number else "- ") + line if bullet else line for number, line in enumerate(lines)])
        paragraph.clear()
        bullet = False

    code = []
    for line in markdown.splitlines()[1:] + [""]:
        if line.startswith("    ") and not paragraph:
            code.append(line[4:])
            continue
        if code and not line:
            code.append("")
            continue
        if code:
            out.extend(["```", *"\n".join(code).rstrip().splitlines(), "```", ""])
            code.clear()
        if line.startswith("#"):
            flush()
            out.extend([heading + " " + escaped(line.lstrip("# ")).upper(), ""])
        elif line.startswith("- "):
            flush()
            bullet = True
            paragraph.append(line[2:])
        elif not line:
            flush()
            out.append("")
        else:
            paragraph.append(line.strip())
    flush()
    if code:
        out.extend(["```", *"\n".join(code).rstrip().splitlines(), "```", ""])
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip("\n") + "\n"


def title(name, section, version):
    return f'{name}({section}) "epaudit {version}"\n\n'


def option_lines(rows):
    out = []
    for row in rows:
        value = escaped(row["value"])
        if row["value_optional"]:
            value = f"[=_{value}_]"
        elif value:
            value = f" _{value}_"
        out.append(", ".join(f"*{escaped(name)}*" for name in row["names"]) + value)
        text = row["description"].strip()
        says = text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
        if row["choices"] and not all(choice in text for choice in row["choices"]):
            says += " One of: " + ", ".join(row["choices"]) + "."
        if row["default"]:
            says += f" Default: {row['default']}."
        out.extend("\t" + line for line in inline(says))
        out.append("")
    return "\n".join(out)


def synopsis(command):
    name = command["name"]
    if name in USAGE:
        return f"*epaudit {name}* {USAGE[name]}"
    words = [f"*epaudit {name}*"]
    words += [f"*{row['names'][0]}* _{row['value']}_" for row in command["options"] if row["required"] and not row["positional"]]
    if any(not row["required"] and not row["positional"] and row["names"][-1] != "--help" for row in command["options"]):
        words.append("[_OPTIONS_]")
    words += [f"_{row['value']}_" for row in command["options"] if row["positional"]]
    return " ".join(words)


def prose(name):
    path = PROSE / f"{name}.scd"
    return path.read_text(encoding="utf-8").strip() + "\n\n" if path.exists() else ""


def command_page(command, version):
    name = command["name"]
    rows = [row for row in command["options"] if not row["positional"]]
    says = re.split(r"[;\n]", command["description"])[0].strip().rstrip(".")
    text = title(f"epaudit-{name}", 1, version)
    text += f"# NAME\n\nepaudit-{name} - {escaped(says)}\n\n# SYNOPSIS\n\n{synopsis(command)}\n\n"
    written = prose(name)
    if not written:
        written = "# DESCRIPTION\n\n" + "\n".join(inline(command["description"][:1].upper() + command["description"][1:] + ".")) + "\n\n"
    description, status, examples = re.fullmatch(r"(.*?)(# EXIT STATUS.*?)?(# EXAMPLES.*)?", written, re.DOTALL).groups("")
    text += description + f"# OPTIONS\n\n{option_lines(rows)}\n" + (status or f"# EXIT STATUS\n\n{EXIT_STATUS}\n") + examples
    return text + "# SEE ALSO\n\n*epaudit*(1), *epaudit.toml*(5), *epaudit-rules*(7)\n"


def program_page(table):
    text = title("epaudit", 1, number(table)) + prose("epaudit")
    commands = ""
    for command in table["commands"]:
        says = re.split(r"\n", command["description"])[0]
        commands += f"*epaudit-{command['name']}*(1)\n" + "".join("\t" + line + "\n" for line in inline(says[:1].upper() + says[1:] + ".")) + "\n"
    text = text.replace("@COMMANDS@\n", commands).replace("@OPTIONS@\n", option_lines(table["program"]["options"]))
    return text.replace("@EXIT_STATUS@\n", EXIT_STATUS)


def rules_page(table):
    text = title("epaudit-rules", 7, number(table)) + prose("epaudit-rules")
    for rule in table["rules"]:
        text += f"# {rule['id']} {rule['name'].upper()}\n\n" + scdoc_of(rule["explain"], "##") + "\n## THRESHOLDS\n\n"
        for one in rule["thresholds"]:
            values = f"{one['production']:g}" if one["production"] == one["test"] else \
                f"{one['production']:g} in production, {one['test']:g} in test"
            says = f"{one['meaning']}. Lower: {one['lower']}. Higher: {one['higher']}."
            text += f"*{escaped(one['name'])}* ({values}; {one['unit']})\n" + "".join("\t" + line + "\n" for line in inline(says)) + "\n"
        if not rule["thresholds"]:
            text += "None.\n\n"
    return text + "# SEE ALSO\n\n*epaudit*(1), *epaudit-explain*(1), *epaudit-config*(1), *epaudit.toml*(5)\n"


def number(table):
    return table["version"].split()[0]


def rule_markdown(rule):
    text = rule["explain"].strip("\n") + "\n\n## Thresholds\n\n"
    if not rule["thresholds"]:
        return text + "None.\n"
    text += "| name | production | test | unit | meaning | worse when lower | worse when higher |\n|---|---|---|---|---|---|---|\n"
    for one in rule["thresholds"]:
        says = " | ".join(one[key].replace("|", "\\|") for key in ("unit", "meaning", "lower", "higher"))
        text += f"| `{one['name']}` | {one['production']:g} | {one['test']:g} | {says} |\n"
    return text + f"\nSet one with `--set {rule['name']}.NAME=VALUE`, or in `epaudit.toml`.\n"


def rules_index(table):
    text = "# Rules\n\nMade from the program by `./dev docs`; `epaudit explain RULE` shows the same.\n\n"
    text += "| rule | name | says | at most |\n|---|---|---|---|\n"
    for rule in table["rules"]:
        says = rule["says"].replace("|", "\\|")
        text += f"| [{rule['id']}]({rule['id']}-{rule['name']}.md) | {rule['name']} | {says} | {rule['highest']} |\n"
    return text


def tidy(roff):
    """What scdoc writes, as mandoc -T lint wants it: no empty paragraphs, no long lines of text, a title in capitals."""
    lines, literal = [], False
    for line in roff.splitlines():
        if line.startswith((".SH", ".SS", ".PP", ".P ", ".RE")) or line == ".P":
            while lines and lines[-1] in (".PP", ".P"):
                lines.pop()
        if line in (".PP", ".P") and lines and lines[-1].startswith((".SH", ".SS", ".TH")):
            continue
        if line.startswith(".TH"):
            line = re.sub(r'^\.TH "([^"]+)"', lambda found: f'.TH "{found[1].upper()}"', line)
        literal = line == ".nf" or (literal and line != ".fi")
        if len(line) <= 80 or literal or line.startswith("."):
            lines.append(line)
            continue
        lines += [re.sub(r"^([.'])", r"\\&\1", one)
                  for one in textwrap.wrap(line, 78, break_long_words=False, break_on_hyphens=False)]
    while lines and lines[-1] in (".PP", ".P"):
        lines.pop()
    return "\n".join(lines) + "\n"


def pages(what, table):
    """{file name: text}."""
    if what == "rules":
        made = {f"{rule['id']}-{rule['name']}.md": rule_markdown(rule) for rule in table["rules"]}
        return made | {"README.md": rules_index(table)}
    made = {f"epaudit-{command['name']}.1.scd": command_page(command, number(table)) for command in table["commands"]}
    toml = title("epaudit.toml", 5, number(table)) + prose("epaudit.toml")
    return made | {"epaudit.1.scd": program_page(table), "epaudit.toml.5.scd": toml, "epaudit-rules.7.scd": rules_page(table)}


def table_of(epaudit):
    return json.loads(subprocess.run([epaudit, "completion", "--table"], check=True, capture_output=True).stdout)


def main(what, epaudit, directory):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    made = pages(what, table_of(epaudit))
    for old in directory.iterdir():
        if old.name not in made and old.suffix in (".scd", ".md"):
            old.unlink()
    for name, text in made.items():
        if what == "man":
            text = tidy(subprocess.run(["scdoc"], input=text, check=True, capture_output=True, text=True).stdout)
            name = f"man{name.split('.')[-2]}/{name.removesuffix('.scd')}"
            (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("man", "rules"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
