// SPDX-License-Identifier: Apache-2.0
// `run` and `attach` by strace (--source strace).
#pragma once

#include <string>

#include "src/cli/options.h"

namespace epaudit {

// `why_not_bpf`: empty when strace was asked for.
Result<int> run_by_strace(const RunOptions& options, const std::string& why_not_bpf);
Result<int> attach_by_strace(const AttachOptions& options);

}  // namespace epaudit
