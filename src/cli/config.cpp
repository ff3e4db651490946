// SPDX-License-Identifier: Apache-2.0
// epaudit config: what is in force, and from where.
#include <iostream>

#include "src/session/judge.h"

namespace epaudit {

Result<int> config_command(const AuditOptions& options)
{
    auto judge = Judge::open(options, options.profile.value_or(Profile::kProduction));
    if (!judge)
        return judge.error();
    std::cout << (*judge)->text() << std::flush;
    return 0;
}

}  // namespace epaudit
