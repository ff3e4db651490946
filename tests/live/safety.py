# SPDX-License-Identifier: Apache-2.0
"""Programs that mean harm to whoever audits them as root, and rights that are not passed on."""
import ctypes
import json
import os
import pathlib
import pwd
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from harness import BUILD, EPAUDIT, SPEED, SPINNERS, Started, check, epaudit, programs, serving, wait_for

FIXED = str(BUILD / "demo_bugs/busy-epollout/fixed")
NOBODY = pwd.getpwnam("nobody")
BY_SUDO = {"SUDO_UID": str(NOBODY.pw_uid), "SUDO_GID": str(NOBODY.pw_gid), "SUDO_USER": "nobody"}
FORMATS = ("text", "json", "html", "sarif", "junit", "github", "ndjson", "perfetto", "suppressions")

SPIN = """#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
int main(int argc, char** argv)
{
    int pair[2], epoll = epoll_create1(0);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    struct epoll_event event = {.events = EPOLLOUT};
    const time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 2);
#line 1 "%s"
    epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event);
    while (time(NULL) < end) epoll_wait(epoll, &event, 1, 100);
    return 0;
}
"""


def built(directory, name, text, *options):
    source = pathlib.Path(directory, name + ".c")
    source.write_text(text, encoding="utf-8")
    program = source.with_suffix("")
    subprocess.run(["cc", "-g", "-O0", "-o", program, source, *options], check=True)
    return str(program)


def in_directory(test):
    def run():
        with tempfile.TemporaryDirectory(prefix="epaudit-safety-") as directory:
            os.chmod(directory, 0o755)
            return test(pathlib.Path(directory))
    return run


def no_secret_in_any_format(directory):
    """Debug information may name any file: root does not read it out."""
    secret = directory / "secret"
    secret.write_text("sesame1\nsesame2\nsesame3\n")
    secret.chmod(0o600)
    work = directory / "work"
    work.mkdir()
    (work / "link.c").symlink_to(secret)
    for name in (str(secret), "../secret", "link.c"):
        program = built(work, "spin", SPIN % name)
        words = [EPAUDIT, "run", "-q", *(f"--format={one}={directory}/r.{one}" for one in FORMATS), "--", program]
        done = subprocess.run(words, cwd=work, capture_output=True, timeout=60 * SPEED, check=False)
        check(done.returncode == 1, f"{name}: exit {done.returncode}: {done.stderr.decode()}")
        for one in FORMATS:
            text = (directory / f"r.{one}").read_text(errors="replace")
            check("sesame" not in text, f"{name}: {one} tells the secret")
        check(pathlib.Path(name).name in (directory / "r.text").read_text(), "the frame has lost its file: the test cannot fail")


def source_text_of_attach(directory):
    """Off unless asked for; frames with file and line stay."""
    program = built(directory, "spin", SPIN.replace('#line 1 "%s"\n', ""))
    victim = subprocess.Popen([program, "30"])
    try:
        for options, wanted in (((), False), (("--source-text",), True)):
            tool = Started("attach", "--profile", "test", *options, "-p", victim.pid, cwd=directory)
            for line in tool.process.stderr:
                if b"EP201" in line:
                    break
            outcome = tool.interrupt()
            check(outcome.code == 1, outcome.describe())
            evidence = next(f for f in outcome.report["findings"] if f["rule"] == "EP201")["evidence"]
            check(("source" in evidence) == wanted, f"{options}: {evidence.get('source')}")
            check(any(frame.get("line") for stack in evidence["stacks"] for frame in stack["frames"]), "no frame with a line")
    finally:
        victim.kill()
        victim.wait()


