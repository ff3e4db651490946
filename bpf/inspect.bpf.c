// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * epaudit inspect: the interest lists as they are now, without the books. The same walk as the seed's: each open file
 * names its registrations. Loaded only for that command, hence the question marks.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "ids.h"
#include "inspect.h"
#include "item.h"
#include "socket_name.h"
#include "state.h"

struct inspected_table {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, INSPECT_EPOLLS);
    __type(key, u64);
    __type(value, u64);
};
struct inspected_table inspected SEC(".maps");

struct file_buffer {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct inspect_file);
};
struct file_buffer file_records SEC(".maps");

/* These two only live on stacks; this makes their layout part of the object, where a test looks it up. */
const struct inspect_epoll* inspect_epoll_layout;
const struct inspect_waiter* inspect_waiter_layout;
const struct inspect_item* inspect_item_layout;

static __always_inline u64 last_arrival(struct task_struct* task)
{
    if (!bpf_core_field_exists(task->sched_info.last_arrival))
        return 0;
    asm volatile("" : "+r"(task)::"memory");
    return BPF_CORE_READ(task, sched_info.last_arrival);
}

/* ep_poll() queues the thread that sleeps; who polls the epoll itself stands on another queue (poll_wait). */
static __always_inline void write_waiters(struct bpf_iter_meta* meta, struct eventpoll* epoll)
{
    struct list_head* head = (void*)epoll + bpf_core_field_offset(epoll->wq.head);
    struct list_head* at = READ(head, next);
    for (int i = 0; i < INSPECT_WAITERS && at && at != head; i++) {
        struct wait_queue_entry* entry = (void*)at - bpf_core_field_offset(struct wait_queue_entry, entry);
        struct task_struct* task = READ(entry, private);
        struct inspect_waiter out = {.kind = INSPECT_WAITER, .epoll = (u64)epoll};
        at = READ(at, next);
        if (!task)
            continue;
        out.tgid = tgid_of(task);
        out.tid = tid_of(task);
        out.ran_at = last_arrival(task);
        BPF_CORE_READ_STR_INTO(&out.comm, task, comm);
        bpf_seq_write(meta->seq, &out, sizeof(out));
    }
}

SEC("?iter/task_file")
int on_inspect_epolls(struct bpf_iter__task_file* ctx)
{
    struct task_struct* task = ctx->task;
    struct file* file = ctx->file;
    if (!task || !file || how_watched(tgid_of(task)) != WATCHED || !is_epoll(file))
        return 0;
    struct inspect_epoll out = {.kind = INSPECT_EPOLL, .fd = (s32)ctx->fd};
    out.tgid = tgid_of(task);
    out.epoll = (u64)READ(file, private_data);
    out.ran_at = last_arrival((struct task_struct*)bpf_get_current_task());
    if (bpf_map_update_elem(&inspected, &out.epoll, &out.epoll, BPF_ANY))
        books_stat(NULL, STAT_EPOLLS_FULL);
    bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
    write_waiters(ctx->meta, (void*)out.epoll);
    return 0;
}

/* As the kernel's pipe_ioctl(FIONREAD), unlocked. */
static __always_inline u64 pipe_bytes(struct pipe_inode_info* pipe, const struct file_state* s)
{
    u32 tail = (u32)s->io;
    u32 slots = READ(pipe, ring_size);
    struct pipe_buffer* bufs = READ(pipe, bufs);
    u64 bytes = 0;
    for (u32 i = 0; i < 256; i++) {
        if (i >= s->unread || !slots)
            break;
        u64 slot = (tail + i) & (slots - 1);
        struct pipe_buffer* buf = (void*)bufs + slot * bpf_core_type_size(struct pipe_buffer);
        bytes += BPF_CORE_READ(buf, len);
    }
    return bytes;
}

