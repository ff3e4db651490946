// SPDX-License-Identifier: Apache-2.0
#include "src/report/report.h"

#include <algorithm>

namespace epaudit {

bool at_gate(const Report& report, const Finding& finding) { return report.gate && finding.level >= *report.gate; }

bool fails(const Report& report)
{
    return std::any_of(report.findings.begin(), report.findings.end(),
                       [&](const Finding& finding) { return at_gate(report, finding); });
}

bool is_shown(const Finding& finding, const Options& options)
{
    return options.risks || finding.level >= Level::kLikely;
}

std::vector<const Finding*> shown_findings(const Report& report)
{
    std::vector<const Finding*> shown;
    for (const Finding& finding : report.findings)
        if (is_shown(finding, report.options))
            shown.push_back(&finding);
    std::stable_sort(shown.begin(), shown.end(), [](const auto* a, const auto* b) { return a->level > b->level; });
    return shown;
}

}  // namespace epaudit
