// SPDX-License-Identifier: Apache-2.0
#include "src/support/errno_names.h"

#include <cerrno>
#include <cstring>
#include <map>

namespace epaudit {
namespace {

constexpr int kLargest = 133;  // of Linux, on all architectures but a few that nobody runs any more

using Numbers = std::map<std::string_view, int>;

Numbers all_names()
{
    Numbers numbers;
    for (int number = 1; number <= kLargest; number++)
        if (const std::string_view name = errno_name(number); !name.empty())
            numbers[name] = number;
    numbers["EWOULDBLOCK"] = EWOULDBLOCK;
    numbers["ENOTSUP"] = ENOTSUP;
    numbers["EDEADLOCK"] = EDEADLOCK;
    // include/linux/errno.h: never seen by programs.
    numbers["ERESTARTSYS"] = 512;
    numbers["ERESTARTNOINTR"] = 513;
    numbers["ERESTARTNOHAND"] = 514;
    numbers["ERESTART_RESTARTBLOCK"] = 516;
    return numbers;
}

}  // namespace

std::string_view errno_name(int number)
{
    const char* name = number > 0 ? strerrorname_np(number) : nullptr;
    return name ? name : "";
}

int errno_by_name(std::string_view name)
{
    static const Numbers numbers = all_names();
    const auto at = numbers.find(name);
    return at == numbers.end() ? 0 : at->second;
}

}  // namespace epaudit
