// SPDX-License-Identifier: Apache-2.0
// Why a log proves nothing where nothing was found in it: for `epaudit strace` and for --source strace.
#pragma once

#include <vector>

#include "src/audit/auditor.h"
#include "src/finding/inconclusive.h"

namespace epaudit {

class StraceImport;

// `seconds`: how long the program was looked at.
std::vector<InconclusiveReason> log_doubts(const Auditor& auditor, const StraceImport& log, double seconds);

}  // namespace epaudit
