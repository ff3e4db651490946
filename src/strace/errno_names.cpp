// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>

#include "src/strace/arguments.h"

namespace epaudit {
namespace {

struct ErrnoName {
    std::string_view name;
    int number;
};

// Sorted by name. Those beyond it never decide anything; they are kept apart from success all the same.
constexpr ErrnoName kErrnoNames[] = {{"E2BIG", 7},
                                     {"EACCES", 13},
                                     {"EADDRINUSE", 98},
                                     {"EADDRNOTAVAIL", 99},
                                     {"EAFNOSUPPORT", 97},
                                     {"EAGAIN", 11},
                                     {"EALREADY", 114},
                                     {"EBADF", 9},
                                     {"EBADFD", 77},
                                     {"EBUSY", 16},
                                     {"ECANCELED", 125},
                                     {"ECHILD", 10},
                                     {"ECONNABORTED", 103},
                                     {"ECONNREFUSED", 111},
                                     {"ECONNRESET", 104},
                                     {"EDESTADDRREQ", 89},
                                     {"EDOM", 33},
                                     {"EEXIST", 17},
                                     {"EFAULT", 14},
                                     {"EFBIG", 27},
                                     {"EHOSTUNREACH", 113},
                                     {"EINPROGRESS", 115},
                                     {"EINTR", 4},
                                     {"EINVAL", 22},
                                     {"EIO", 5},
                                     {"EISCONN", 106},
                                     {"EISDIR", 21},
                                     {"ELOOP", 40},
                                     {"EMFILE", 24},
                                     {"EMSGSIZE", 90},
                                     {"ENETDOWN", 100},
                                     {"ENETUNREACH", 101},
                                     {"ENFILE", 23},
                                     {"ENOBUFS", 105},
                                     {"ENODEV", 19},
                                     {"ENOENT", 2},
                                     {"ENOMEM", 12},
                                     {"ENOPROTOOPT", 92},
                                     {"ENOSPC", 28},
                                     {"ENOSYS", 38},
                                     {"ENOTCONN", 107},
                                     {"ENOTDIR", 20},
                                     {"ENOTSOCK", 88},
                                     {"ENOTTY", 25},
                                     {"EOPNOTSUPP", 95},
                                     {"EPERM", 1},
                                     {"EPIPE", 32},
                                     {"EPROTO", 71},
                                     {"ERANGE", 34},
                                     {"ERESTARTNOHAND", 514},
                                     {"ERESTARTNOINTR", 513},
                                     {"ERESTARTSYS", 512},
                                     {"ERESTART_RESTARTBLOCK", 516},
                                     {"EROFS", 30},
                                     {"ESPIPE", 29},
                                     {"ESRCH", 3},
                                     {"ESTALE", 116},
                                     {"ETIME", 62},
                                     {"ETIMEDOUT", 110},
                                     {"EWOULDBLOCK", 11},
                                     {"EXDEV", 18}};

static_assert(std::is_sorted(std::begin(kErrnoNames), std::end(kErrnoNames),
                             [](const ErrnoName& a, const ErrnoName& b) { return a.name < b.name; }));

}  // namespace

int errno_by_name(std::string_view name)
{
    auto at = std::lower_bound(std::begin(kErrnoNames), std::end(kErrnoNames), name,
                               [](const ErrnoName& e, std::string_view n) { return e.name < n; });
    return at != std::end(kErrnoNames) && at->name == name ? at->number : 0;
}

}  // namespace epaudit
