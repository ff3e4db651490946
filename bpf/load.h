/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * READ(pointer, field, ...) follows fields as BPF_CORE_READ() does, 0 on a fault. Where the kernel has
 * bpf_rdonly_cast() (since 6.2, a35b9af4ec2c) each step is one plain load; else each is a call of
 * bpf_probe_read_kernel(), some twenty times dearer. The verifier drops the branch not taken: it cuts out each such piece
 * and moves all that follows, so those that newer kernels do not take stand together at the end of their function.
 *
 * Not for flavours that this kernel may lack (x___old): clang moves their offsets out of the guarded branch.
 */
#pragma once

#include "typed.h"
#include "types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

extern const volatile bool typed_loads; /* set by the loader */

/*
 * Stands for bpf_rdonly_cast(). The loader puts the kernel function's BTF id in its place (live_typed.cpp).
 * Why not an extern in .ksyms: libbpf 1.1 cannot link two objects that name the same one, and where the
 * kernel lacks it, libbpf looks through the modules' BTF, which takes CAP_SYS_ADMIN.
 */
static void* (*const typed_pointer)(const void* object, u32 type) = (void*)TYPED_POINTER_CALL;

/*
 * The same as a number. A global function takes nothing else on all kernels, and to a verifier that knows typed loads an
 * address read by one is a pointer. It takes no instruction of the machine: both of ours are little-endian.
 */
static __always_inline u64 plain(u64 address)
{
    asm volatile("%0 = le64 %0" : "+r"(address));
    return address;
}

#define READ1(p, field)                                                                                     \
    ({                                                                                                      \
        __typeof__((p)->field) read_value;                                                                  \
        __typeof__(p) read_from = (p);                                                                      \
        if (__builtin_expect(typed_loads, 1)) {                                                             \
            __typeof__(p) read_typed = typed_pointer(read_from, bpf_core_type_id_kernel(__typeof__(*(p)))); \
            u64 read_wide = (u64)read_typed->field;                                                         \
            asm volatile("" : "+r"(read_wide)); /* else clang merges this load with the other branch's */   \
            read_value = (__typeof__(read_value))read_wide;                                                 \
        } else {                                                                                            \
            bpf_core_read(&read_value, sizeof(read_value), &read_from->field);                              \
        }                                                                                                   \
        read_value;                                                                                         \
    })
#define READ2(p, a, b) READ1(READ1(p, a), b)
#define READ_PICK(_1, _2, _3, name, ...) name
#define READ(...) READ_PICK(__VA_ARGS__, READ2, READ1)(__VA_ARGS__)
