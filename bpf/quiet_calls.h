/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Which calls of a quiet process matter (quiet.h). */
#pragma once

#include "calls.h"

static __always_inline bool in_the_books(struct file* file)
{
    return file && may_have_row(crowd_of_file((u64)file)) && books_file(NULL, (u64)file);
}

/* The other number that such a call is about; the first one again: it has none. */
static __always_inline u32 second_number(u32 class, u32 first, u32 second, u32 third)
{
    switch (class) {
    case CALL_DUP2:
    case CALL_DUP3:
    case CALL_TEE:
    case CALL_SENDFILE: return second;
    case CALL_SPLICE: return third;
    default: return first;
    }
}

static __always_inline bool closes(u32 class)
{
    return class == CALL_CLOSE || class == CALL_DUP2 || class == CALL_DUP3;
}

/* Looked at whatever files it is about: rare calls, and writes that may be somebody's waker (take_waker()). */
static __always_inline bool always_matters(u32 class, s64 result)
{
    return class == CALL_CLOSE_RANGE || (facts.pipe_wakers && kind_of_class(class) == POSTING_WRITE) ||
           (class == CALL_CONNECT && result == -ERRNO_EINPROGRESS) ||
           ((class == CALL_DUP2 || class == CALL_DUP3) && result < 0);
}

/*
 * A quiet process makes a call, which begins (then the result is 0) or has returned. Does it matter? If it is one of those that
 * users of epoll make, the process is not quiet any more. Global: verified once.
 */
__noinline int quiet_call_matters(u32 class, u64 first, u64 second, u64 third, s64 result)
{
    bool uses_epoll = class == CALL_EPOLL_CTL || class == CALL_EPOLL_WAIT || class == CALL_EPOLL_PWAIT2 ||
                      (class == CALL_EPOLL_CREATE && result >= 0);
    if (!uses_epoll) {
        if (class == CALL_FUTEX || class == CALL_IO_URING || class == CALL_EPOLL_CREATE)
            return 0;
        struct task_struct* task = current_task();
        struct file* one = file_of_fd(task, (u32)first);
        struct file* other = file_of_fd(task, second_number(class, (u32)first, (u32)second, (u32)third));
        uses_epoll = in_the_books(one) || in_the_books(other) || (closes(class) && is_epoll(other));
    }
    if (uses_epoll)
        end_quiet(current_ids() >> 32);
    return uses_epoll || always_matters(class, result);
}
