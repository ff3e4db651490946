// SPDX-License-Identifier: Apache-2.0
// Who is meant: selectors, and whether a process is one of those.
//
// The same selector again widens ("--comm nginx --comm redis"), another kind narrows ("--comm nginx --user www-data"). Process
// ids are meant whatever else is said. Excluded is excluded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/workload/workload.h"

namespace epaudit {

enum class By { kPid, kComm, kExe, kUnit, kContainer, kCgroup, kPod, kPort, kUser };

// "--unit"; as written behind --exclude: "unit=".
const char* selector_name(By by);

struct Selector {
    By by;
    std::string value;     // as given; names may be patterns as the shell's
    uint64_t number = 0;   // process, port or user id
    uint64_t started = 0;  // of a process: it, and not a later one with the number; 0: whatever it is
};

// What is known of a process. What no selector asks for need not be filled in.
struct SeenProcess {
    uint32_t pid = 0;
    uint64_t started = 0;  // ticks after boot
    std::string comm;
    std::string exe;
    uint32_t uid = 0;
    Workload workload;
    std::vector<std::string> cgroups;  // paths
    std::vector<uint64_t> ports;       // of those asked for: it has a socket bound to them
};

class Selection {
public:
    bool all = false;
    std::vector<Selector> wanted;
    std::vector<Selector> excluded;

    bool matches(const SeenProcess& process) const;
    bool asks_for(By by) const;
    // There is more to it than processes by number: later ones can match, too.
    bool is_open() const;
    std::string text() const;  // "--comm nginx --exclude 4711"
};

bool matches(const Selector& selector, const SeenProcess& process);
// An id or the beginning of one, as people give it.
bool begins_id(const std::string& prefix, const std::string& id);
bool has_wildcard(const std::string& pattern);

}  // namespace epaudit
