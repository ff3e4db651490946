// SPDX-License-Identifier: Apache-2.0
// epaudit.toml and baselines from anyone: every input is taken or refused with a message, never a crash.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "rules/catalogue.h"
#include "src/audit/policy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    using namespace epaudit;
    static const std::vector<RuleInfo> rules = catalogue();
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    auto config = parse_config(text, "epaudit.toml", rules);
    if (!config && config.error().message.empty())
        abort();
    auto baseline = Baseline::parse(text, "baseline.json");
    if (!baseline && baseline.error().hint.empty())
        abort();
    // What was taken must be usable.
    Finding finding;
    finding.rule = "EP201";
    finding.name = "busy-epollout";
    finding.exe = "/bin/server";
    Policy policy(config ? *config : Config{}, baseline ? std::optional(*baseline) : std::nullopt, "2026-11-21");
    const Judged judged = policy.judge({finding});
    if (judged.findings.size() + judged.suppressed.size() > 1)
        abort();
    policy.remarks({{"EP201", "busy-epollout", Status::kAvailable, ""}});
    return 0;
}