/* As unix_inq_len(), unlocked: of the first one a part may have been read. */
static __always_inline u64 unix_bytes(struct sock* sk)
{
    struct sk_buff* head = (void*)sk + bpf_core_field_offset(sk->sk_receive_queue);
    struct sk_buff* at = READ(sk, sk_receive_queue.next);
    u64 bytes = 0;
    if (!at || at == head)
        return 0;
    if (bpf_core_type_exists(struct unix_skb_parms) && READ(sk, sk_type) == SOCK_STREAM) {
        u32 consumed = 0;
        u64 offset = bpf_core_field_offset(at->cb) + bpf_core_field_offset(struct unix_skb_parms, consumed);
        bpf_probe_read_kernel(&consumed, sizeof(consumed), (void*)at + offset);
        bytes -= consumed;
    }
    for (int i = 0; i < 512 && at && at != head; i++) {
        bytes += READ(at, len);
        at = READ(at, next);
    }
    return bytes;
}

static __always_inline void read_path(struct inspect_file* out, struct sock* sk, u8 text_kind)
{
    struct unix_sock* unix_sk = (void*)sk;
    if (!sk || out->text_kind || !bpf_core_field_exists(unix_sk->addr))
        return;
    asm volatile("" : "+r"(unix_sk)::"memory");
    struct unix_address* address = BPF_CORE_READ(unix_sk, addr);
    s32 length = address ? BPF_CORE_READ(address, len) - 2 : 0;
    if (length <= 0 || length > INSPECT_TEXT)
        return;
    void* path = (void*)address + bpf_core_field_offset(struct unix_address, name) +
                 bpf_core_field_offset(struct sockaddr_un, sun_path);
    bpf_probe_read_kernel(out->text, INSPECT_TEXT, path);
    out->text_kind = text_kind;
    out->text_length = (u16)length;
}

static __always_inline void read_unix(struct inspect_file* out, struct sock* sk)
{
    struct unix_sock* unix_sk = (void*)sk;
    struct pid* peer = READ(sk, sk_peer_pid);
    out->peer_pid = number_of(peer);
    if (out->file_kind == FILE_UNIX)
        out->bytes = unix_bytes(sk);
    read_path(out, sk, INSPECT_PATH);
    if (!bpf_core_field_exists(unix_sk->peer))
        return;
    asm volatile("" : "+r"(unix_sk)::"memory");
    read_path(out, BPF_CORE_READ(unix_sk, peer), INSPECT_PEER_PATH);
}

static __always_inline u32 acknowledged(struct sock* sk)
{
    struct mptcp_sock* mptcp = (void*)sk;
    if (bpf_core_field_exists(mptcp->snd_una) && is_mptcp(sk))
        return (u32)READ(mptcp, snd_una);
    return READ((struct tcp_sock*)sk, snd_una);
}

static __always_inline void read_socket(struct inspect_file* out, struct file* file)
{
    struct sock* sk = sock_of_file(file);
    if (!sk)
        return;
    out->name.family = READ(sk, __sk_common.skc_family);
    out->type = (u8)READ(sk, sk_type);
    out->protocol = READ(sk, sk_protocol);
    out->state.sk_state = READ(sk, __sk_common.skc_state);
    out->state.aux |= (u16)READ(sk, sk_err);
    if (out->file_kind == FILE_LISTENER)
        out->limit = READ(sk, sk_max_ack_backlog);
    else if (out->file_kind == FILE_TCP)
        out->unsent = written(sk) - acknowledged(sk);
    if (out->name.family == AF_UNIX)
        read_unix(out, sk);
}

/* What it calls itself: all else that epoll can watch is told by name. */
static __always_inline void read_name(struct inspect_file* out, struct file* file)
{
    const unsigned char* name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
    if (!name || bpf_probe_read_kernel_str(out->text, sizeof(out->text), name) < 0)
        return;
    out->text_kind = BPF_CORE_READ(file, f_inode, i_sb, s_magic) == ANON_INODE_FS_MAGIC ? INSPECT_ANON : INSPECT_NAME;
}

