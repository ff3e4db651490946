/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The few kernel structs we rely on, as CO-RE sees them: only the fields we read, offsets relocated at
 * load time against the running kernel's BTF. Every difference between kernels lives here and nowhere
 * else; `x___old` names a flavour (libbpf ignores what follows three underscores).
 */
#pragma once

#include "types.h"
#include "load.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
    struct list_head *next, *prev;
};

struct hlist_node {
    struct hlist_node *next, **pprev;
};

struct hlist_head {
    struct hlist_node* first;
};

struct pt_regs {
    unsigned long bp, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, sp; /* x86-64 */
};

struct file_operations {
    void* poll;
};

struct super_block {
    unsigned long s_magic;
};

struct inode {
    unsigned long i_ino;
    struct super_block* i_sb;
    unsigned short i_mode;
};

struct qstr {
    const unsigned char* name;
};

struct dentry {
    struct qstr d_name;
};

struct path {
    struct dentry* dentry;
};

struct file {
    unsigned int f_flags;
    struct file_operations* f_op;
    struct inode* f_inode;
    struct path f_path;
    void* private_data;
    struct hlist_head* f_ep; /* since 5.11 (319c15174757) */
};

struct file___links { /* up to 5.10: the epitems hang on the file itself */
    struct list_head f_ep_links;
};

struct file___count { /* up to 6.12 */
    struct {
        s64 counter;
    } f_count;
};

struct file___ref { /* since 6.13 (90ee6ed776c0): one reference is stored as 0 */
    struct {
        struct {
            s64 counter;
        } refcnt;
    } f_ref;
};

struct fdtable {
    unsigned int max_fds;
    unsigned long* close_on_exec; /* a bit per descriptor */
    unsigned long* open_fds;
    struct file** fd;
};

struct files_struct {
    struct {
        int counter;
    } count; /* tasks that share it */
    struct fdtable* fdt;
};

struct sched_entity {
    u64 sum_exec_runtime;
};

struct rlimit {
    unsigned long rlim_cur;
};

struct mm_struct {
    unsigned long task_size;            /* of user space: TASK_SIZE at exec */
    unsigned long start_code, end_code; /* of the program itself, without its libraries */
    unsigned long start_stack;          /* of the first thread: the lowest byte that exec put there */
};

struct signal_struct {
    struct {
        int counter;
    } live;
    struct rlimit rlim[16];
};

struct wait_queue_head {
    struct list_head head;
};

struct wait_queue_entry {
    void* private; /* in epoll_wait: the task that sleeps */
    void* func;
    struct list_head entry;
};

struct sighand_struct {
    struct wait_queue_head signalfd_wqh;
};

struct thread_info {
    u32 status; /* x86: TS_COMPAT while in a 32-bit call */
};

struct pid_namespace;

struct upid {
    int nr;
    struct pid_namespace* ns;
};

struct pid {
    unsigned int level;
    struct upid numbers[1]; /* level + 1 of them */
};

struct sched_info {
    u64 run_delay;    /* ns, with CONFIG_SCHED_INFO */
    u64 last_arrival; /* when it last got a CPU, in the scheduler's clock */
};

struct task_struct {
    struct thread_info thread_info;
    struct sched_info sched_info;
    void* stack;
    int pid, tgid;
    struct pid* thread_pid;
    struct task_struct* group_leader;
    struct mm_struct* mm;
    char comm[16];
    unsigned int __state; /* since 5.14 (2f064a59a11f) */
    unsigned int flags;
    unsigned frozen : 1; /* with CONFIG_CGROUPS: stopped, traced, or in the trap of the cgroup v2 freezer */
    unsigned long nvcsw; /* voluntary context switches */
    struct files_struct* files;
    struct signal_struct* signal;
    struct sighand_struct* sighand;
    struct sched_entity se;
};

struct task_struct___state { /* up to 5.13 */
    long state;
};

/* --- epoll (fs/eventpoll.c) --- */

/* struct epoll_filefd was renamed epoll_key in 7.2: reach it only through epitem.ffd. */
struct epoll_filefd {
    struct file* file;
    int fd;
};

struct epoll_key { /* only for do_epoll_ctl_file(), which came with it */
    struct file* file;
    int fd;
};

struct epitem {
    struct list_head rdllink;
    struct epoll_filefd ffd;
    struct eventpoll* ep;
    struct hlist_node fllink; /* since 5.11 */
    struct {
        u32 events;
        u64 data;
    } event;
};

/* EP_UNACTIVE_PTR (-1) while it is not on ovflist; the name was changed in 6.18. */
struct epitem___next {
    struct epitem* next;
};

struct epitem___ovflist_next {
    struct epitem* ovflist_next;
};

struct epitem___links { /* up to 5.10 */
    struct list_head fllink;
};

struct eppoll_entry {
    struct epitem* base;
    struct wait_queue_entry wait;
};

struct eventpoll {
    struct wait_queue_head wq; /* threads asleep in epoll_wait */
    struct list_head rdllist;
};

/* --- sockets --- */

struct sk_buff {
    struct sk_buff* next;
    unsigned int len;
    char cb[48];
};

struct sk_buff_head {
    struct sk_buff* next;
    u32 qlen;
};

