// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace epaudit {

// "Did you mean": the candidate with the smallest edit distance, empty when none is close.
std::string nearest(std::string_view wanted, const std::vector<std::string>& candidates);

}  // namespace epaudit
