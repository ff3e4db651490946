// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/symbols_filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace epaudit {
namespace {

#if defined(__aarch64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr unsigned kArchitecture = AUDIT_ARCH_X86_64;
#endif

// By a pipe the sanitizers find out whether an address may be read; refused, each call of a virtual function ends us.
#if defined(__SANITIZE_ADDRESS__)
#define EPAUDIT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EPAUDIT_SANITIZED 1
#endif
#endif

constexpr long kAllowed[] = {
    SYS_read,         SYS_pread64,         SYS_readv,          SYS_write,
    SYS_close,        SYS_lseek,           SYS_fcntl,          SYS_dup,
    SYS_dup3,         SYS_fstat,           SYS_newfstatat,     SYS_statx,
    SYS_faccessat,    SYS_readlinkat,      SYS_getcwd,         SYS_getdents64,
    SYS_brk,          SYS_munmap,          SYS_mremap,         SYS_madvise,
    SYS_futex,        SYS_getrandom,       SYS_getpid,         SYS_gettid,
    SYS_sched_yield,  SYS_restart_syscall, SYS_exit,           SYS_exit_group,
    SYS_rt_sigreturn, SYS_rt_sigaction,    SYS_rt_sigprocmask, SYS_setitimer,
    SYS_ppoll,        SYS_recvmsg,         SYS_sendmsg,        SYS_recvfrom,
    SYS_sendto,       SYS_clock_gettime,   SYS_sysinfo,
#if defined(__x86_64__)
    SYS_poll,         SYS_alarm,           SYS_stat,           SYS_lstat,
    SYS_access,       SYS_readlink,        SYS_dup2,
#endif
#if defined(EPAUDIT_SANITIZED)
    SYS_pipe2,
#endif
};

void add(std::vector<sock_filter>& code, unsigned short what, unsigned value, unsigned char yes = 0,
         unsigned char no = 0)
{
    code.push_back({what, yes, no, value});
}

void load(std::vector<sock_filter>& code, size_t offset)
{
    add(code, BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset));
}

void allow(std::vector<sock_filter>& code) { add(code, BPF_RET | BPF_K, SECCOMP_RET_ALLOW); }
void refuse(std::vector<sock_filter>& code) { add(code, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM); }

// Allowed when none of these bits is in its third argument.
void allow_without(std::vector<sock_filter>& code, long call, unsigned bits)
{
    add(code, BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 4);
    load(code, offsetof(seccomp_data, args) + 2 * sizeof(uint64_t));
    add(code, BPF_JMP | BPF_JSET | BPF_K, bits, 1, 0);
    allow(code);
    refuse(code);
}

}  // namespace

bool filter_system_calls()
{
    std::vector<sock_filter> code;
    load(code, offsetof(seccomp_data, arch));
    add(code, BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0);
    add(code, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    load(code, offsetof(seccomp_data, nr));
    for (long call : kAllowed) {
        add(code, BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1);
        allow(code);
    }
    allow_without(code, SYS_openat, O_ACCMODE | O_CREAT | O_TRUNC);
    allow_without(code, SYS_mmap, PROT_EXEC);
    allow_without(code, SYS_mprotect, PROT_EXEC);
    refuse(code);
    const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace epaudit
