# SPDX-License-Identifier: Apache-2.0
"""The faults: each operator finds the places in a loop's source where one mistake of its kind can be made, and makes it at
one of them. What a finding may be called is written here; four lists (deaf-to-end, out-for-in, edge, no-wake) were widened
after the first look by what is true of them."""
import dataclasses
import re
import typing

SPINS = ("EP201", "EP202", "EP203", "EP204", "EP205", "EP206")


@dataclasses.dataclass(frozen=True)
class Mutant:
    """`loop` with one fault: `operator` at `line` (from 1) of its source. `rules`: what may be said of it."""
    loop: str
    operator: str
    line: int
    was: str
    now: str
    source: str
    rules: tuple
    place: int = 1  # in its line

    def name(self):
        place = f"-{self.place}" if self.place > 1 else ""
        return f"{self.loop}-{self.line}-{self.operator}{place}" if self.line else self.loop


@dataclasses.dataclass(frozen=True)
class Operator:
    """`change` yields what may stand in a line's place; it sees the line alone."""
    name: str
    what: str
    rules: tuple
    change: typing.Callable


def replacing(pattern, replacement, unless=None):
    """Every match in a line is a place of its own."""
    def change(line):
        if unless and re.search(unless, line):
            return
        for match in re.finditer(pattern, line):
            yield line[:match.start()] + match.expand(replacement) + line[match.end():]
    return change


def dropping(pattern):
    """The statement goes; what stood before it on its line (an if) keeps an empty one."""
    return replacing(pattern + r"[^;]*;", ";")


def every_third(pattern):
    """The statement is forgotten every third time."""
    return replacing(rf"({pattern}[^;]*;)", r"{ static int turn; if (++turn % 3) \1 }")


CTL = r"(?:epoll_ctl\(ep, EPOLL_CTL_{0}, |set\(EPOLL_CTL_{0}, |arm\(EPOLL_CTL_{0}, )"