def the_command_is_the_callers(directory):
    """sudo epaudit run -- CMD: as who called sudo, with nothing of what epaudit may."""
    show = f"id -u; id -g; id -G; echo $HOME $USER; grep -E 'Cap(Prm|Eff|Amb)' /proc/self/status; exec {FIXED} --seconds 1"
    env = {**os.environ, **BY_SUDO}
    outcome = epaudit("run", "--", "sh", "-c", show, env=env)
    check(outcome.code == 0, outcome.describe())
    lines = outcome.out.splitlines()
    check(lines[:2] == [str(NOBODY.pw_uid), str(NOBODY.pw_gid)] and lines[3] == f"{NOBODY.pw_dir} nobody", str(lines[:8]))
    check("0" not in lines[2].split(), f"groups of root: {lines[2]}")
    check(all(int(value, 16) == 0 for value in re.findall(r"Cap\w+:\s+(\w+)", outcome.out)), outcome.out)
    check("the command runs as nobody" in outcome.err, outcome.err)
    check(any("ran as nobody" in note for note in outcome.report["observation"]["notes"]), outcome.describe())
    outcome = epaudit("run", "--as-root", "--", "sh", "-c", show, env=env)
    check(outcome.code == 0 and outcome.out.startswith("0\n"), outcome.describe())
    outcome = epaudit("run", "--user", "nobody", "--", "sh", "-c", show)
    check(outcome.code == 0 and outcome.out.startswith(f"{NOBODY.pw_uid}\n"), outcome.describe())
    for words, said in ((("--user", "nobody", "--as-root"), "two answers"), (("--user", "no-such-user"), "no user 'no-such-user'")):
        outcome = epaudit("run", *words, "--", "true")
        check(outcome.code == 2 and said in outcome.err, outcome.describe())


def no_ambient_capability_is_passed_on():
    two = ["setpriv", "--inh-caps", "-all,+bpf,+perfmon", "--ambient-caps", "-all,+bpf,+perfmon"]
    outcome = epaudit("run", "--", "sh", "-c", f"grep CapAmb /proc/self/status; exec {FIXED} --seconds 1", prefix=two)
    check(int(re.search(r"CapAmb:\s+(\w+)", outcome.out)[1], 16) == 0, outcome.out + outcome.err)


def a_configuration_of_somebody_else(directory):
    """What lies in the working directory silences rules: only from root or the caller, and named."""
    config = directory / "epaudit.toml"
    config.write_text("ignore = ['EP201']\n")

    def run(*options, env=None):
        return subprocess.run([EPAUDIT, "config", *options], cwd=directory, capture_output=True, text=True, check=False, env=env)
    check(run().returncode == 0 and "epaudit.toml" in run().stdout, run().stderr)
    config.chmod(0o666)
    check(run().returncode == 2 and "everybody may write it" in run().stderr, run().stderr)
    config.chmod(0o644)
    os.chown(config, NOBODY.pw_uid, NOBODY.pw_gid)
    check(run().returncode == 2 and "belongs to another user" in run().stderr, run().stderr)
    check(run(env={**os.environ, **BY_SUDO}).returncode == 0, "the caller's own")
    check(run("--config", "epaudit.toml").returncode == 0 and run("--no-config").returncode == 0, "asked for, or not wanted")


NAMED = ("import ctypes,os,select,socket,time;ctypes.CDLL(None).prctl(15,b'\\x1b]0;x\\x07\\xe9\\x1b[2J',0,0,0);e=select.epoll();"
         "a,b=socket.socketpair();e.register(a,select.EPOLLOUT);t=time.monotonic()+%s\n"
         "while time.monotonic()<t: e.poll(1)")


def clean_on_a_terminal(directory):
    """A name with escape sequences does nothing to whoever reads it."""
    words = ["run", "--profile", "test", "--format", "text", "--", sys.executable, "-c", NAMED % 2]
    outcome = epaudit(*words, json_report=False)
    check(outcome.code == 1 and "EP201" in outcome.out and "EP201" in outcome.err, outcome.out + outcome.err)
    quiet = "import ctypes,time;ctypes.CDLL(None).prctl(15,b'\\x1b]0;x\\x07\\x1b[2J',0,0,0);print('up',flush=True);time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", quiet], stdout=subprocess.PIPE) as server:
        server.stdout.readline()
        inspected = epaudit("inspect", "-p", server.pid, json_report=False)
        server.kill()
    check(inspected.code == 3 and "no epoll in" in inspected.err, inspected.err)
    for text in (outcome.out, outcome.err, inspected.err):
        check("\x1b" not in text and "\x07" not in text, repr(text))


