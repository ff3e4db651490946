// SPDX-License-Identifier: Apache-2.0
// Programs that do nothing, on the hooks named on the command line: what a hook costs before any work.
//
//   bench_empty tp_btf:sys_enter fentry:#4711 fexit:do_epoll_wait ...     (#: BTF id of the function)
//
// Prints "ready" once all are attached and holds them until standard input ends.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int find(const struct btf *kernel, enum bpf_attach_type type, const char *name)
{
    char typedef_name[128];
    if (name[0] == '#')
        return atoi(name + 1);
    if (type != BPF_TRACE_RAW_TP)
        return btf__find_by_name_kind(kernel, name, BTF_KIND_FUNC);
    snprintf(typedef_name, sizeof(typedef_name), "btf_trace_%s", name);
    return btf__find_by_name_kind(kernel, typedef_name, BTF_KIND_TYPEDEF);
}

static int attach_empty(const struct btf *kernel, enum bpf_attach_type type, const char *name)
{
    struct bpf_insn nothing[2] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K},  // r0 = 0
        {.code = BPF_JMP | BPF_EXIT},
    };
    int id = find(kernel, type, name);
    if (id <= 0)
        return -ENOENT;
    LIBBPF_OPTS(bpf_prog_load_opts, options);
    options.expected_attach_type = type;
    options.attach_btf_id = (unsigned)id;
    int program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "bench_empty", "GPL", nothing, 2, &options);
    if (program < 0)
        return -errno;
    return bpf_raw_tracepoint_open(NULL, program) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
    libbpf_set_print(NULL);
    struct btf *kernel = btf__load_vmlinux_btf();
    if (!kernel) {
        fprintf(stderr, "bench_empty: no kernel BTF\n");
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        const char *name = strchr(argv[i], ':');
        enum bpf_attach_type type = strncmp(argv[i], "fentry:", 7) == 0   ? BPF_TRACE_FENTRY
                                    : strncmp(argv[i], "fexit:", 6) == 0  ? BPF_TRACE_FEXIT
                                                                          : BPF_TRACE_RAW_TP;
        int error = name ? attach_empty(kernel, type, name + 1) : -EINVAL;
        if (error) {
            fprintf(stderr, "bench_empty: %s: %s\n", argv[i], strerror(-error));
            return 1;
        }
    }
    printf("ready\n");
    fflush(stdout);
    char sink[64];
    while (read(STDIN_FILENO, sink, sizeof(sink)) > 0)
        continue;
    return 0;
}
