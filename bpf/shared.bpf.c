// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * What programs of several objects do in several places each, as global functions: a program holds each of them once, and
 * its verifier looks at each once, whatever calls it. (Loading takes the kernel the square of a program's size: each
 * branch that it removes and each look-up that it puts in line moves the rest.)
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include "item.h"
#include "ledger.h"

__noinline u64 look_for_item(u64 epoll, u64 file, u32 fd)
{
    struct registration_key key = {.epoll = epoll, .file = file, .fd = (s32)fd, .pad = 0};
    struct item_walk w;
    walk_items(&w, (struct file*)file);
    for (int i = 0; i < CHAIN_MAX; i++) {
        struct epitem* item = next_item(&w);
        if (!item)
            return 0;
        if (item_matches(item, &key))
            return plain((u64)item);
    }
    return ITEM_BEYOND;
}

/* `how`: enum drop_how. */
__noinline int drop_registration(u64 epoll, u64 file, u32 fd, u32 how)
{
    struct registration_key key = {.epoll = epoll, .file = file, .fd = (s32)fd, .pad = 0};
    struct registration_row* r = books_registration(NULL, &key);
    if (!r)
        return 0;
    if (how & DROP_GONE)
        record_gone(RECORD_GONE, epoll, file, (s32)fd);
    ledger_drop_row(NULL, &key, r, how & DROP_FROM_FILE ? books_file(NULL, file) : NULL, how & DROP_FILE_DIES);
    return 0;
}
