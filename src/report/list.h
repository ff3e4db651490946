// SPDX-License-Identifier: Apache-2.0
// What `epaudit list` prints: who has an epoll, and as what it runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "src/finding/finding.h"

namespace epaudit {

struct ListedProcess {
    uint32_t pid = 0;
    std::string comm;
    std::string exe;
    Workload workload;
    unsigned epolls = 0;                    // descriptors
    std::optional<unsigned> registrations;  // nothing: so many descriptors that asking would lock the epoll for long
};

void write_list_text(const std::vector<ListedProcess>& list, std::ostream& out);
// `idle`: how many processes that match have no epoll.
void write_list_json(const std::vector<ListedProcess>& list, size_t idle, std::ostream& out);

}  // namespace epaudit
