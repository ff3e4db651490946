// SPDX-License-Identifier: Apache-2.0
// By which of its stacks a finding is placed: of those that come, in whatever order, one run has this and another that.
#pragma once

#include <string>

#include "src/books/call_sites.h"
#include "src/evidence/fingerprint.h"
#include "src/finding/rule_info.h"

namespace epaudit {

// The call was made, or there were no mistake, so that its stack comes or does not, and no other stands in for it. Not so of a
// read or an accept: where nobody ever reads, where it was armed is all that tells one mistake from another; nor of an
// epoll_ctl, which may be older than the observation.
inline bool alone_places(StackRole guilty)
{
    return guilty == StackRole::kWrite || guilty == StackRole::kBlocked || guilty == StackRole::kStale ||
           guilty == StackRole::kChanged;
}

// fingerprint(), or placeless_fingerprint() while the stack that places it has not come, whichever others have.
inline std::string fingerprint_by(const Finding& finding, const RuleInfo* info)
{
    const bool waits = info && !info->stacks.empty() && alone_places(info->stacks.front()) &&
                       !(finding.stacks.size() && finding.stacks.front().what == stack_role_text(info->stacks.front()));
    return waits ? placeless_fingerprint(finding) : fingerprint(finding);
}

}  // namespace epaudit
