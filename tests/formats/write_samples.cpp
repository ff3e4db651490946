// SPDX-License-Identifier: Apache-2.0
// write_samples DIRECTORY: each made-up report in each format, as DIRECTORY/<report>.<format>, for check.py.
#include <fstream>
#include <iostream>
#include <utility>

#include "src/report/doctor.h"
#include "src/report/formats.h"
#include "src/report/inspect.h"
#include "src/report/list.h"
#include "tests/formats/sample_looks.h"
#include "tests/unit/sample_recording.h"
#include "tests/unit/sample_report.h"

namespace {

using namespace epaudit;

// What doctor says of a kernel that refuses some, and of one that refuses all.
Diagnosis diagnosis_of(bool refused)
{
    Diagnosis one;
    one.version = "1.2.3";
    one.system = {{"kernel", "6.1.0-sample"},
                  {"BTF", "/sys/kernel/btf/vmlinux"},
                  {"CAP_BPF", refused ? "no (load BPF programs)" : "yes"}};
    one.hook_sets = {
        {"trampoline",
         false,
         "fexit on __x64_sys_read: Operation not permitted, as on kernels built without them; tracepoints do the same",
         {}},
        {"tracepoint",
         !refused,
         refused ? "CAP_BPF and CAP_PERFMON are missing" : "",
         {{"on_read", "tracepoint/syscalls/sys_exit_read", true, ""},
          {"on_wakeup", "raw_tp/sched_wakeup", false, "No such file or directory"}}}};
    one.coverage = {
        {"EP101", "et-read-not-drained", Status::kAvailable, ""},
        {"EP404", "loop-stall", Status::kDegraded,
         "when a thread was woken is not seen, so a stall is counted from the time at which it was asked for"},
        {"EP503", "epoll-shared-across-fork", Status::kUnavailable, "no probe sees forks"}};
    if (refused) {
        one.why_not_iterators = "Operation not permitted";
        one.advice = {{"epaudit needs CAP_BPF and CAP_PERFMON:", "sudo epaudit doctor"}};
    } else {
        one.chosen = "tracepoint";
    }
    return one;
}

bool write_diagnoses(const std::string& directory)
{
    bool good = true;
    for (const auto& [name, refused] : {std::pair{"doctor", false}, {"doctor-refused", true}}) {
        std::ofstream out(directory + "/" + name + ".page", std::ios::binary);
        write_doctor_text(diagnosis_of(refused), 80, out);
        good = out.flush() && good;
    }
    return good;
}

// What list and inspect show, which a test cannot have of a machine: numbers, addresses and who else runs there.
bool write_looks(const std::string& directory)
{
    const auto page = [&](const char* name, auto write) {
        std::ofstream out(directory + "/" + name + ".page", std::ios::binary);
        write(out);
        return static_cast<bool>(out.flush());
    };
    const std::vector<ListedProcess> processes = sample_processes();
    const InspectStyle once, watching{.colour = true, .watching = true};
    return page("list", [&](std::ostream& out) { write_list_text(processes, out); }) &&
           page("list-json", [&](std::ostream& out) { write_list_json(processes, 4, out); }) &&
           page("inspect", [&](std::ostream& out) { write_inspect_text(sample_look(), once, out); }) &&
           page("inspect-watch", [&](std::ostream& out) { write_inspect_text(sample_look_later(), watching, out); }) &&
           page("inspect-json", [&](std::ostream& out) { write_inspect_json(sample_look_later(), once, out); });
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc != 2) {
        std::cerr << "usage: write_samples DIRECTORY\n";
        return 2;
    }
    const std::pair<const char*, Report> reports[] = {
        {"clean", clean_report()},           {"spinning", spinning_report()}, {"stalled", stalled_report()},
        {"incomplete", incomplete_report()}, {"hostile", hostile_report()},   {"suppressed", suppressed_report()}};
    for (const auto& [name, report] : reports) {
        for (const Format& format : formats()) {
            std::ofstream out(std::string(argv[1]) + "/" + name + "." + format.name, std::ios::binary);
            format.write(report, out);
            if (!out.flush()) {
                std::cerr << "cannot write to " << argv[1] << "\n";
                return 1;
            }
        }
    }
    if (!write_diagnoses(argv[1]) || !write_looks(argv[1])) {
        std::cerr << "cannot write to " << argv[1] << "\n";
        return 1;
    }
    std::ofstream recording(std::string(argv[1]) + "/sample.rec", std::ios::binary);
    recording << sample_recording(2500, 64 << 10);
    return recording.flush() ? 0 : 1;
}
