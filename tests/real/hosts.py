# SPDX-License-Identifier: Apache-2.0
"""Programs whose clients are a side line of theirs: a display (Xvfb) and a virtual machine's disks (QEMU's storage daemon, which
takes to epoll where there is no io_uring and a thread has many connections)."""
import contextlib
import pathlib
import socket
import struct
import sys
import time

from case import Case, Site
from load import connect, exactly, half_close, hold, reset, stopped, together, until
from samples import SOURCES
from servers import free_port, need
from web import version

# --- X ------------------------------------------------------------------------------------------------

HELLO = b"l\0" + struct.pack("<HHHHH", 11, 0, 0, 0, 0)
FOCUS = struct.pack("<BBH", 43, 0, 1)  # GetInputFocus, answered with 32 bytes


def xvfb(directory):
    program, port = need("Xvfb"), free_port()
    return Site([program, f":{port - 6000}", "-listen", "tcp", "-nolisten", "unix", "-nolock", "-ac", "-noreset", "-screen", "0",
                 "1024x768x24"], port, directory)


def x_client(port, **options):
    """(connection, number of the root window)."""
    client = connect(port, **options)
    client.sendall(HELLO)
    head = exactly(client, 8, "Xvfb")
    setup = exactly(client, struct.unpack("<H", head[6:])[0] * 4, "Xvfb")
    vendor, formats = struct.unpack("<H", setup[16:18])[0], setup[21]
    root = 32 + (vendor + 3) // 4 * 4 + formats * 8
    return client, struct.unpack("<I", setup[root:root + 4])[0]


def x_load(site, seconds):
    """Questions one by one and many at once, pictures of the whole screen that nobody reads; then they are quiet."""
    port, busy = site.port, seconds / 3

    def talk():
        client, _ = x_client(port)
        with client:
            for _ in until(busy):
                client.sendall(FOCUS * 20)
                exactly(client, 32 * 20, "Xvfb")

    def come_and_go():
        for turn, _ in enumerate(until(busy)):
            client, _ = x_client(port)
            client.sendall(FOCUS[:2] if turn % 4 == 2 else FOCUS)
            if turn % 2:
                reset(client)
            else:
                client.close()
            time.sleep(0.02)  # between two clients

    def deaf(half_closed):
        client, root = x_client(port, small_buffer=True)
        with client:
            client.sendall(struct.pack("<BBHIHHHHI", 73, 2, 5, root, 0, 0, 1024, 768, 0xffffffff) * 3)  # GetImage
            if half_closed:
                client.shutdown(socket.SHUT_WR)
            time.sleep(seconds - 0.5)  # what it is for
    together(talk, talk, come_and_go, lambda: deaf(False), lambda: deaf(True), lambda: hold(port, seconds, 10),
             lambda: half_close(port, busy, HELLO), lambda: stopped(site.pid, seconds / 8))


# --- QEMU ---------------------------------------------------------------------------------------------

NBD_OPTION, NBD_REQUEST = 0x49484156454F5054, 0x25609513
CROWD = 80  # connections: from 64 on its loop is one of epoll (FDMON_EPOLL_THRESHOLD)


def storage_daemon(directory):
    """This version of QEMU aborts when a client of a thread leaves (nbd_blockdev_client_closed()), so nobody does before the
    end."""
    program, port, clients = need("qemu-storage-daemon"), free_port(), contextlib.ExitStack()
    image = pathlib.Path(directory, "disk")
    with image.open("wb") as file:
        file.truncate(8 << 20)
    site = Site([sys.executable, str(SOURCES / "without_io_uring.py"), program, "--object", "iothread,id=loop", "--blockdev",
                 f"driver=file,node-name=disk,filename={image}", "--nbd-server",
                 f"addr.type=inet,addr.host=127.0.0.1,addr.port={port},max-connections=0", "--export",
                 "type=nbd,id=one,node-name=disk,name=disk,writable=on,iothread=loop,fixed-iothread=on"], port, directory,
                close=clients.close)
    site.clients = clients
    return site


def nbd_client(site, **options):
    client = site.clients.enter_context(connect(site.port, **options))
    exactly(client, 18, "QEMU")
    client.sendall(struct.pack(">IQII", 3, NBD_OPTION, 1, 4) + b"disk")  # EXPORT_NAME: no zeroes behind the answer
    exactly(client, 10, "QEMU")
    return client


def nbd_read(offset, size):
    return struct.pack(">IHHQQI", NBD_REQUEST, 0, 0, 1, offset, size)


def nbd_load(site, seconds):
    """Many virtual machines, most of them idle; large reads that nobody takes, and half of a request."""
    busy = seconds / 3
    for _ in range(CROWD):
        nbd_client(site)

    def talk(size):
        client = nbd_client(site)
        for turn, _ in enumerate(until(busy)):
            client.sendall(nbd_read(turn % 64 * 65536, size) * 2)
            exactly(client, (16 + size) * 2, "QEMU")

    def deaf(request):
        nbd_client(site, small_buffer=True).sendall(request)
        time.sleep(seconds - 0.5)  # what it is for
    together(lambda: talk(4096), lambda: talk(65536), lambda: deaf(nbd_read(0, 4 << 20) * 2), lambda: deaf(nbd_read(0, 512)[:11]),
             lambda: stopped(site.pid, seconds / 8))


CASES = [
    Case("Xvfb", xvfb, x_load, "questions, pictures that nobody reads, half-closes, resets; stopped for a second; then quiet",
         version("xvfb")),
    Case("QEMU, NBD", storage_daemon, nbd_load, "80 connections to a disk, large reads that nobody takes; stopped for a "
         "second; then quiet", version("qemu-system-x86")),
]
