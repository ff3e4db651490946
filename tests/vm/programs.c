// SPDX-License-Identifier: Apache-2.0
// Prints the ids of all BPF programs in the kernel, in one line. Static: the guest has no bpftool.
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof(attributes));
    while (syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &attributes, sizeof(attributes)) == 0) {
        printf("%u ", attributes.next_id);
        attributes.start_id = attributes.next_id;
    }
    printf("\n");
    return 0;
}
