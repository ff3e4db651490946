// SPDX-License-Identifier: Apache-2.0
// What this kernel and these privileges allow: the answer of `epaudit doctor`.
#include <algorithm>

#include "src/capture/live_impl.h"

namespace epaudit {
HookReport LiveCapture::examine(HookSet hooks)
{
    HookReport report;
    report.set = hooks == HookSet::kTrampoline ? "trampoline" : "tracepoint";
    Impl impl;
    LiveOptions options;
    options.hooks = hooks;
    auto loaded = load_and_attach(impl, options);
    report.usable = static_cast<bool>(loaded);
    if (!loaded) {
        report.reason = impl.why_not_trampolines.empty() ? loaded.error().message : impl.why_not_trampolines;
        report.hint = loaded.error().hint;
        report.dangerous = impl.trampolines_are_dangerous;
    }
    report.sight = sight_of(impl);
    report.why_not_iterators = impl.why_not_iterators;
    if (!impl.skeleton)
        return report;
    bpf_program* program;
    bpf_object__for_each_program(program, impl.skeleton->obj)
    {
        ProgramReport one;
        one.name = bpf_program__name(program);
        one.section = bpf_program__section_name(program);
        Hook hook = hook_of(*impl.skeleton, program);
        if (hook != Hook::kBoth && hook != (hooks == HookSet::kTrampoline ? Hook::kTrampoline : Hook::kTracepoint))
            continue;
        one.attached = std::find(impl.attached.begin(), impl.attached.end(), one.name) != impl.attached.end();
        auto refused = impl.refused.find(one.name);
        if (refused != impl.refused.end())
            one.reason = refused->second;
        else if (!one.attached)
            one.reason = "not tried: the set cannot be used";
        report.programs.push_back(std::move(one));
    }
    return report;
}

}  // namespace epaudit
