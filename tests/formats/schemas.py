# SPDX-License-Identifier: Apache-2.0
"""JSON that epaudit writes, against docs/schema, and docs/json.md against both."""
import json
import os
import pathlib
import re
import select
import subprocess
import sys
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "docs/schema"


def strict(schema):
    """The same, but for objects with fields that the schema does not name: what is published allows them, so that fields can
    be added, but what this version writes must all be described."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(one) for name, one in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        made["additionalProperties"] = False
    return made


def validator(name, change=lambda schema: schema):
    import jsonschema
    store = {path.name: change(json.loads(path.read_text(encoding="utf-8"))) for path in SCHEMAS.glob("*.json")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the way that replaced it is not in Debian 12
        resolver = jsonschema.RefResolver(base_uri=name + ".json", referrer=store[name + ".json"], store=store)
        jsonschema.Draft7Validator.check_schema(store[name + ".json"])
        return jsonschema.Draft7Validator(store[name + ".json"], resolver=resolver)


def faults(name, document):
    """What of it does not fit, as text: each with its place."""
    found = []
    for change in (lambda schema: schema, strict):
        checker = validator(name, change)
        assert not checker.is_valid({"findings": 1}), f"{name} accepts anything"
        errors = list(checker.iter_errors(document))
        for error in errors:
            error = max(error.context, key=lambda one: len(one.absolute_path), default=error) if error.context else error
            found.append(f"{name} at {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}")
        if errors:
            break
    return found


def fields(schema):
    """Names of all fields that a schema knows."""
    if isinstance(schema, list):
        return set().union(*map(fields, schema)) if schema else set()
    if not isinstance(schema, dict):
        return set()
    own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
    return own.union(*(fields(one) for one in schema.values()))


def undocumented():
    """Fields of the schemas that docs/json.md does not name."""
    text = (ROOT / "docs/json.md").read_text(encoding="utf-8")
    named = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`([^`]+)`", text))))
    return sorted(f"{path.stem}: {name}" for path in SCHEMAS.glob("*.json")
                  for name in fields(json.loads(path.read_text(encoding="utf-8"))) - named)


WAITS = """
import os, select, socket, sys
poll = select.epoll()
keep = []
for pair in (socket.socketpair(), os.pipe(), (os.eventfd(1),)):
    keep.append(pair)
    poll.register(pair[0], select.EPOLLIN)
server = socket.create_server(("127.0.0.1", 0))
poll.register(server, select.EPOLLIN | select.EPOLLEXCLUSIVE)
client = socket.create_connection(server.getsockname())
poll.register(client, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
inner = select.epoll()
poll.register(inner, select.EPOLLIN)
print("ready", flush=True)
sys.stdin.read()
"""


def write_real(epaudit, directory):
    """Output of real runs, as DIRECTORY/real.KIND. What cannot be had here is left out, with the reason."""
    left_out = {}

    def write(kind, *arguments, codes=(0,)):
        done = subprocess.run([epaudit, *arguments], capture_output=True, text=True, check=False, timeout=60)
        if done.returncode in codes:
            (directory / f"real.{kind}").write_text(done.stdout, encoding="utf-8")
        else:
            left_out[kind] = f"exit code {done.returncode}: {done.stderr.strip()[-300:]}"

    write("rules", "rules", "--format", "json")
    write("list", "list", "--format", "json")
    write("doctor", "doctor", "--format", "json", codes=(0, 3))
    log = ROOT / "tests/corpus/busy-epollout-bug.log.zst"
    subprocess.run([epaudit, "strace", log, "--quiet", "--no-config", "--format", f"json={directory}/real.json", "--format",
                    f"ndjson={directory}/real.ndjson", "--write-baseline", directory / "real.baseline"], check=False, timeout=60)
    with subprocess.Popen([sys.executable, "-c", WAITS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as waits:
        select.select([waits.stdout], [], [], 30)
        os.read(waits.stdout.fileno(), 100)
        write("inspect", "inspect", "-p", str(waits.pid), "--format", "json")
        waits.stdin.close()
    return left_out
