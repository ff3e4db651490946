# SPDX-License-Identifier: Apache-2.0
"""A second reader of recordings, written from docs/recording-format.md and from nothing else."""
import collections
import json
import struct
import subprocess
import zlib

MAGIC = b"epaurec\n"
MOST = 4 << 20
TYPES = {*range(17), *range(32, 41)}
END = 38
EVENTS = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 32}
FIXED = {10: 120, 11: 88, 12: 72, 33: 8}
MULTIPLE = {34: 16, 39: 24, 40: 128}
Event = collections.namedtuple("Event", "kind file_kind flags record mask time file epoll data amount result fd epfd tgid tid state ino cpu delay")


class Damaged(Exception):
    """It does not say what the page says."""


def need(condition, message):
    if not condition:
        raise Damaged(message)


def header(data):
    need(data[:8] == MAGIC, "magic")
    version, length, crc = struct.unpack_from("<III", data, 8)
    need(version == 1 and length <= MOST, "version or length")
    text = data[20:20 + length]
    need(len(text) == length and zlib.crc32(text) == crc, "header")
    parsed = json.loads(text)
    need(isinstance(parsed["sight"]["hooks"], str) and isinstance(parsed["clock"]["monotonic_ns"], int), "header's fields")
    return parsed, 20 + length


def blocks(data, at):
    while at < len(data):
        length, crc = struct.unpack_from("<II", data, at)
        packed = data[at + 8:at + 8 + length]
        need(len(packed) == length and zlib.crc32(packed) == crc, f"frame at {at}")
        block = subprocess.run(["zstd", "-dcq"], input=packed, capture_output=True, check=True).stdout
        need(len(block) <= MOST, "block too large")
        yield block
        at += 8 + length


def records(data):
    _, at = header(data)
    for block in blocks(data, at):
        inside = 0
        while inside < len(block):
            need(len(block) - inside >= 4, "record cut")
            (word,) = struct.unpack_from("<I", block, inside)
            length = word >> 8
            body = block[inside + 4:inside + 4 + length]
            need(len(body) == length, "record cut")
            yield word & 255, body
            if word & 255 == END:
                return
            inside += 4 + length
    raise Damaged("no END")


def event(body):
    need(len(body) in (72, 104, 128), f"an event of {len(body)} bytes")
    found = Event._make(struct.unpack("<BBBBIQQQQqqiiII32sQQQ", body.ljust(128, b"\0")))
    need(found.kind < 32 and found.file_kind < 17 and found.time < 1 << 62, f"{found}")
    need(found.state == bytes(32) or found.flags & 4, "a state that is not said to be valid")
    return found


def read(data):
    """How many records of each type, after each was checked."""
    counts = collections.Counter()
    for kind, body in records(data):
        counts[kind] += 1
        need(kind in TYPES, f"type {kind} is not described")
        if kind in EVENTS:
            need(event(body).record == kind, "record")
        elif kind in FIXED:
            need(len(body) == FIXED[kind], f"type {kind} has {len(body)} bytes")
        elif kind in MULTIPLE:
            need(len(body) % MULTIPLE[kind] == 0, f"type {kind} has {len(body)} bytes")
        elif kind in (35, 36):
            json.loads(body)
        if kind == 10:
            need(body[:4] == b"\0\0\0\x0a", "a row's first word")
    return counts
