// SPDX-License-Identifier: Apache-2.0
#include "src/evidence/fingerprint.h"

#include <fmt/format.h>

#include <cstdint>
#include <string_view>
#include <utility>

#include "src/evidence/place.h"
#include "src/support/utf8.h"

namespace epaudit {

std::string program_name(const Finding& finding)
{
    std::string_view exe = finding.exe;
    constexpr std::string_view kDeleted = " (deleted)";  // /proc/PID/exe after an upgrade
    if (exe.size() > kDeleted.size() && exe.substr(exe.size() - kDeleted.size()) == kDeleted)
        exe.remove_suffix(kDeleted.size());
    return std::string(exe.substr(exe.find_last_of('/') + 1));
}

namespace {

std::string identity(const Finding& finding)
{
    return fmt::format("{}\n{}\n{}\n{}", finding.rule, program_name(finding), finding.fd.kind, finding.trigger);
}

// Names are bytes, and a recording keeps what of them is text: its findings are those of the run.
std::string hashed(const std::string& names)
{
    uint64_t hash = 14695981039346656037ULL;  // FNV-1a
    for (char c : as_text(names))
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return fmt::format("{:016x}", hash);
}

}  // namespace

std::string fingerprint(const Finding& finding)
{
    const Frame* frame = naming_frame(finding);
    return hashed(identity(finding) + (frame && !frame->function.empty() ? "\n" + frame->function : ""));
}

std::string placeless_fingerprint(const Finding& finding) { return hashed(identity(finding)); }

bool ToldFindings::tell(const Finding& finding)
{
    replaced_.clear();
    const std::string level = level_name(finding.level);
    const std::string placeless = placeless_fingerprint(finding);
    const std::string key = finding.fingerprint + level;
    if (told_.count(key))
        return false;
    const bool known = before_.erase(key) != 0;
    if (told_.size() >= kMost)
        before_ = std::exchange(told_, {});
    told_.insert(key);
    if (known)
        return false;
    if (placeless == finding.fingerprint)
        return true;
    // Told before its stack came. Only one function can have been meant.
    if (told_.erase(placeless + level) + before_.erase(placeless + level))
        replaced_ = placeless;
    return true;
}

}  // namespace epaudit
