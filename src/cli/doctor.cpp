// SPDX-License-Identifier: Apache-2.0
// epaudit doctor: looks at the system, tries both hook sets, and says what would help.
#include "src/report/doctor.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <iostream>

#include "rules/catalogue.h"
#include "src/audit/auditor.h"
#include "src/capture/live.h"
#include "src/cli/options.h"
#include "src/support/capabilities.h"
#include "src/support/proc.h"
#include "src/support/terminal.h"

namespace epaudit {
namespace {

std::string first_line(const std::string& path, const std::string& otherwise)
{
    std::ifstream in(path);
    std::string line;
    return std::getline(in, line) ? line : otherwise;
}

// "none [integrity] confidentiality" -> "integrity"
std::string lockdown()
{
    std::string text = first_line("/sys/kernel/security/lockdown", "");
    size_t open = text.find('['), close = text.find(']');
    return open == std::string::npos || close == std::string::npos ? "unknown"
                                                                   : text.substr(open + 1, close - open - 1);
}

struct CapabilityUse {
    Capability capability;
    const char* name;
    const char* use;
};

// The last only enriches.
constexpr CapabilityUse kCapabilities[] = {
    {kCapBpf, "CAP_BPF", "load programs"},
    {kCapPerfmon, "CAP_PERFMON", "attach them"},
    {kCapSysAdmin, "CAP_SYS_ADMIN", "stands for both"},
    {kCapSysPtrace, "CAP_SYS_PTRACE", "see which threads already wait at attach"}};

void describe_system(Diagnosis& diagnosis, const Capabilities& own)
{
    utsname name{};
    uname(&name);
    auto& system = diagnosis.system;
    system.emplace_back("kernel", fmt::format("{} {}", name.release, name.machine));
    system.emplace_back("btf", access("/sys/kernel/btf/vmlinux", R_OK) == 0 ? "yes" : "no");
    system.emplace_back("lockdown", lockdown());
    if (own_pid_namespace() == PidNamespace::kContainer)
        system.emplace_back("process numbers", "those of this container");
    const char* yes = in_user_namespace() ? "yes, in this user namespace only" : "yes";
    for (const CapabilityUse& one : kCapabilities)
        system.emplace_back(one.name, own.has(one.capability) ? yes : fmt::format("no ({})", one.use));
    system.emplace_back("perf_event_paranoid", first_line("/proc/sys/kernel/perf_event_paranoid", "unknown"));
    system.emplace_back("unprivileged_bpf_disabled",
                        first_line("/proc/sys/kernel/unprivileged_bpf_disabled", "unknown"));
}

void advise(Diagnosis& diagnosis, const Capabilities& own, const std::vector<HookReport>& reports)
{
    auto& advice = diagnosis.advice;
    bool privileged = own.can_observe();
    if (!privileged)
        advice.push_back({"epaudit needs CAP_BPF and CAP_PERFMON:", "sudo epaudit doctor"});
    else if (in_user_namespace())
        advice.push_back({"this is a user namespace, whose capabilities do not count for BPF; on the host, as root:",
                          "sudo epaudit doctor"});
    if (access("/sys/kernel/btf/vmlinux", R_OK) != 0)
        advice.push_back({"this kernel has no BTF; install one built with CONFIG_DEBUG_INFO_BTF (Debian 11 and later):",
                          "apt install linux-image-amd64"});
    if (privileged && reports[0].dangerous && reports[1].usable)
        advice.push_back({"fentry/fexit probes would cost less, but epaudit does not use it here: " +
                              reports[0].reason + ". A newer kernel would allow it.",
                          ""});
    else if (privileged && !reports[0].usable && reports[1].usable)
        advice.push_back({"fentry/fexit probes would cost less, but this kernel refuses it (" + reports[0].reason +
                              "); a kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS that "
                              "does not restrict tracing would allow it. Nothing needs to be done.",
                          ""});
    if (privileged && !own.has(kCapSysAdmin) && !own.has(kCapSysPtrace))
        advice.push_back(
            {"without CAP_SYS_PTRACE, threads of other users that already wait when you attach are known "
             "only after their next return:",
             "setpriv --ambient-caps +bpf,+perfmon,+sys_ptrace ..."});
}

}  // namespace

Result<int> doctor_command(const CatalogueOptions& options)
{
    Diagnosis diagnosis;
    diagnosis.version = EPAUDIT_VERSION;
    Capabilities own = Capabilities::own();
    describe_system(diagnosis, own);
    std::vector<HookReport> reports{LiveCapture::examine(HookSet::kTrampoline),
                                    LiveCapture::examine(HookSet::kTracepoint)};
    Sight sight;
    for (const HookReport& report : reports) {
        HookSetLine line{report.set, report.usable, report.reason, {}};
        for (const ProgramReport& program : report.programs)
            line.programs.push_back({program.name, program.section, program.attached, program.reason});
        diagnosis.hook_sets.push_back(std::move(line));
        if (report.usable && diagnosis.chosen.empty()) {
            diagnosis.chosen = report.set;
            diagnosis.why_not_iterators = report.why_not_iterators;
            sight = report.sight;
        }
    }
    diagnosis.coverage = Auditor(Profile::kProduction, make_rules()).coverage(sight);
    if (diagnosis.chosen.empty())
        for (RuleCoverage& rule : diagnosis.coverage) {
            rule.status = Status::kUnavailable;
            rule.reason = "no probes can be used";
        }
    advise(diagnosis, own, reports);
    if (options.format == "json")
        write_doctor_json(diagnosis, std::cout);
    else
        write_doctor_text(diagnosis, text_width(STDOUT_FILENO), std::cout);
    return static_cast<int>(diagnosis.chosen.empty() ? Exit::kCannotObserve : Exit::kClean);
}

}  // namespace epaudit
