/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The number that stands for bpf_rdonly_cast() until the loader puts in the kernel's own; see load.h. */
#pragma once

#define TYPED_POINTER_CALL 0x7e000001
