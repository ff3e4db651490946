/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What the loader and the probes agree on beside the books: facts, call classes, sweep records. */
#pragma once

#include "python.h"
#include "rows.h"

/*
 * Addresses that the loader learns from its own descriptors (on_learn in seed.bpf.c), so that neither
 * kallsyms nor kptr_restrict matters. They tell what a file is by its f_op->poll, and which wait-queue
 * entries belong to epoll.
 */
#define FILE_KIND_SLOTS 32 /* a power of two above FILE_KINDS: lets the verifier see the bound */

struct probe_facts {
    u64 poll[FILE_KIND_SLOTS]; /* by enum file_kind; all sockets stand at FILE_TCP */
    u64 ep_poll_callback;
    u64 timerfd_tmrproc;
    u32 pid_level;         /* of our own pid namespace; 0: the first (ids.h) */
    u32 tgid_32bit;        /* the first 32-bit program that was met (abi.h), */
    u32 processes_changed; /* generation of the table of processes; user space and probes count it up */
    u32 timeout_in_ms;     /* do_epoll_wait() takes an int (5.10), not a struct timespec64 * */
    u32 blocking_edges;    /* an edge-triggered file without O_NONBLOCK was seen: calls on such may sleep (EP103) */
    u32 wake_files;        /* a pipe or an eventfd stands in an interest list: writes are looked at as they begin */
    u32 pipe_wakers;     /* a pipe was seen that its own process wakes itself with: its writes are looked at (EP604) */
    u64 pid_namespace;   /* struct pid_namespace *: ours */
    char comm_32bit[16]; /* and its name */
    u64 naps_until;      /* until then calls that return are asked whether they are a nap that is wanted (naps.h) */
    u32 seeded;  /* what existed before we attached is in the books: an event that belongs to nothing there is lost */
    u32 mptcp;   /* enum mptcp_met */
    u32 pythons; /* a Python program is watched, or was (python.h) */
    /* Written often, and so not in a cache line of those above, which every call of a watched process reads. */
    u32 suspicious __attribute__((aligned(64))); /* grows when a probe saw something that deserves a sweep now */
    s32 stacks_left; /* user stacks that may be taken before the next look; user space fills it up */
};

/* Was a multipath TCP socket met, and one of which this kernel does not tell what it keeps (state.h)? */
enum mptcp_met { MPTCP_NONE, MPTCP_MET, MPTCP_UNSEEN };

/* What a system call is to us. The table nr -> class is filled in by the loader. */
enum call_class {
    CALL_NONE = 0,
    CALL_EPOLL_CREATE,
    CALL_EPOLL_CTL,
    CALL_EPOLL_WAIT,   /* timeout in ms */
    CALL_EPOLL_PWAIT2, /* timeout as timespec */
    CALL_READ,         /* fd, buf, count */
    CALL_READV,
    CALL_RECVFROM, /* flags in argument 3 */
    CALL_RECVMSG,  /* flags in argument 2 */
    CALL_RECVMMSG, /* flags in argument 3; result counts messages */
    CALL_WRITE,
    CALL_WRITEV,
    CALL_SENDTO,
    CALL_SENDMSG,
    CALL_SENDMMSG,
    CALL_SPLICE,   /* in 0, out 2 */
    CALL_TEE,      /* in 0 (not consumed), out 1 */
    CALL_SENDFILE, /* out 0, in 1 */
    CALL_ACCEPT,
    CALL_CONNECT,
    CALL_SHUTDOWN,
    CALL_CLOSE,
    CALL_CLOSE_RANGE,
    CALL_DUP,
    CALL_DUP2, /* closes argument 1 */
    CALL_DUP3, /* the same, flags in argument 2 */
    CALL_FCNTL,
    CALL_SETTIME,
    CALL_GETSOCKOPT,
    CALL_IOCTL,
    CALL_FUTEX,
    CALL_IO_URING,
    CALL_CLASSES,
};
#define CALL_TABLE 512

/* How far descriptors are looked through where a call concerns many: in stretches. */
#define FD_STRETCH 64
#define FD_STRETCHES 1024

