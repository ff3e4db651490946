#!/usr/bin/env python3
"""Copies a BPF object with one line_info a function in its .BTF.ext: of which source line its first instruction is.

The kernel keeps line_info with every loaded program and prints it in a verifier's log. All of it was a third of the object,
670 kB of what is installed and 10 MB of epaudit's memory while it loads. The object that was linked keeps all, for
llvm-objdump -S. With none at all, libbpf warns about each program; and without .BTF.ext, which is what bpftool and strip
could take away, nothing loads: the relocations (CO-RE) are in it.

Layout: struct btf_ext_header and what follows in libbpf (src/libbpf_internal.h); offsets count from the header's end.
"""

import pathlib
import struct
import sys

BTF_EXT_HEADER = struct.Struct("<HBBI6I")  # magic, version, flags, hdr_len, then (offset, length) of func_info, line_info, core_relo
MAGIC = 0xEB9F
SECTION = struct.Struct("<IIQQQQIIQQ")  # Elf64_Shdr: name, type, flags, addr, offset, size, link, info, addralign, entsize
SHT_NOBITS = 8


def records(info):
    """Of each program section: the offset of its name, and its records, whose first word is the instruction's offset."""
    size, = struct.unpack_from("<I", info)
    at = 4
    while at < len(info):
        name, count = struct.unpack_from("<II", info, at)
        at += 8
        yield name, size, [info[at + index * size:at + (index + 1) * size] for index in range(count)]
        at += count * size


def first_lines(lines, functions):
    starts = {name: {record[:4] for record in found} for name, _, found in records(functions)}
    out = lines[:4]
    for name, _, found in records(lines):
        kept = [record for record in found if record[:4] in starts[name]]
        if len(kept) != len(starts[name]):
            sys.exit("fewer_lines: a function whose first instruction has no line")  # the kernel would refuse the program
        out += struct.pack("<II", name, len(kept)) + b"".join(kept)
    return out


def shorter(ext):
    magic, version, flags, head, *places = BTF_EXT_HEADER.unpack_from(ext)
    if magic != MAGIC or version != 1 or head != BTF_EXT_HEADER.size:
        sys.exit("fewer_lines: this .BTF.ext is not of the layout that is known")
    functions, lines, relocations = (ext[head + at:][:size] for at, size in zip(places[::2], places[1::2]))
    lines = first_lines(lines, functions)
    header, at = [], 0
    for part in (functions, lines, relocations):
        header += at, len(part)
        at += len(part)
    return BTF_EXT_HEADER.pack(magic, version, flags, head, *header) + functions + lines + relocations


def main(source, target):
    data = pathlib.Path(source).read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        sys.exit(f"fewer_lines: {source} is no 64-bit little-endian ELF file")
    table, = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3A)
    sections = [list(SECTION.unpack_from(data, table + index * size)) for index in range(count)]
    strings = sections[names][4]
    out = bytearray(data[:0x40])
    for section in sections[1:]:
        name = data[strings + section[0]:data.index(b"\0", strings + section[0])]
        content = b"" if section[1] == SHT_NOBITS else data[section[4]:section[4] + section[5]]
        if name == b".BTF.ext":
            content = shorter(content)
            section[5] = len(content)
        out += bytes(-len(out) % max(section[8], 1))
        section[4] = len(out)
        out += content
    out += bytes(-len(out) % 8)
    struct.pack_into("<Q", out, 0x28, len(out))
    for section in sections:
        out += SECTION.pack(*section)
    pathlib.Path(target).write_bytes(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
