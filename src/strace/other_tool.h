// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace epaudit {

// "ltrace": what wrote these lines, if it was not strace; empty otherwise. `hint`: how to make a log that can be read.
std::string other_tool(const std::vector<std::string>& head, std::string& hint);

}  // namespace epaudit