LIBRARY = """#include <sys/epoll.h>
#include <time.h>
void spin(int epoll, int seconds)
{
    struct epoll_event event;
    const time_t end = time(0) + seconds;
    while (time(0) < end) epoll_wait(epoll, &event, 1, 100);
}
"""
LOADED = """#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
void spin(int, int);
int main(void)
{
    int pair[2], epoll = epoll_create1(0);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    struct epoll_event event = {.events = EPOLLOUT};
    epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event);
    puts("up");
    fflush(stdout);
    getchar();
    spin(epoll, 30);
}
"""


IN_OPEN, IN_NONBLOCK = 0x20, 0o4000


class Opened:
    """Was the file opened (O_PATH is no opening)?"""

    def __init__(self, path):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(IN_NONBLOCK)
        check(libc.inotify_add_watch(self.fd, os.fsencode(path), IN_OPEN) >= 0, "inotify")

    def __call__(self):
        try:
            return bool(os.read(self.fd, 4096))
        except BlockingIOError:
            return False


def spinning_in_a_library(directory, library, then):
    """What attach says of a program whose library `then` was changed behind its back."""
    program = built(directory, "loaded", LOADED, str(library))
    with subprocess.Popen(["unshare", "-m", "--propagation", "private", program], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as server:
        try:
            server.stdout.readline()
            then(server.pid)
            server.stdin.write(b"go\n")
            server.stdin.flush()
            outcome = epaudit("attach", "--profile", "test", "--duration", "3", "-p", server.pid, timeout=30)
        finally:
            server.kill()
    check(outcome.code == 1 and "EP201" in outcome.rules(), outcome.describe())
    return {frame["function"] for finding in outcome.report["findings"] for stack in finding["evidence"]["stacks"] for frame in stack["frames"]}


def a_library_that_became_something_else(directory):
    """What a mapped file's name leads to by now is not opened: another link, a FIFO, a device. The mapped one is."""
    fifo = directory / "fifo"
    os.mkfifo(fifo)
    library = directory / "libspin.so"
    for place in (str(fifo), "/dev/full"):
        shutil.move(built(directory, "lib", LIBRARY, "-shared", "-fPIC"), library)
        opened = Opened(place)
        # Mounted over, it has its name in the map, and is not called deleted.
        functions = spinning_in_a_library(directory, library, lambda pid, place=place: subprocess.run(
            ["nsenter", "-t", str(pid), "-m", "mount", "--bind", place, library], check=True))
        check(not opened(), f"{place} was opened")
        check("spin" in functions, f"the mapped file was not read: {functions}")
    secret = directory / "another"
    secret.write_text("another")
    opened = Opened(secret)

    def replace(_):
        library.unlink()
        library.symlink_to(secret)
    shutil.move(built(directory, "lib", LIBRARY, "-shared", "-fPIC"), library)
    spinning_in_a_library(directory, library, replace)
    check(not opened(), "a link was followed")


def debug_information_that_is_a_pipe(directory):
    """.gnu_debuglink is a name that the program chose, too."""
    library = pathlib.Path(shutil.move(built(directory, "lib", LIBRARY, "-shared", "-fPIC"), directory / "libspin.so"))
    debug = directory / "libspin.debug"
    subprocess.run(["objcopy", "--only-keep-debug", library, debug], check=True)
    subprocess.run(["objcopy", "--remove-section=.note.gnu.build-id", "--strip-debug", f"--add-gnu-debuglink={debug}", library], check=True)

    def replace(_):
        debug.unlink()
        os.mkfifo(debug)
    functions = spinning_in_a_library(directory, library, lambda _: None)
    check("spin" in functions, f"beside its library it is found: {functions}")
    spinning_in_a_library(directory, library, replace)


KEPT = {"sys_ptrace": 19, "dac_read_search": 2, "checkpoint_restore": 40}
OF_BROKER = {"setuid": 7, "setgid": 6, "sys_admin": 21, "dac_override": 1, "fowner": 3}


def effective(pid):
    """Capabilities that any thread of it has, as a set of bits."""
    bits = 0
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        bits |= int(re.search(r"^CapEff:\s+(\w+)", status.read_text(), re.M)[1], 16) | \
            int(re.search(r"^CapPrm:\s+(\w+)", status.read_text(), re.M)[1], 16)
    return bits


def family(pid):
    """It and its descendants."""
    found, new = [], [pid]
    while new:
        found += new
        new = [int(child) for one in new for child in
               " ".join(path.read_text() for path in pathlib.Path(f"/proc/{one}/task").glob("*/children")).split()]
    return found


def mask(names):
    return sum(1 << bit for bit in names.values())


def privileges_are_given_up(directory):
    """Once all is attached, no thread may do more than look; what comes later is found all the same, with its lines."""
    library = pathlib.Path(shutil.move(built(directory, "lib", LIBRARY, "-shared", "-fPIC"), directory / "libspin.so"))
    program = built(directory, "loaded", LOADED, str(library))
    recording = directory / "r.rec"
    for command, more in (("attach", ()), ("record", ("-o", str(recording)))):
        with subprocess.Popen(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", program],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            try:
                server.stdout.readline()
                tool = Started(command, "--profile", "test", *more, "-p", server.pid)
                wait_for(lambda: not effective(tool.process.pid) & ~mask(KEPT), 5, "privileges to be given up")
                server.stdin.write(b"go\n")
                server.stdin.flush()
                for line in tool.process.stderr:
                    if b"EP201" in line:
                        break
                main, *others = family(tool.process.pid)
                check(not effective(main) & ~mask(KEPT), f"{effective(main):x} is too much")
                check(others and any(effective(other) == 0 for other in others), f"who reads symbols? {others}")
                check(all(not effective(other) & ~mask(OF_BROKER) for other in others), "a child has more")
                outcome = tool.interrupt()
            finally:
                server.kill()
        check(outcome.code == 1 and "EP201" in outcome.rules(), outcome.describe())
        stacks = next(f for f in outcome.report["findings"] if f["rule"] == "EP201")["evidence"]["stacks"]
        check(any(frame.get("line") and frame["function"] in ("spin", "main") for stack in stacks for frame in stack["frames"]),
              f"no source lines: {stacks}")
        check(outcome.report["observation"].get("cost"), "what watching costs is not measured")


def an_output_in_a_directory_of_somebody_else(directory):
    """sudo in one's own directory: without its privileges epaudit cannot rename there itself."""
    home = directory / "home"
    home.mkdir(mode=0o755)
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    outcome = epaudit("run", "--as-root", f"--format=text={home}/r.txt", f"--write-baseline={home}/b.json", "--", FIXED,
                      "--seconds", "1")
    check(outcome.code == 0, outcome.describe())
    check(sorted(path.name for path in home.iterdir()) == ["b.json", "r.txt"], str(list(home.iterdir())))


def few_descriptors():
    """64 of them: the report comes, or says why not; the target never notices, and nothing stays loaded."""
    before = programs()
    with serving(FIXED) as server:
        outcome = epaudit("attach", "--duration", "1", "-p", server.pid, prefix=["prlimit", "--nofile=64"])
        check(outcome.code in (0, 3) and (outcome.code == 0 or outcome.err.startswith("epaudit: ")), outcome.describe())
        check(server.poll() is None, "the target died")
    wait_for(lambda: not programs() - before, 10, "no BPF program of ours left")
    return f"exit {outcome.code}"


def links():
    listing = subprocess.run(["bpftool", "--json", "link", "show"], capture_output=True, check=True)
    return {link["id"] for link in json.loads(listing.stdout or b"[]")}


def maps():
    listing = subprocess.run(["bpftool", "--json", "map", "show"], capture_output=True, check=True)
    return {one["id"] for one in json.loads(listing.stdout or b"[]")}


def is_gone(pid):
    """A process of ours, not another one that has got its number."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text() != "epaudit\n" or \
            "State:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def killed_at_any_moment():
    """kill -9 while it loads, seeds, watches: no program, map or link stays, and no process of its own."""
    before = programs(), links(), maps()
    helpers = set()
    with serving(FIXED) as server:
        for delay in (0.05, 0.2, 0.5, 1.0):
            with subprocess.Popen([EPAUDIT, "attach", "-p", str(server.pid)], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) as tool:
                time.sleep(delay)  # not to synchronise: to come at different moments
                helpers |= set(family(tool.pid)) - {tool.pid}
                tool.kill()
        check(helpers, "it had no helper at any moment")
        wait_for(lambda: not programs() - before[0] and not links() - before[1] and not maps() - before[2], 15,
                 "nothing of ours left")
        wait_for(lambda: all(map(is_gone, helpers)), 10, "its helpers to end")
        check(server.poll() is None, "the target died with the tool")


def stopped_for_a_while():
    """SIGSTOP, as a suspended machine: the target goes on meanwhile, nothing healthy is accused of it, and what comes later
    is found."""
    with serving(FIXED) as server:
        tool = Started("attach", "--profile", "test", "-p", server.pid)
        tool.process.send_signal(signal.SIGSTOP)
        ticks = pathlib.Path(f"/proc/{server.pid}/schedstat")
        then = int(ticks.read_text().split()[2])
        time.sleep(3)  # not to synchronise: that is how long it stands still
        wait_for(lambda: int(ticks.read_text().split()[2]) > then, 10, "the target to run meanwhile")
        tool.process.send_signal(signal.SIGCONT)
        outcome = tool.interrupt()
        check(server.poll() is None, "the target died")
    check(outcome.code == 0 and not outcome.rules(), outcome.describe())
    with serving(str(BUILD / "demo_bugs/busy-epollout/bug")) as server:
        tool = Started("attach", "--profile", "test", "-p", server.pid)
        tool.process.send_signal(signal.SIGSTOP)
        time.sleep(2)
        tool.process.send_signal(signal.SIGCONT)
        for line in tool.process.stderr:
            if b"EP201" in line:
                break
        outcome = tool.interrupt()
    check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())


def without_its_helpers():
    """Whoever reads symbols, or holds what privileges are left, is killed: findings stand, the report comes."""
    for _ in range(2):
        with serving(str(BUILD / "demo_bugs/busy-epollout/bug")) as server:
            tool = Started("attach", "--profile", "test", "-p", server.pid)
            for one in family(tool.process.pid)[1:]:
                os.kill(one, signal.SIGKILL)
            for line in tool.process.stderr:
                if b"EP201" in line:
                    break
            outcome = tool.interrupt()
        check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())


def without_the_right_to_change_users():
    """Root that may not become another user reads no symbols as root: it says what is missing, and why."""
    outcome = epaudit("run", "--profile", "test", "--as-root", "--", str(BUILD / "demo_bugs/busy-epollout/bug"), "--seconds", "3",
                      prefix=["setpriv", "--inh-caps", "-setuid", "--bounding-set", "-setuid"])
    check(outcome.code == 1 and outcome.rules() == ["EP201"], outcome.describe())
    notes = [note for note in outcome.report["observation"]["notes"] if "without functions and lines" in note]
    check(len(notes) == 1 and "takes CAP_SETUID and CAP_SETGID" in notes[0] and "crashed" not in notes[0], outcome.describe())


def short_of_memory():
    """The less it may have, the earlier it fails: with a sentence, nothing loaded behind it, and a target that goes on."""
    before = programs(), links(), maps()
    codes = {}
    with serving(FIXED) as server:
        for megabytes in (24, 32, 48, 64, 96, 160, 400):
            outcome = epaudit("attach", "--duration", "1", "-p", server.pid, prefix=["prlimit", f"--as={megabytes << 20}"])
            codes[megabytes] = outcome.code
            if outcome.code == 127:  # the loader could not map the libraries: nothing of ours has run
                continue
            check(outcome.code in (0, 2, 3, 4), f"{megabytes} MB: {outcome.code} {outcome.err[-1500:]}")
            check(outcome.code == 0 or "epaudit: " in outcome.err, f"{megabytes} MB: no word of it: {outcome.err!r}")
            check(server.poll() is None, "the target died")
    check(codes[24] != 0 and codes[400] == 0, f"the test cannot fail: {codes}")
    with serving(str(BUILD / "demo_bugs/busy-epollout/bug")) as server:  # and when it has attached
        tool = Started("attach", "--profile", "test", "--duration", "4", "-p", server.pid)
        resource.prlimit(tool.process.pid, resource.RLIMIT_AS, (1 << 20, 1 << 20))
        outcome = tool.finish()
        check(outcome.code in (1, 3) and "EP201" in outcome.err + str(outcome.report) or "cannot go on" in outcome.err,
              outcome.describe())
        check(server.poll() is None, "the target died")
    wait_for(lambda: not programs() - before[0] and not links() - before[1] and not maps() - before[2], 15,
             "nothing of ours left")
    return str(codes)


JUMPS = """#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long jump(void)  /* to and fro, and further each time, as NTP, an operator or a resumed machine would */
{
    static long by = 3600;
    return by = by > 0 ? -by - 7 : -by + 11;
}
int clock_gettime(clockid_t id, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, now);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += jump();
    if (!failed && id == CLOCK_BOOTTIME) now->tv_sec += labs(jump());
    return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec t;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &t);
    now->tv_sec = t.tv_sec;
    now->tv_usec = t.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *at)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (at) *at = t.tv_sec;
    return t.tv_sec;
}
"""


def clock_steps(directory):
    """The time of day jumps by hours at each look, and the time since boot only forward: what epaudit measures is neither."""
    shim = shutil.move(built(directory, "jumps", JUMPS, "-shared", "-fPIC", "-ldl"), directory / "jumps.so")
    env = {**os.environ, "LD_PRELOAD": str(shim)}
    said = subprocess.run(["date", "+%s"], env=env, capture_output=True, text=True, check=True).stdout
    check(abs(int(said) - time.time()) > 1800, "the clock does not jump: the test cannot fail")
    for name, expected in (("fixed", []), ("bug", ["EP201"])):
        with serving(str(BUILD / f"demo_bugs/busy-epollout/{name}")) as server:
            outcome = epaudit("attach", "--profile", "test", "--duration", "4", "-p", server.pid, env=env)
        check(outcome.rules() == expected and outcome.code == len(expected), outcome.describe())
        check(3.5 < outcome.report["observation"]["seconds"] < 10 * SPEED, outcome.describe())


def a_command_that_becomes_another_user():
    """Started by root, as servers are, and ended by --duration and by Ctrl-C, with less than root's privileges."""
    command = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", FIXED, "--seconds", "60")
    then = time.monotonic()
    outcome = epaudit("run", "--as-root", "--duration", "2", "--", *command, timeout=30)
    check(outcome.code in (0, 3), outcome.describe())  # 3: it had no epoll yet
    outcome = Started("run", "--as-root", "--", *command).interrupt()
    check(outcome.code in (0, 3), outcome.describe())  # 3: it had no epoll yet
    check(time.monotonic() - then < 20 * SPEED, f"{time.monotonic() - then:.0f} s")


