// SPDX-License-Identifier: Apache-2.0
// What could not be counted has a counter of its own: what each of them means to a reader, and what can be done about it.
#pragma once

#include <cstdint>
#include <string>

namespace epaudit {

std::string loss_text(const std::string& name, uint64_t count);  // "12 times a file had no room in the tables"
std::string loss_remedy(const std::string& name);

}  // namespace epaudit
