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

bool names_a_function(const Finding& finding, const std::string& placeless) { return finding.fingerprint != placeless; }
bool names_a_function(const Finding& finding) { return names_a_function(finding, placeless_fingerprint(finding)); }

// placeless_fingerprint() of one after the other: thousands of one kind stand next to each other.
class Placeless {
public:
    const std::string& of(const Finding& finding)
    {
        if (!last_ || last_->rule != finding.rule || last_->exe != finding.exe || last_->fd.kind != finding.fd.kind ||
            last_->trigger != finding.trigger)
            print_ = placeless_fingerprint(finding);
        last_ = &finding;
        return print_;
    }

private:
    const Finding* last_ = nullptr;
    std::string print_;
};

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
    Placeless prints;
    std::pair<const std::string, Finding>* last = nullptr;  // thousands are of one fault
    for (const auto& [subject, finding] : kept_.subjects()) {
        if (!last || last->first != finding.fingerprint) {
            auto& where = names_a_function(finding, prints.of(finding)) ? placed : placeless;
            auto [at, fresh] = where.try_emplace(finding.fingerprint, finding);
            last = &*at;
            if (fresh)
                continue;
        }
        join(last->second, finding);
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
