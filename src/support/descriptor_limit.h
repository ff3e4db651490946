// SPDX-License-Identifier: Apache-2.0
// Watching takes a descriptor for each program, map and process: more than some shells and units allow. The soft limit is
// raised to the hard one, for epaudit alone: programs that it starts have theirs as it was.
#pragma once

namespace epaudit {

struct DescriptorRoom {
    bool enough = true;
    unsigned long most = 0;  // that may be open
};

// Calls after the first change nothing.
DescriptorRoom raise_descriptor_limit();
// In a child that is to become another program.
void restore_descriptor_limit();

}  // namespace epaudit
