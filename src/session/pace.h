// SPDX-License-Identifier: Apache-2.0
// How soon the books are looked at again. Once a second; ten times a second while a row may become something. However much
// there is to look at, looking may cost 2 % of a core, with all else that is done, and half a percent while there is nothing
// to be seen: looks that cost much make the next one later, but never for long. When the probes see something suspicious
// meanwhile, it comes as soon as if the one before had seen it.
#pragma once

#include <cstdint>
#include <string>

#include "bpf/posting.h"
#include "src/books/snapshot.h"
#include "src/finding/rule_info.h"
#include "src/session/look_costs.h"

namespace epaudit {

class Pace {
public:
    static constexpr uint64_t kTickNs = 100 * NSEC_PER_MSEC;  // it is asked so often

    // Nothing is known of what there is to see.
    void begin(uint64_t now)
    {
        looked_ = now;
        lively_ = false;
    }
    // `cpu_ns`: what this look has cost us.
    void looked(uint64_t now, bool lively, uint64_t cpu_ns);
    // `suspicious`: the probes have seen something since.
    bool due(uint64_t now, bool suspicious, Profile profile) const;
    uint64_t last() const { return looked_; }
    std::string costs_text() const { return costs_.text(); }

private:
    uint64_t looked_ = 0;
    bool lively_ = false;
    LookCosts costs_;
};

// A row deserves another look soon.
bool is_lively(const Snapshot& books);

}  // namespace epaudit
