// SPDX-License-Identifier: Apache-2.0
// EP106, its extreme: a connection that was accepted and is registered nowhere, or a listener, while something waits in it
// and everybody who could come for it is asleep.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "rules/stuck.h"

namespace epaudit {

// EP106 lists them among its own; the second decides about its other sockets as well.
inline constexpr Threshold kUnregisteredS{
    "unregistered_s",
    {30, 3, Unit::kSeconds},
    "the same, for what is registered nowhere",
    {"sockets put aside on purpose are accused", "it is told later, and shorter stalls not at all"},
    kPatience};
inline constexpr Threshold kSockets{"sockets",
                                    {3, 3, Unit::kCount},
                                    "such sockets of one process at once, to be confirmed",
                                    {"one socket put aside confirms it", "rare cases stay likely"}};

class Unregistered {
public:
    // `from_start` is told of those that hang since before the observation; its settle() comes after.
    void audit(const RuleInfo& rule, const Snapshot& books, const Settings& settings, FromStart& from_start,
               std::vector<Finding>& out);

private:
    using Socket = std::pair<uint64_t, uint64_t>;  // address and inode
    struct Sight {
        uint64_t since = 0;       // first seen so,
        uint64_t idle_since = 0;  // and since then nobody was seen at work
        uint64_t waits = 0;       // of the epolls of its process at that time
        uint64_t seen_at = 0;
    };

    void take(const RuleInfo& rule, const Snapshot& books, std::vector<Finding>& out);
    void see(const Snapshot& books, const unregistered_socket& s);
    std::optional<Finding> judge(const RuleInfo& rule, const Snapshot& books, const Settings& settings,
                                 const unregistered_socket& s, FromStart& from_start);
    Doubts doubts_of(const Snapshot& books, const unregistered_socket& s, const Sight& sight, uint64_t patience) const;

    Patience patience_;
    std::vector<unregistered_socket> last_;  // of the last look,
    uint64_t looked_at_ = 0;                 // which was then
    std::map<Socket, Sight> sights_;
    std::set<uint32_t> late_;  // processes that came to such a socket in the end
};

}  // namespace epaudit
