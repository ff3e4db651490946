// SPDX-License-Identifier: Apache-2.0
// From what was given on the command line to processes: who is meant, who of them is there, and what to say when nobody is.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/cli/options.h"
#include "src/support/process.h"
#include "src/support/result.h"
#include "src/workload/process_scan.h"

namespace epaudit {

struct Who {
    Selection selection;
    std::vector<std::string> notes;  // "4712 is a thread of 4711 ..."
};

// Checks what can be wrong by itself: numbers, users, ports.
Result<Who> who_is_meant(const WhoOptions& options);
// What was found makes no sense: a prefix of several containers.
Result<> check_found(const Selection& selection, const std::vector<SeenProcess>& everybody);
// The first selector that nobody fits, and what there is instead: it may be misspelt.
std::optional<Error> unfitting(const Selection& selection, const std::vector<SeenProcess>& everybody);

// Looks once, and wants somebody for each selector; `options.wait`: until there is anybody.
Result<std::vector<SelectedProcess>> find_them(ProcessScan& scan, const WhoOptions& options);
// Both in one.
struct Found {
    std::unique_ptr<ProcessScan> scan;  // finds those that come later, too
    std::vector<SelectedProcess> processes;
};
using Told = std::function<void(const std::vector<std::string>&)>;
// `told`: gets the notes before anybody is waited for.
Result<Found> find_who(const WhoOptions& options, const Told& told = {});
void say_notes(const std::vector<std::string>& notes);
// Of these, those with an epoll.
std::vector<uint32_t> with_epolls(const std::vector<SelectedProcess>& found);

}  // namespace epaudit
