/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Calls that move data, and those that open or end its flow. Included by calls.h. */
#pragma once

#include "call.h"

static __always_inline struct file_row *row_of_fd(struct call *c, u32 fd)
{
    struct file *file = file_of_fd(current_task(), fd);
    if (!file)
        return NULL;
    c->posting.file = (u64)file;
    c->posting.fd = (s32)fd;
    return books_file(NULL, (u64)file);
}

static __always_inline void with_input(struct call *c, const struct file_row *f)
{
    c->posting.file_kind = f->kind;
    c->posting.flags |= POSTING_STATE;
    read_input(&c->posting.state, (struct file *)c->posting.file, f->kind);
}

static __noinline void post_read(struct call *c, u32 fd)
{
    c->posting.kind = POSTING_READ;
    struct file_row *f = row_of_fd(c, fd);
    if (!f)
        return;
    with_input(c, f);
    if (f->kind == FILE_LISTENER)
        return;
    ledger_read(NULL, f, &c->posting);
}

static __noinline void post_peek(struct call *c, u8 kind, u32 fd)
{
    c->posting.kind = kind;
    struct file_row *f = row_of_fd(c, fd);
    if (!f)
        return;
    if (kind == POSTING_PEEK)
        ledger_peek(NULL, f, &c->posting);
    else
        ledger_cleared(NULL, f, &c->posting);
}

static __noinline void post_write(struct call *c, u32 fd)
{
    c->posting.kind = POSTING_WRITE;
    struct file_row *f = row_of_fd(c, fd);
    if (!c->posting.file)
        return;
    if (f || reaches_others((struct file *)c->posting.file))
        ledger_wrote(NULL, &c->posting);
    if (!f)
        return;
    c->posting.file_kind = f->kind;
    if (c->posting.result > 0 && !c->posting.amount) {
        c->posting.flags |= POSTING_STATE;
        read_output(&c->posting.state, (struct file *)c->posting.file, f->kind);
        if (f->kind != FILE_TCP && f->kind != FILE_UNIX)
            c->posting.state.flags |= STATE_WRITABLE;
    }
    ledger_write(NULL, f, &c->posting);
}

static __noinline void post_accept(struct call *c)
{
    c->posting.kind = POSTING_ACCEPT;
    struct file_row *f = row_of_fd(c, (u32)c->argument[0]);
    if (!f)
        return;
    f->kind = FILE_LISTENER; /* it may have been registered before listen() */
    with_input(c, f);
    ledger_accept(NULL, f, &c->posting);
}

static __noinline void post_other(struct call *c, u8 class)
{
    struct file_row *f = row_of_fd(c, (u32)c->argument[0]);
    if (!f)
        return;
    if (class == CALL_CONNECT) {
        c->posting.kind = POSTING_CONNECT;
        ledger_connect(NULL, f, &c->posting);
    } else if (class == CALL_SHUTDOWN) {
        c->posting.kind = POSTING_SHUTDOWN;
        c->posting.amount = (s64)c->argument[1];
        ledger_shutdown(NULL, &c->posting);
    } else if (class == CALL_SETTIME) {
        c->posting.kind = POSTING_SETTIME;
        ledger_cleared(NULL, f, &c->posting);
    } else if (class == CALL_FCNTL) {
        struct file *file = (void *)c->posting.file;
        c->posting.kind = POSTING_FCNTL;
        if (BPF_CORE_READ(file, f_flags) & O_NONBLOCK_BIT)
            c->posting.flags |= POSTING_NONBLOCK;
        ledger_fcntl(NULL, &c->posting);
    }
}

static __noinline void post_close(struct call *c, u32 fd)
{
    c->posting.kind = POSTING_CLOSE;
    struct file_row *f = row_of_fd(c, fd);
    struct file *file = (struct file *)c->posting.file;
    if (!file)
        return;
    bool last = last_reference(file);
    if (last && is_epoll(file)) {
        u64 epoll = (u64)BPF_CORE_READ(file, private_data);
        bpf_map_delete_elem(&epoll_rows, &epoll);
    }
    if (!f)
        return;
    if (last)
        c->posting.flags |= POSTING_LAST;
    ledger_close(NULL, &c->posting);
}
