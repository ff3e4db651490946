// SPDX-License-Identifier: Apache-2.0
// What this kernel and these privileges allow: the answer of `epaudit doctor`.
#include <algorithm>
#include <string_view>

#include "src/capture/live_impl.h"

namespace epaudit {
namespace {

// Programs that are part of a set, or of both; iterators and the last-resort kprobe are not hooks of it.
bool belongs(std::string_view section, std::string_view name, bool trampolines)
{
    auto begins = [&](std::string_view prefix) { return section.substr(0, prefix.size()) == prefix; };
    bool only_tracepoint = name == "on_sys_enter" || name == "on_sys_exit" || name == "on_sk_data_ready" ||
                           name == "on_hrtimer_expire_entry" || name == "on_signal_generate";
    if (begins("fentry/") || begins("fexit/"))
        return trampolines;
    return begins("tp_btf/") && !(trampolines && only_tracepoint);
}

}  // namespace

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
    }
    report.sight = sight_of(impl);
    if (!impl.skeleton)
        return report;
    bpf_program* program;
    bpf_object__for_each_program(program, impl.skeleton->obj) {
        ProgramReport one;
        one.name = bpf_program__name(program);
        one.section = bpf_program__section_name(program);
        if (!belongs(one.section, one.name, hooks == HookSet::kTrampoline))
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
