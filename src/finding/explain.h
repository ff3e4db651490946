// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace epaudit {

// The explain page of a rule by its stem ("busy-epollout"), nullptr when there is none. Generated from
// rules/<stem>/explain.md at build time.
const char* explain_text(std::string_view stem);

}  // namespace epaudit
