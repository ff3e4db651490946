// SPDX-License-Identifier: Apache-2.0
// One fault is one finding, however many descriptors show it, and whether or not a stack of each was seen.
#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>

#include "src/audit/auditor.h"
#include "src/evidence/fingerprint.h"

namespace epaudit {
namespace {

// Of equals the one with the lowest numbers, so that a replay has the same example: in which order they come depends on
// addresses, which are others there.
bool is_worse(const Finding& a, const Finding& b)
{
    if (a.level != b.level)
        return a.level > b.level;
    if (a.count != b.count)
        return a.count > b.count;
    return std::tie(a.pid, a.epoll_fd, a.fd.number) < std::tie(b.pid, b.epoll_fd, b.fd.number);
}

bool names_a_function(const Finding& finding) { return finding.fingerprint != placeless_fingerprint(finding); }

void join(Finding& example, const Finding& finding)
{
    const unsigned fds = example.fds + finding.fds;
    const uint64_t first = example.first_at && finding.first_at ? std::min(example.first_at, finding.first_at)
                                                                : example.first_at + finding.first_at;
    auto inconclusive = example.inconclusive ? example.inconclusive : finding.inconclusive;
    if (is_worse(finding, example)) {
        // What says where the fault lies stays, if the worse one does not know it.
        Finding worse = finding;
        if (names_a_function(example) && !names_a_function(finding)) {
            worse.stacks = std::move(example.stacks);
            worse.fingerprint = std::move(example.fingerprint);
        }
        example = std::move(worse);
    }
    example.inconclusive = std::move(inconclusive);
    example.fds = fds;
    example.first_at = first;
}

bool same_fd(const Finding& a, const Finding& b)
{
    return a.pid == b.pid && a.fd.number == b.fd.number && a.epoll_fd == b.epoll_fd;
}

// How much speaks for it that both are of one place in the program.
int likeness(const Finding& a, const Finding& b) { return same_fd(a, b) ? 2 : a.pid == b.pid ? 1 : 0; }

bool is_before(const Finding& a, const Finding& b)
{
    if (a.level != b.level)
        return a.level > b.level;
    return std::tie(a.rule, a.fingerprint) < std::tie(b.rule, b.fingerprint);
}

}  // namespace

std::vector<Finding> Auditor::findings() const
{
    std::map<std::string, Finding> placed;     // by fingerprint
    std::map<std::string, Finding> placeless;  // those of which no stack tells the function
    for (const auto& [subject, finding] : kept_.subjects()) {
        auto [at, fresh] = (names_a_function(finding) ? placed : placeless).try_emplace(finding.fingerprint, finding);
        if (!fresh)
            join(at->second, finding);
    }
    // A stack comes late, or for one descriptor of many: what lacks it is the same fault where there is one that it can be.
    std::vector<Finding> result;
    for (auto& [print, finding] : placeless) {
        Finding* same = nullptr;
        for (auto& [other, candidate] : placed)
            if (placeless_fingerprint(candidate) == print &&
                (!same || likeness(candidate, finding) > likeness(*same, finding)))
                same = &candidate;
        if (same)
            join(*same, finding);
        else
            result.push_back(std::move(finding));
    }
    for (auto& [print, finding] : placed)
        result.push_back(std::move(finding));
    std::sort(result.begin(), result.end(), is_before);
    return result;
}

}  // namespace epaudit
