# SPDX-License-Identifier: Apache-2.0
"""What waits, and whose fault it is: mistakes that must be found, and pauses that are right (tests/live/waiting.cpp)."""
import signal
import subprocess

from harness import BUILD, SLEEPERS, Final, Started, check, epaudit, found, quiet

WAITING = str(BUILD / "tests/waiting")
MISTAKES = {
    "end-with-data": ("EP301", "likely"),
    "end-under-edge": ("EP301", "likely"),
    "wake-eventfd": ("EP104", "likely"),
    "wake-pipe": ("EP104", "likely"),
    "dropped": ("EP403", "confirmed"),
    "connect-untold": ("EP106", "likely"),
    "stalls": ("EP404", "confirmed"),
    "loop-in-handler": ("EP404", "likely"),
    "inner-unread": ("EP202", "confirmed"),
}
PAUSES = ("blocked-first", "chunks", "lowat", "unix-chunks", "pool", "greeting", "connect-told", "no-room", "rate-limit", "queue-read",
          "inner-read", "inner-direct", "brief-threads", "brief-loop-in-handler")
# Attached once they wait, with thresholds of seconds where the default is minutes.
RULES = ("half-close-missed", "deaf-registration", "oneshot-not-rearmed", "et-read-not-drained", "et-accept-not-drained", "loop-stall",
         "write-stalled")
PATIENCE = ("--profile", "production", "--set", "half-close-missed.half_close_s=1", "--set", "deaf-registration.deaf_s=1",
            *(word for rule in RULES for word in ("--set", f"{rule}.from_start_s=1")))
# What hung when we came: a risk that is named, and no claim that all is well.
HUNG = {
    "end-with-data": "EP301",
    "end-under-edge": "EP301",
    "left-unread": "EP101",
    "left-in-backlog": "EP102",
    "fired": "EP104",
    "fired-end": "EP104",
    "deaf": "EP106",
    "not-polled": "EP404",
    "cut-before": "EP105",
    "pool": "EP106 EP301",  # bytes wait, or nothing but the end
}


def attached(role):
    """Once it waits."""
    server = subprocess.Popen([WAITING, role, "60000"], stdout=subprocess.PIPE, text=True)
    try:
        check(server.stdout.readline() == "waits\n", f"{role} did not come to wait")
        watch = Started("attach", *PATIENCE, "--duration", 3, "-p", server.pid)
        if role == "cut-before":
            server.send_signal(signal.SIGUSR1)
        return watch.finish()
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def quiet_attached(role):
    def test():
        outcome = attached(role)
        if outcome.rules():
            raise Final(outcome.describe())
        check(outcome.code == 0, outcome.describe())
    return test


def found_attached(role, rule, level):
    def test():
        outcome = attached(role)
        check(outcome.rules() == [rule] and rule in outcome.rules((level,)), outcome.describe())
        check(outcome.code == 1, outcome.describe())
    return test


def hung_attached(role, rules):
    """What came before is not known: no finding, and no verdict either."""
    def test():
        outcome = attached(role)
        if outcome.rules():
            raise Final(outcome.describe())
        reasons = {reason["why"] for reason in outcome.report["verdict"]["reasons"]}
        check(outcome.rules(("risk",)) == rules.split(), outcome.describe())
        check(outcome.code == 4 and reasons == {"hung-from-start"}, f"{reasons} {outcome.describe()}")
    return test


def not_judged(role, text):
    """Nobody sees what is taken from such a file, or why such a call is made: no finding, and no claim that all is well."""

    def test():
        outcome = epaudit("run", "--", WAITING, role)
        reasons = outcome.report["verdict"]["reasons"]
        check(outcome.code == 4 and not outcome.rules(("risk", "likely", "confirmed")), outcome.describe())
        check(len(reasons) == 1 and reasons[0]["why"] == "unjudged" and text in reasons[0]["text"], outcome.describe())

    return test


def register(suite):
    with suite.side_by_side(SLEEPERS):
        for role, (rule, level) in MISTAKES.items():
            suite.run(f"waiting {role}", found(WAITING, role, rule, level))
        for role in PAUSES:
            suite.run(f"waiting {role} is quiet", quiet(WAITING, role))
        for role in ("blocked-first", "chunks", "lowat", "unix-chunks", "no-room", "reads-elsewhere"):
            suite.run(f"waiting {role} is quiet, attached", quiet_attached(role))
        for role, rules in HUNG.items():
            suite.run(f"waiting {role} hung from the start, attached", hung_attached(role, rules))
        for role in ("ghost", "ghost-ignored", "ghost-child"):
            suite.run(f"waiting {role}, attached", found_attached(role, "EP303", "confirmed"))
        for role, text in (("queue-unread", "(/epaudit-waiting-"), ("raw-unread", "(socket:["),
                           ("in-vain", "on what is no epoll, or no more, failed"),
                           ("in-vain-for-none", "failed, as it does with maxevents 0")):
            suite.run(f"waiting {role}", not_judged(role, text))
        suite.run("waiting hangs, attached", found_attached("hangs", "EP103", "likely"))