OPERATORS = (
    Operator("drop-mod", "a change of what is waited for is forgotten",
             ("EP104", "EP105", "EP106", "EP301", "EP201", "EP202", "EP203", "EP204", "EP402", "EP501"),
             dropping(CTL.format("MOD"))),
    Operator("lose-mod", "the same, every third time", ("EP104", "EP105", "EP106", "EP301", "EP201", "EP202", "EP203", "EP204"),
             every_third(CTL.format("MOD"))),
    Operator("drop-add", "a descriptor is never registered", ("EP106", "EP202", "EP302", "EP601"), dropping(CTL.format("ADD"))),
    Operator("drop-del", "DEL before close is forgotten", ("EP303",), dropping(CTL.format("DEL"))),
    Operator("dup-alive", "DEL is forgotten and a duplicate keeps the file open", ("EP303", "EP302", "EP203", "EP204"),
             replacing(r"(\bclose\()(c->fd|p->\w+\.fd)(\);)", r"dup(\2); \1\2\3")),
    Operator("drop-close", "a connection is over and not closed", ("EP302", "EP203", "EP204", "EP303"),
             dropping(r"\bclose\((?:c->fd|p->\w+\.fd)\)")),
    Operator("deaf-to-end", "the end of the input is not seen", ("EP203", "EP302", "EP204", "EP301", "EP404"),
             replacing(r"if \((?:n|got) == 0\)", "if (0)")),
    Operator("ignore-errors", "a call's failure is not looked at", ("EP203", "EP204", "EP202", "EP205", "EP302", "EP105"),
             replacing(r"errno != EAGAIN", "0")),
    Operator("eagain-is-fatal", "EAGAIN is taken for an error", ("EP105", "EP101"),
             replacing(r"errno == EAGAIN( \|\| errno == ENOTCONN)? \? 0 : -1", "-1")),
    Operator("once", "a loop that must go on until EAGAIN makes one turn", ("EP101", "EP102", "EP105"),
             replacing(r"(?:while \((?!.*over)(?=.*(?:sent|owed)).*\)|for \(;;\)) \{$", "for (int turn = 0; turn < 1; turn++) {")),
    Operator("thrice", "or three", ("EP101", "EP102", "EP105"),
             replacing(r"(?:while \((?!.*over)(?=.*(?:sent|owed)).*\)|for \(;;\)) \{$", "for (int turn = 0; turn < 3; turn++) {")),
    Operator("always-out", "EPOLLOUT stays armed", ("EP201",),
             replacing(r"(\w+->owed|s->other->got) \? EPOLLOUT : (EPOLLIN|0)", r"EPOLLOUT | EPOLLIN")),
    Operator("in-for-out", "EPOLLIN where EPOLLOUT is meant", ("EP105", "EP202", "EP203", "EP106"),
             replacing(r"EPOLLOUT", "EPOLLIN", unless="EVERYTHING")),
    Operator("out-for-in", "EPOLLOUT where EPOLLIN is meant", ("EP201", "EP106", "EP301", "EP202", "EP203"),
             replacing(r"EPOLLIN\b", "EPOLLOUT", unless="EVERYTHING")),
    Operator("edge", "EPOLLET without the care for it", ("EP101", "EP102", "EP105", "EP103", "EP602", "EP301"),
             replacing(r"(?:EPOLLIN|EPOLLOUT)\b(?!.*EPOLLET)(?! \|)", r"(\g<0> | EPOLLET)", unless="EVERYTHING|&|EPOLLEXCLUSIVE")),
    Operator("level", "EPOLLET is forgotten", ("EP201", "EP602", "EP202"), replacing(r" \| EPOLLET", "")),
    Operator("no-oneshot", "EPOLLONESHOT is forgotten", ("EP402", "EP501", "EP502", "EP201", "EP202", "EP504"),
             replacing(r"mask \| EPOLLONESHOT", "mask")),
    Operator("blocking", "O_NONBLOCK is forgotten", ("EP103", "EP404", "EP105"), replacing(r"SOCK_NONBLOCK \| ", "")),
    Operator("stall", "the handler sleeps", ("EP404",),
             replacing(r"^(    )(ssize_t n = recv\(|int failed = |pump\(c\);)", r"\1usleep(400000);\n\1\2")),
    Operator("shared-data", "every registration gets the data of the first", SPINS + ("EP101", "EP104", "EP106", "EP504", "EP105"),
             replacing(r"\.data\.ptr = (c|s|fd)\b", r".data.ptr = ({ static void *one; one = one ? one : \1; one; })")),
    Operator("wake-unread", "a wake-up is not taken off", ("EP202",),
             replacing(r"eventfd_read\(wake, &n\);|read\(tick, &n, sizeof\(n\)\);", ";")),
    Operator("no-wake", "the loop is not woken", ("EP404", "EP104"), replacing(r"eventfd_write\(wake, 1\);", ";")),
    Operator("poll", "epoll_wait does not wait", ("EP206",), replacing(r"(epoll_wait\(.*), (?:500|-1)\)", r"\1, 0)")),
    Operator("one-event", "one event at a time", ("EP405",), replacing(r"(epoll_wait\(.*), TURN,", r"\1, 1,")),
    Operator("no-accept", "one listener's event is not followed", ("EP202", "EP205", "EP102"),
             replacing(r"(int fd = )accept4\(.*\);", r"\1-1;")),
    Operator("herd", "EPOLLEXCLUSIVE is forgotten", ("EP401",), replacing(r" \| EPOLLEXCLUSIVE", "")),
    Operator("exclusive-mod", "EPOLLEXCLUSIVE where it may not be", ("EP403", "EP601"),
             replacing(r"(EPOLL_CTL_MOD, EPOLLIN)", r"\1 | EPOLLEXCLUSIVE")),
    Operator("half-close-deaf", "nobody asks for input while the peer may end", ("EP301", "EP106"),
             replacing(r"EPOLLIN \| EPOLLRDHUP", "EPOLLPRI")),
)


def mutants_of(loop, text):
    """All of them; two operators that make the same of a line are one mutant."""
    lines, made = text.split("\n"), set()
    for operator in OPERATORS:
        for number, line in enumerate(lines):
            if line.lstrip().startswith(("/*", "*", "#include", "#define TURN")):
                continue
            for place, now in enumerate(operator.change(line), 1):
                if now != line and (number, now) not in made:
                    made.add((number, now))
                    source = "\n".join([*lines[:number], now, *lines[number + 1:]])
                    yield Mutant(loop, operator.name, number + 1, line.strip(), now.strip(), source, operator.rules,
                                 place)
