// SPDX-License-Identifier: Apache-2.0
// `run` and `attach` by strace (--source strace).
#pragma once

#include <optional>
#include <string>

#include "src/cli/options.h"
#include "src/session/target.h"

namespace epaudit {

// The command of either `run`, before its first instruction; as whom it runs is said.
Result<Command> start_as(const std::optional<Caller>& user, const RunOptions& options);

// `why_not_bpf`: empty when strace was asked for.
Result<int> run_by_strace(const RunOptions& options, const std::string& why_not_bpf);
Result<int> attach_by_strace(const AttachOptions& options);

}  // namespace epaudit