struct in6 {
    u8 bytes[16];
};

struct netns_ipv4 {
    unsigned int sysctl_tcp_notsent_lowat;
};

struct net {
    struct netns_ipv4 ipv4;
};

typedef struct {
    struct net* net;
} possible_net_t;

struct sock_common {
    possible_net_t skc_net;
    u32 skc_daddr, skc_rcv_saddr;
    u16 skc_dport, skc_num;
    u16 skc_family;
    u8 skc_state;
    struct in6 skc_v6_daddr, skc_v6_rcv_saddr;
};

struct socket_wq {
    struct wait_queue_head wait;
};

struct socket {
    struct file* file;
    struct sock* sk;
};

struct sock {
    struct sock_common __sk_common;
    struct sk_buff_head sk_receive_queue;
    struct sk_buff_head sk_error_queue;
    struct socket_wq* sk_wq;
    struct socket* sk_socket;
    struct pid* sk_peer_pid;
    struct {
        struct {
            int counter;
        } refs;
    } sk_wmem_alloc; /* what AF_UNIX counts by */
    int sk_sndbuf, sk_wmem_queued, sk_err;
    u32 sk_ack_backlog, sk_max_ack_backlog;
    u16 sk_type, sk_protocol;
    u8 sk_shutdown;
};

struct tcp_sock {
    u32 rcv_nxt, copied_seq, write_seq, snd_una, snd_nxt;
    u32 data_segs_out;
    u64 bytes_received;
    u32 notsent_lowat; /* TCP_NOTSENT_LOWAT; 0: as the network namespace has it */
};

/* Requests of io_uring. What is particular to an operation lies at the beginning of its request. */
struct io_cqe {
    s32 res;
};

struct io_kiocb {
    u8 opcode;
    struct io_cqe cqe;
};

struct io_close {
    int fd;
    u32 file_slot; /* since 5.15 */
};

struct epoll_event {
    u32 events;
};

struct io_epoll {
    int epfd, op, fd;
    struct epoll_event event;
};

/* Multipath TCP: one socket towards the program, over several TCP sockets of the kernel's own. */
struct mptcp_sock {
    u64 write_seq, snd_una, bytes_received, bytes_consumed;
    struct sock* first; /* of a listener the only one, at which connections queue up */
};

struct udp_sock {
    struct sk_buff_head reader_queue;
};

/* AF_UNIX may be a module: ask before use. */
struct sockaddr_un {
    u16 sun_family;
    char sun_path[108];
};

struct unix_address {
    int len; /* of `name`; the path needs no terminator */
    struct sockaddr_un name[0];
};

struct unix_sock {
    struct unix_address* addr;
    struct sock* peer;
};

struct unix_skb_parms {
    u32 consumed;
};

/* --- pipe, eventfd, timerfd --- */

struct pipe_buffer {
    u32 len;
};

struct pipe_inode_info {
    u32 head, tail;
    u32 ring_size;
    struct pipe_buffer* bufs;
    struct wait_queue_head rd_wait, wr_wait;
};

struct pipe_inode_info___short { /* pipe_index_t is 16 bits where CONFIG_64BIT is off (6.14) */
    u16 head, tail;
};

struct eventfd_ctx {
    struct wait_queue_head wqh;
    u64 count;
};

struct hrtimer {
    void* function;
};

struct timerfd_ctx {
    union {
        struct hrtimer tmr;
    } t;
    struct wait_queue_head wqh;
    u64 ticks;
};

/* --- iterators --- */

struct seq_file;

struct bpf_iter_meta {
    struct seq_file* seq;
    u64 session_id;
    u64 seq_num;
};

struct bpf_iter__task_file {
    struct bpf_iter_meta* meta;
    struct task_struct* task;
    u32 fd;
    struct file* file;
};

struct bpf_map;

struct bpf_iter__bpf_map_elem {
    struct bpf_iter_meta* meta;
    struct bpf_map* map;
    void* key;
    void* value;
};

#pragma clang attribute pop

#define TCP_CLOSE_WAIT 8
#define TCP_LISTEN 10
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define O_CLOEXEC_BIT 02000000
#define RLIMIT_NOFILE_SLOT 7
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_MPTCP 262
#define RCV_SHUTDOWN 1
#define SEND_SHUTDOWN 2
#define S_IFMT 0170000
#define S_IFIFO 0010000
#define S_IFSOCK 0140000
#define ANON_INODE_FS_MAGIC 0x09041934
#define O_NONBLOCK_BIT 04000
#define MSG_PEEK_BIT 0x2
#define MSG_DONTWAIT_BIT 0x40
#define MSG_ERRQUEUE_BIT 0x2000
#define ERRNO_ENOMEM 12
#define ERRNO_EEXIST 17
#define CLOSE_RANGE_UNSHARE_BIT 2
#define TS_COMPAT_BIT 2
#define TASK_STOPPED_BIT 0x4
#define TASK_TRACED_BIT 0x8
#define TASK_FROZEN_BIT 0x8000 /* the cgroup v1 freezer and suspend, since 6.1 (f5d39b020809); */
#define PF_FROZEN_BIT 0x10000  /* up to 6.0 */
