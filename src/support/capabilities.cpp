// SPDX-License-Identifier: Apache-2.0
#include "src/support/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace epaudit {
namespace {

struct Sets {
    uint64_t effective = 0;
    uint64_t permitted = 0;
};

__user_cap_header_struct header() { return {_LINUX_CAPABILITY_VERSION_3, 0}; }

Sets get()
{
    auto of_thread = header();
    __user_cap_data_struct words[2] = {};
    if (syscall(SYS_capget, &of_thread, words))
        return {};
    return {words[0].effective | uint64_t{words[1].effective} << 32,
            words[0].permitted | uint64_t{words[1].permitted} << 32};
}

bool set(const Sets& sets)
{
    auto of_thread = header();
    __user_cap_data_struct words[2] = {};  // none is inheritable
    for (int i = 0; i < 2; i++) {
        words[i].effective = static_cast<uint32_t>(sets.effective >> 32 * i);
        words[i].permitted = static_cast<uint32_t>(sets.permitted >> 32 * i);
    }
    return syscall(SYS_capset, &of_thread, words) == 0;
}

}  // namespace

Capabilities Capabilities::own()
{
    Capabilities own;
    own.bits_ = get().effective;
    return own;
}

bool use_capabilities(uint64_t bits)
{
    Sets sets = get();
    sets.effective = sets.permitted & bits;
    return set(sets);
}

void keep_capabilities(uint64_t bits)
{
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    Sets sets = get();
    sets.permitted &= bits;
    sets.effective = sets.permitted;
    set(sets);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);  // nor does root's number bring them back by an exec
}

}  // namespace epaudit
