# SPDX-License-Identifier: Apache-2.0
"""Asks real shells what they would complete a line to."""
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time

PATIENCE = 30  # seconds until a shell that says nothing counts as hung


class NoShell(Exception):
    """The shell is not installed."""


class Interactive:
    """A shell on a terminal of its own. Ctrl-T inserts all completions into the line, Ctrl-G prints the line."""

    def __init__(self, command, setup, directory):
        if not shutil.which(command[0]):
            raise NoShell(f"{command[0]} is not installed")
        environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "TERM": "dumb", "PS1": "", "LC_ALL": "C.UTF-8"}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execvpe(command[0], command, environment)
        self.seen = ""
        self.type(setup + "\nprintf 'set%s\\n' ' up'\n")
        self.wait(r"set up\r?\n")

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self, pattern):
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.seen, re.DOTALL)):
            ready, _, _ = select.select([self.fd], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"the shell did not answer within {PATIENCE} s: {self.seen[-2000:]!r}")
            self.seen += os.read(self.fd, 65536).decode("utf-8", "replace")
        self.seen = self.seen[found.end():]
        return found

    def complete(self, line):
        """The words that the line has after completion, beyond those typed in full."""
        head = line.rpartition(" ")[0]
        self.type("\x15" + line + "\x14\x07")
        text = self.wait(r"<<<(.*?)>>>")[1]
        assert text.startswith(head), f"the line became {text!r}"
        return text[len(head):].split()

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def bash(script, directory):
    setup = f"""bind '"\\C-t": insert-completions'; bind -x '"\\C-g": printf "<<<%s>>>" "$READLINE_LINE"'; source {script}"""
    return Interactive(["bash", "--norc", "--noprofile", "-i"], setup, directory)


def zsh(script, directory):
    """As a package installs it: found by its name in a folder of $fpath."""
    setup = f"""fpath=({pathlib.Path(script).parent} $fpath)
autoload -Uz compinit && compinit -D -u
zle -C all-matches complete-word _generic; bindkey '^T' all-matches
zstyle ':completion:all-matches:*' completer _all_matches _complete; zstyle ':completion:all-matches:*' insert yes
show-line() {{ print -rn -- "<<<$BUFFER>>>" }}; zle -N show-line; bindkey '^G' show-line; bindkey '^U' kill-whole-line"""
    return Interactive(["zsh", "-f", "-i"], setup, directory)


class Fish:
    """Its completion engine answers without a terminal."""

    def __init__(self, script, directory):
        if not shutil.which("fish"):
            raise NoShell("fish is not installed")
        self.script, self.directory = script, directory

    def complete(self, line):
        environment = os.environ | {"HOME": str(self.directory), "XDG_CONFIG_HOME": str(self.directory)}
        done = subprocess.run(["fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", self.script, line],
                              capture_output=True, text=True, check=True, cwd=self.directory, env=environment, timeout=PATIENCE)
        assert not done.stderr.strip(), done.stderr
        return [answer.split("\t")[0] for answer in done.stdout.splitlines()]

    def close(self):
        pass
