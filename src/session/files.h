// SPDX-License-Identifier: Apache-2.0
// The files of a command line: none is written that is read, and none twice, under whatever names.
#pragma once

#include "src/session/options.h"
#include "src/support/result.h"

namespace epaudit {

// An error when what is written somewhere would overwrite something else that was named. Nothing is opened or made.
Result<> check_files(const AuditOptions& options);

}  // namespace epaudit
