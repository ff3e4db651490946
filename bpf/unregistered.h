/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Sockets that something waits in and that no epoll holds: connections that were accepted and that nobody has read or
 * written, and listeners. The books do not know them; what the kernel keeps of each says enough (unregistered.bpf.c).
 */
#pragma once

#include "probes.h"

enum socket_flag {
    SOCKET_REGISTERED = 1, /* with some epoll, now */
    SOCKET_ONCE = 2,       /* the books have seen it registered */
    SOCKET_TOUCHED = 4,    /* bytes of it were read, or some were written */
    SOCKET_EARLY = 8,      /* filled in by user space: it was there when the observation began */
    SOCKET_LATE = 16,      /* likewise: it was shown before, and somebody serves it now */
};

#define UNREGISTERED_ASKED 1024

/* What the iterators write; the last six are filled in by user space. */
struct unregistered_socket {
    u64 file;
    u64 ino;
    struct file_state state;
    struct socket_name name;
    u32 tgid; /* who has it, */
    s32 fd;   /* and under which number */
    u8 kind;  /* enum file_kind */
    u8 flags; /* enum socket_flag */
    u16 pad;
    u32 served;     /* connections of the listeners that were served, registered or not */
    u32 connecting; /* sockets of the watched processes whose connect() is in progress */
    u32 holders;    /* processes that have it */
    u32 waiting;    /* of their threads: asleep in epoll_wait */
    u32 awake;      /* and those that may yet come to it: they run, or sleep in a call that is not a wait for work */
    s32 awake_call; /* of one of these: the call it sleeps in; -1: in none, or not known */
    u32 pad2;
};

#ifdef __cplusplus
static_assert(sizeof(struct unregistered_socket) == 16 + 32 + 40 + 8 + 4 + 6 * 4 + 4);
#endif
