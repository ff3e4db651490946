// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace epaudit {

// The candidate with the smallest edit distance; where none is close, the only one of which `wanted` is a part, if it
// has three letters. Empty when there is no such.
std::string nearest(std::string_view wanted, const std::vector<std::string>& candidates);

// The hint of an error about an unknown name: the one that was probably meant, or else `otherwise`.
std::string did_you_mean(std::string_view wanted, const std::vector<std::string>& candidates, std::string otherwise);

}  // namespace epaudit
