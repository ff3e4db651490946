// SPDX-License-Identifier: Apache-2.0
// Who sits behind us: the user that called sudo, when we are root by sudo.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace epaudit {

struct Caller {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string name{};   // empty: there is no entry for this number
    std::string home{};   // as well
    std::string shell{};  // as well

    std::string shown() const { return name.empty() ? "user " + std::to_string(uid) : name; }
};

// By SUDO_UID and SUDO_GID; nothing when we are not root, or root called sudo. Only root's own environment is believed.
// Numbers alone: nobody is looked up.
std::optional<Caller> sudo_caller();
// With the name, home and shell that belong to the number.
Caller looked_up(Caller user);
// A user by name or number; nothing: there is none.
std::optional<Caller> user_named(const std::string& name);

// Root, ourselves, or who called sudo: what these own, nobody else has put there.
bool is_trusted_user(uid_t uid);

}  // namespace epaudit
