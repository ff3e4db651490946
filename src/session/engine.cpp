// SPDX-License-Identifier: Apache-2.0
#include "src/session/engine.h"

#include <utility>

#include "src/session/files.h"

namespace epaudit {

Result<std::unique_ptr<Engine>> Engine::open(const AuditOptions& options, Profile otherwise,
                                             const std::vector<ProcessInfo>& only, Progress* progress)
{
    std::unique_ptr<Engine> engine(new Engine);
    if (auto ok = check_files(options); !ok)
        return ok.error();
    auto judge = Judge::open(options, otherwise);
    if (!judge)
        return judge.error();
    engine->judge_ = std::move(*judge);
    if (auto ok = engine->judge_->check_rules(); !ok)
        return ok.error();
    if (auto ok = engine->judge_->check_programs(only); !ok)
        return ok.error();
    auto outputs = Outputs::open(options);
    if (!outputs)
        return outputs.error();
    engine->outputs_ = std::make_unique<Outputs>(std::move(*outputs));
    engine->looks_ = std::make_unique<Looks>(*engine->judge_, *engine->outputs_, options.quiet, progress);
    return engine;
}

Result<> Engine::looked(Snapshot&& books)
{
    std::swap(last_, books);
    if (told_)
        told_ = looks_->after(last_);
    return told_;
}

void Engine::fill(Report& report, const Sight& sight)
{
    report.version = EPAUDIT_VERSION;
    looks_->fill(report, last_, sight);
}

Result<int> Engine::conclude(Report& report)
{
    if (!told_)
        return told_.error();
    return epaudit::conclude(*judge_, *outputs_, report);
}

}  // namespace epaudit
