/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What one look at the interest lists writes: records one after the other, each beginning with its kind. An epoll is
 * followed by its waiters, an open file by its registrations. A file appears once for each descriptor that leads to
 * it, in whichever process.
 */
#pragma once

#include "posting.h"
#include "probes.h"

enum inspect_kind {
    INSPECT_EPOLL = 1,
    INSPECT_WAITER = 2,
    INSPECT_FILE = 3,
    INSPECT_ITEM = 4,
};

#define INSPECT_EPOLLS 4096
#define INSPECT_WAITERS 256 /* of one epoll */
#define INSPECT_ITEMS 256   /* of one file, in the epolls that are inspected: what fits one record buffer (32 KiB) */
#define INSPECT_TEXT 108    /* sun_path */

struct inspect_epoll {
    u32 kind;
    u32 tgid; /* who has it, */
    u64 epoll;
    u64 ran_at; /* our own last_arrival: what those of the waiters are compared with */
    s32 fd;     /* and under which number */
    u32 pad;
};

struct inspect_waiter {
    u32 kind;
    u32 tgid;
    u64 epoll;
    u64 ran_at; /* when it last got a CPU, in the scheduler's clock; 0: this kernel does not say */
    u32 tid;
    u32 pad;
    char comm[16];
};

enum inspect_text {
    INSPECT_NO_TEXT = 0,
    INSPECT_PATH = 1,      /* of a UNIX socket */
    INSPECT_PEER_PATH = 2, /* of the one it is connected to */
    INSPECT_ANON = 3,      /* name of an anonymous inode: "inotify" */
    INSPECT_NAME = 4,      /* last part of a path: "tty", "3" */
};

struct inspect_file {
    u32 kind;
    u32 tgid;
    u64 file;
    u64 inner; /* an epoll: its struct eventpoll */
    u64 ino;
    u64 bytes; /* unread, of pipes and UNIX sockets */
    struct file_state state;
    struct socket_name name;
    s32 fd;       /* the descriptor that led to it */
    u32 unsent;   /* tcp: bytes not yet acknowledged */
    u32 limit;    /* listener: of the backlog */
    u32 peer_pid; /* UNIX socket: who made the other end */
    u16 protocol;
    u16 text_length; /* 0: up to the first NUL */
    u8 file_kind;    /* enum file_kind */
    u8 text_kind;    /* enum inspect_text */
    u8 type;         /* SOCK_STREAM, ... */
    u8 nonblock;
    char text[INSPECT_TEXT];
    u32 pad;
};

struct inspect_item {
    u32 kind;
    u32 mask;
    u64 epoll;
    u64 file;
    u64 item; /* struct epitem *: tells a registration from a later one of the same file */
    u64 data;
    s32 fd; /* the number it was registered under */
    u32 ready;
};

#ifdef __cplusplus
static_assert(sizeof(struct inspect_epoll) == 32);
static_assert(sizeof(struct inspect_waiter) == 48);
static_assert(sizeof(struct inspect_file) == 5 * 8 + 32 + 40 + 4 * 4 + 8 + INSPECT_TEXT + 4);
static_assert(sizeof(struct inspect_item) == 48);
#endif