def register(suite):
    with suite.side_by_side(SPINNERS):
        suite.run("safety: no secret in any format", in_directory(no_secret_in_any_format))
        suite.run("safety: source text of attach only when asked for", in_directory(source_text_of_attach))
        suite.run("safety: the command is the caller's", in_directory(the_command_is_the_callers))
        suite.run("safety: no ambient capability is passed on", no_ambient_capability_is_passed_on)
        suite.run("safety: a configuration of somebody else", in_directory(a_configuration_of_somebody_else))
        suite.run("safety: clean on a terminal", in_directory(clean_on_a_terminal))
        suite.run("safety: debug information that is a pipe", in_directory(debug_information_that_is_a_pipe))
        suite.run("safety: privileges are given up", in_directory(privileges_are_given_up))
        suite.run("safety: an output in a directory of somebody else", in_directory(an_output_in_a_directory_of_somebody_else))
        suite.run("safety: a command that becomes another user", a_command_that_becomes_another_user)
        suite.run("safety: without the right to change users", without_the_right_to_change_users)
        suite.run("safety: clock steps", in_directory(clock_steps))
        suite.run("safety: stopped for a while", stopped_for_a_while)
        suite.run("safety: without its helpers", without_its_helpers)
    # These look at all programs in the kernel, or at who opens a file of everybody.
    suite.run("safety: a library that became something else", in_directory(a_library_that_became_something_else))
    suite.run("safety: 64 descriptors", few_descriptors)
    suite.run("safety: kill -9 at any moment", killed_at_any_moment)
    suite.run("safety: short of memory", short_of_memory)