static __always_inline void describe(struct inspect_file* out, struct file* file)
{
    u8 kind = kind_of_file(file);
    out->kind = INSPECT_FILE;
    out->file = (u64)file;
    out->file_kind = kind;
    out->ino = READ(file, f_inode, i_ino);
    out->nonblock = (READ(file, f_flags) & O_NONBLOCK_BIT) != 0;
    read_token(&out->state, file, kind);
    read_output(&out->state, file, kind);
    name_socket(&out->name, file, kind);
    if ((READ(file, f_inode, i_mode) & S_IFMT) == S_IFSOCK)
        read_socket(out, file);
    else if (kind == FILE_PIPE)
        out->bytes = pipe_bytes(READ(file, private_data), &out->state);
    else if (kind == FILE_EPOLL)
        out->inner = (u64)READ(file, private_data);
    else if (kind == FILE_OTHER)
        read_name(out, file);
}

static __always_inline bool is_inspected(struct epitem* item)
{
    u64 epoll = (u64)READ(item, ep);
    return bpf_map_lookup_elem(&inspected, &epoll) != NULL;
}

static __always_inline struct epitem* first_inspected(struct item_walk* w)
{
    for (int i = 0; i < CHAIN_LONGEST; i++) {
        struct epitem* item = next_item(w);
        if (!item || is_inspected(item))
            return item;
    }
    books_stat(NULL, STAT_CHAIN_BEYOND);
    return NULL;
}

/* Became ready while another thread was taking events off the ready list. */
static __always_inline bool is_on_ovflist(struct epitem* item)
{
    struct epitem___next* old = (void*)item;
    struct epitem___ovflist_next* renamed = (void*)item;
    if (bpf_core_field_exists(old->next)) {
        asm volatile("" : "+r"(old)::"memory"); /* as in walk_items() */
        return BPF_CORE_READ(old, next) != (void*)-1L;
    }
    if (!bpf_core_field_exists(renamed->ovflist_next))
        return false;
    asm volatile("" : "+r"(renamed)::"memory");
    return BPF_CORE_READ(renamed, ovflist_next) != (void*)-1L;
}

static __always_inline void write_item(struct bpf_iter_meta* meta, struct epitem* item, struct file* file)
{
    struct inspect_item out = {.kind = INSPECT_ITEM, .item = (u64)item, .file = (u64)file};
    out.epoll = (u64)READ(item, ep);
    out.mask = READ(item, event.events);
    out.data = READ(item, event.data);
    out.fd = READ(item, ffd.fd);
    out.ready = item_is_ready(item) || is_on_ovflist(item);
    bpf_seq_write(meta->seq, &out, sizeof(out));
}

/* Every process is asked, not only the inspected ones: a closed descriptor may live on as somebody else's. */
SEC("?iter/task_file")
int on_inspect_files(struct bpf_iter__task_file* ctx)
{
    struct task_struct* task = ctx->task;
    struct file* file = ctx->file;
    u32 zero = 0;
    if (!task || !file)
        return 0;
    struct item_walk w;
    walk_items(&w, file);
    struct epitem* item = first_inspected(&w);
    struct inspect_file* out = item ? bpf_map_lookup_elem(&file_records, &zero) : NULL;
    if (!out)
        return 0;
    __builtin_memset(out, 0, sizeof(*out));
    out->tgid = tgid_of(task);
    out->fd = (s32)ctx->fd;
    describe(out, file);
    bpf_seq_write(ctx->meta->seq, out, sizeof(*out));
    for (int i = 0; i < INSPECT_ITEMS && item; i++) {
        if (is_inspected(item))
            write_item(ctx->meta, item, file);
        item = next_item(&w);
    }
    if (item)
        books_stat(NULL, STAT_CHAIN_BEYOND);
    return 0;
}
