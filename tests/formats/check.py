#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads every made-up report in every format back with the tools of those who will read them.

usage: check.py [NAME...]    (build/tests/epaudit_samples must be built; EPAUDIT_PICTURES=DIR keeps screenshots)
"""
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import browser
import recording
import schemas

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("EPAUDIT_BUILD", ROOT / "build"))
# As published by OASIS (sarif-spec, 2.1.0 errata 01), unchanged.
SARIF_SCHEMA = pathlib.Path(__file__).with_name("sarif-schema-2.1.0.json")


class Skip(Exception):
    """A tool is not here; the text says which."""


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def json_of(path):
    return json.loads(path.read_bytes().decode("utf-8"))


def json_is_valid(path):
    report = json_of(path)
    check(report["schema"] == "epaudit/1", f"schema is {report['schema']}")
    check(isinstance(report["findings"], list), "no findings list")


def sarif_fits_the_schema(path):
    try:
        import jsonschema
    except ImportError:
        raise Skip("python3-jsonschema is not installed") from None
    schema = json_of(SARIF_SCHEMA)
    validator = jsonschema.validators.validator_for(schema)(schema, format_checker=jsonschema.FormatChecker())
    check(not validator.is_valid({"runs": []}), "the validator accepts a log without version")
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in validator.iter_errors(json_of(path))]
    check(not errors, "\n".join(errors))


def sarif_fits_github(path):
    """What GitHub's upload refuses or does not show, from its documentation of SARIF support."""
    log = json_of(path)
    check(log["version"] == "2.1.0" and log["$schema"].endswith("sarif-schema-2.1.0.json"), "version or $schema")
    check(path.stat().st_size < 10 << 20, "larger than 10 MB")
    for run in log["runs"]:
        driver = run["tool"]["driver"]
        check(driver["name"] and re.fullmatch(r"\d+\.\d+\.\d+", driver["semanticVersion"]), "driver name or version")
        ids = [rule["id"] for rule in driver["rules"]]
        check(len(set(ids)) == len(ids), f"rule ids twice: {ids}")
        for rule in driver["rules"]:
            for key in ("shortDescription", "fullDescription", "help"):
                check(rule[key]["text"].strip(), f"{rule['id']} has no {key}")
            check(len(rule["shortDescription"]["text"]) <= 1024 and len(rule["fullDescription"]["text"]) <= 1024,
                  f"{rule['id']}: description too long")
            check(rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error"), "default level")
            check(len(rule["properties"]["tags"]) <= 20, "too many tags")
            check(rule["properties"]["precision"] in ("very-high", "high", "medium", "low"), "precision")
        check(len(run["results"]) <= 25000, "too many results")
        for result in run["results"]:
            check_github_result(result, ids)


def check_github_result(result, ids):
    check(ids[result["ruleIndex"]] == result["ruleId"], "ruleIndex does not lead to ruleId")
    check(result["level"] in ("none", "note", "warning", "error"), f"level {result['level']}")
    check(result["message"]["text"].strip(), "empty message")
    check(result["partialFingerprints"], "no fingerprint")
    check(len(result["locations"]) >= 1, "no location: GitHub does not show it")
    flows = [step["location"] for flow in result.get("codeFlows", []) for thread in flow["threadFlows"]
             for step in thread["locations"]]
    for location in result["locations"] + flows:
        place = location["physicalLocation"]
        uri = place["artifactLocation"]["uri"]
        check(re.fullmatch(r"[!-~]+", uri), f"not a URI: {uri!r}")
        check(uri.startswith("file:///") or not re.match(r"/|[a-z]+:|\.\./", uri), f"neither relative nor file: {uri}")
        check(place["region"]["startLine"] >= 1, "startLine")


def fits(kind, documents):
    try:
        import jsonschema  # noqa: F401
    except ImportError:
        raise Skip("python3-jsonschema is not installed") from None
    for document in documents:
        wrong = schemas.faults(kind, document)
        check(not wrong, "\n".join(wrong[:20]) + "\nfields are added to docs/schema and docs/json.md with the code")


def json_fits_the_schema(path):
    fits("epaudit-1", [json_of(path)])


def ndjson_fits_the_schema(path):
    fits("epaudit-ndjson-1", [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])


def real_output_fits_the_schema(path):
    fits(f"epaudit-{path.suffix[1:]}-1", [json_of(path)])


def every_field_is_described(_):
    missing = schemas.undocumented()
    check(not missing, f"docs/json.md does not name {missing}")


def a_second_reader_reads_it(path):
    """And counts what epaudit counts; cut anywhere or damaged, it is refused."""
    if not shutil.which("zstd"):
        raise Skip("zstd is not installed")
    data = path.read_bytes()
    counts = recording.read(data)
    done = subprocess.run([BUILD / "epaudit", "replay", path, "--format", "json", "--no-config"], capture_output=True, check=False)
    report = json.loads(done.stdout)
    check(report["observation"]["complete"], report["observation"])
    stats = [body for kind, body in recording.records(data) if kind == 34][-1]
    counted = {slot: value for slot, _, value in struct.iter_unpack("<IIQ", stats)}
    check(report["observation"]["postings"] == counted[0], f"{counted}, {report['observation']}")
    parsed, _ = recording.header(data)
    check(report["target"] == {"command": parsed["command"], "pids": parsed["pids"]}, f"{parsed}")
    check(counts[0] > 2500 and counts[33] == counts[34] == counts[10] == 25 and counts[38] == 1, counts)
    for wrong in (data[:-1], data[:len(data) // 2], data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]):
        try:
            recording.read(wrong)
        except (recording.Damaged, struct.error):
            continue
        check(False, "damage was not seen")


def junit_is_well_formed(path):
    if not shutil.which("xmllint"):
        raise Skip("xmllint (libxml2-utils) is not installed")
    done = subprocess.run(["xmllint", "--noout", path], capture_output=True, text=True, check=False)
    check(done.returncode == 0, done.stderr[:2000])


def github_is_one_command_per_line(path):
    for line in path.read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"::(error|warning|notice) ([^\x00-\x1f]*?)::(.+)", line)
        check(match, f"not a workflow command: {line!r}")
        for pair in match[2].split(","):
            check(re.fullmatch(r"(file|line|title)=[^:,\r\n]+", pair), f"property {pair!r} in {line!r}")


def ndjson_is_a_stream(path):
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    types = [line["type"] for line in lines]
    check(types[0] == "begin" and types[-1] == "end" and types.count("begin") == types.count("end") == 1, f"types {types}")
    told = {line["fingerprint"] for line in lines if line["type"] == "finding"}
    check(all(f["fingerprint"] in told for f in lines[-1]["findings"]), "the end names findings that were not told")


def perfetto_fits_the_trace_format(path):
    """What the importer of Chrome's trace JSON needs: numbers, slices of a track nested, flows with both ends."""
    trace = json_of(path)
    slices, flows, named = {}, {}, set()
    for event in trace["traceEvents"]:
        check(event["ph"] in "MXCsf" and isinstance(event["pid"], int), f"event {event}")
        if event["ph"] == "M":
            named.add((event["pid"], event["tid"]))
            continue
        check(isinstance(event["ts"], (int, float)), f"no time: {event}")
        track = (event["pid"], event.get("tid"))
        if event["ph"] == "X":
            check(event["dur"] >= 0, f"negative: {event}")
            slices.setdefault(track, []).append((event["ts"], event["ts"] + event["dur"]))
        elif event["ph"] in "sf":
            flows.setdefault(event["id"], []).append((event["ph"], track, event["ts"]))
    for track, all_of_it in slices.items():
        check(track in named, f"track {track} has no name")
        for (_, end), (begin, _) in zip(sorted(all_of_it), sorted(all_of_it)[1:]):
            check(begin >= end - 1e-3, f"slices of {track} overlap at {begin}")
    for ends in flows.values():
        check(sorted(phase for phase, _, _ in ends) == ["f", "s"], f"flow {ends}")
        for _, track, at in ends:
            check(any(begin - 1e-3 <= at <= end + 1e-3 for begin, end in slices[track]), f"flow {ends} hangs in the air")
    if path.name.startswith("spinning"):
        check(any(e.get("cat") == "wait" for e in trace["traceEvents"]), "no waits")
    if path.name.startswith("stalled"):
        check(flows, "no flows")


def html_in_a_browser(path):
    global BROWSER  # started once, ended with the program
    try:
        BROWSER = BROWSER or browser.Browser()
    except browser.NoBrowser as error:
        raise Skip(str(error)) from None
    found = path.stem not in ("clean", "suppressed")
    wrong = browser.problems(BROWSER, path, charts=found, pictures=os.environ.get("EPAUDIT_PICTURES"))
    check(not wrong, "\n".join(wrong))


BROWSER = None
REPORTS = {
    "html": [html_in_a_browser],
    "ndjson": [ndjson_is_a_stream, ndjson_fits_the_schema],
    "perfetto": [perfetto_fits_the_trace_format],
    "json": [json_is_valid, json_fits_the_schema],
    "sarif": [sarif_fits_the_schema, sarif_fits_github],
    "junit": [junit_is_well_formed],
    "github": [github_is_one_command_per_line],
}
CHECKS = {
    **REPORTS,
    "rec": [a_second_reader_reads_it],
    "rules": [real_output_fits_the_schema, every_field_is_described],
    "doctor": [real_output_fits_the_schema],
    "list": [real_output_fits_the_schema],
    "inspect": [real_output_fits_the_schema],
    "baseline": [real_output_fits_the_schema],
}


def main(only):
    passed, failed, skipped = 0, 0, 0
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([BUILD / "tests/epaudit_samples", directory], check=True)
        for kind, reason in schemas.write_real(BUILD / "epaudit", pathlib.Path(directory)).items():
            skipped += 1
            print(f"skipped real.{kind}: {reason}")
        for path in sorted(pathlib.Path(directory).iterdir()):
            for test in CHECKS.get(path.suffix[1:], []):
                name = f"{path.name} {test.__name__}"
                if only and not any(word in name for word in only):
                    continue
                try:
                    test(path)
                    passed += 1
                except Skip as reason:
                    skipped += 1
                    print(f"skipped {name}: {reason}")
                except Exception as error:  # a failing test must not take the others down
                    failed += 1
                    print(f"FAILED {name}: {type(error).__name__} {error}")
    if BROWSER:
        BROWSER.__exit__()
    print(f"formats: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
