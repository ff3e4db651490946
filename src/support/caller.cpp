// SPDX-License-Identifier: Apache-2.0
#include "src/support/caller.h"

#include <pwd.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string_view>
#include <system_error>

namespace epaudit {
namespace {

std::optional<uint32_t> number(const char* text)
{
    const std::string_view digits = text ? text : "";
    uint32_t value = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value == UINT32_MAX)
        return std::nullopt;
    return value;
}

std::string text_of(const char* text) { return text ? text : ""; }

Caller from_entry(const passwd& entry)
{
    return {entry.pw_uid, entry.pw_gid, text_of(entry.pw_name), text_of(entry.pw_dir), text_of(entry.pw_shell)};
}

}  // namespace

std::optional<Caller> sudo_caller()
{
    const auto uid = number(getenv("SUDO_UID")), gid = number(getenv("SUDO_GID"));
    if (geteuid() != 0 || !uid || !gid || *uid == 0)
        return std::nullopt;
    return Caller{*uid, *gid};
}

Caller looked_up(Caller user)
{
    const gid_t gid = user.gid;
    if (const passwd* entry = getpwuid(user.uid))
        user = from_entry(*entry);
    user.gid = gid;
    return user;
}

std::optional<Caller> user_named(const std::string& name)
{
    if (const passwd* entry = getpwnam(name.c_str()))
        return from_entry(*entry);
    const auto uid = number(name.c_str());
    const passwd* entry = uid ? getpwuid(*uid) : nullptr;
    return entry ? std::optional(from_entry(*entry)) : std::nullopt;
}

bool is_trusted_user(uid_t uid)
{
    const auto caller = sudo_caller();
    return uid == 0 || uid == geteuid() || (caller && uid == caller->uid);
}

}  // namespace epaudit