/* On 5.10-style verifiers a loop needs a bound; events of one return beyond it are counted, not seen. */
#define EVENTS_PER_RETURN 4096
/* Wait-queue entries looked at per wake-up, and registrations of a file in search of one. */
#define CHAIN_MAX 16
/* Registrations of one file, over all epolls, that are booked at attach, swept, and buried with it. */
#define CHAIN_LONGEST 512
#define CHAIN_STRETCH 32 /* so many in one function that is verified once */

struct socket_name {
    u8 local[16];
    u8 peer[16];
    u16 local_port; /* host order */
    u16 peer_port;
    u16 family;
    u16 pad;
};

/* One record per file and registration that deserves a look; see sweep.bpf.c for what does. What most do not have comes
 * last: a record in a ring ends where nothing but zeros would follow. */
struct sweep_record {
    u64 file_id;
    struct file_row file;
    struct file_state state;
    struct socket_name name;
    struct registration_key key; /* epoll 0: no registration (any more) */
    struct registration_row registration;
    u64 time;
    u32 live_mask;          /* as the kernel has it now */
    u32 chain;              /* registrations the kernel knows for this file */
    u32 ready;              /* on the ready list */
    u32 buried;             /* the last words of a registration that died */
    struct fault_row fault; /* zeros: nothing went wrong with it (file.faulty) */
    struct run_row runs;    /* zeros: it has had no run of futile returns (registration.ran) */
};

/* Its bytes up to where only zeros would follow. */
static __always_inline u32 sweep_record_bytes(const struct sweep_record* s)
{
    if (s->registration.ran)
        return sizeof(*s);
    return s->file.faulty ? __builtin_offsetof(struct sweep_record, runs)
                          : __builtin_offsetof(struct sweep_record, fault);
}

/* A piece of a walk through a table where the iterator is refused (sweep.bpf.c): asked for and answered in one piece of
 * memory. The keys are in walk_ids or walk_registrations. It keeps its CPU to itself: so many rows take less than 1 ms. */
#define WALK_KEYS 128

struct walk_piece {
    u32 first; /* of the keys, */
    u32 end;   /* and the one after the last */
    u32 bytes; /* to end when so many wait in the ring */
    u32 next;  /* answer: the first that was not looked at */
};

/*
 * A call as its thread left it at the kernel's door: the registers and the top of the user stack, from which
 * src/symbols unwinds. The slice begins at the start of the page that holds the stack pointer, so that each page
 * is read whole or not at all.
 */
#define STACK_PAGE 4096
#define STACK_PAGES 17 /* at most, the one with the stack pointer included */
#define STACK_REGISTERS 34
#define STACK_SITES 4096 /* distinct places that call epoll_ctl */

struct stack_record {
    u64 time;
    u64 site; /* STACK_ARMED, STACK_LEFT: registration_row.armed_site, left_site */
    u64 file;
    u64 epoll;
    u64 start; /* user address of the first byte of the slice */
    u32 tgid;
    u32 tid;
    s32 fd;
    u32 role;                                  /* enum stack_role */
    u32 bytes;                                 /* that could be read */
    u32 pythons;                               /* frames in `python` */
    u64 registers[STACK_REGISTERS];            /* struct pt_regs of x86-64 (21), struct user_pt_regs of arm64 */
    struct python_frame python[PYTHON_FRAMES]; /* innermost first */
    u8 slice[];
};

/* What on_learn says of one of our own descriptors. */
struct learn_record {
    u32 fd;
    u32 pad;
    u64 poll;
    u64 callback; /* func of the first entry of an eventfd's wait queue */
    u64 function; /* of a timerfd's hrtimer */
};

#ifdef __cplusplus
static_assert(sizeof(struct socket_name) == 40);
static_assert(sizeof(struct walk_piece) == 16);
static_assert(sizeof(struct stack_record) == 5 * 8 + 6 * 4 + STACK_REGISTERS * 8 + PYTHON_FRAMES * 16);
static_assert(sizeof(struct sweep_record) == 8 + sizeof(struct file_row) + 32 + 40 + 24 +
                                                 sizeof(struct registration_row) + 8 + 16 + sizeof(struct fault_row) +
                                                 sizeof(struct run_row));
#endif
