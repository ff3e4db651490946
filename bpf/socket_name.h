/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Addresses of an inet socket. */
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "state.h"

static __always_inline void name_socket(struct socket_name* n, struct file* file, u8 kind)
{
    __builtin_memset(n, 0, sizeof(*n));
    if (kind != FILE_TCP && kind != FILE_UDP && kind != FILE_LISTENER)
        return;
    struct sock* sk = sock_of_file(file);
    n->family = READ(sk, __sk_common.skc_family);
    n->local_port = READ(sk, __sk_common.skc_num);
    n->peer_port = __builtin_bswap16(READ(sk, __sk_common.skc_dport));
    if (n->family == AF_INET) {
        u32 local = READ(sk, __sk_common.skc_rcv_saddr);
        u32 peer = READ(sk, __sk_common.skc_daddr);
        __builtin_memcpy(n->local, &local, 4);
        __builtin_memcpy(n->peer, &peer, 4);
    } else if (n->family == AF_INET6) {
        BPF_CORE_READ_INTO((struct in6*)n->local, sk, __sk_common.skc_v6_rcv_saddr);
        BPF_CORE_READ_INTO((struct in6*)n->peer, sk, __sk_common.skc_v6_daddr);
    }
}
