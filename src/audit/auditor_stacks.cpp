// SPDX-License-Identifier: Apache-2.0
// Which calls show the mistake: a rule names the roles, the capture in use may have stacks of them.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "src/audit/auditor.h"
#include "src/audit/placed.h"
#include "src/evidence/place.h"

namespace epaudit {
namespace {

// What a finding's subject stands for: a registration or, with a 0, any of its file. The newest of several numbers.
class Subjects {
public:
    explicit Subjects(const Snapshot& books) : books_(books)
    {
        for (const Entry& entry : books.buried) {
            buried_[{entry.file_id, entry.key.epoll}] = &entry;
            buried_[{entry.file_id, 0}] = &entry;
        }
    }

    const Entry* find(uint64_t file, uint64_t epoll) const
    {
        const auto places = books_.neighbours().of_file(file);
        for (size_t i = places.size(); i-- > 0;)
            if (const Entry& entry = books_.entries[places[i].at]; !epoll || entry.key.epoll == epoll)
                return &entry;
        auto at = buried_.find({file, epoll});
        return at == buried_.end() ? nullptr : at->second;
    }

private:
    using Place = std::pair<uint64_t, uint64_t>;  // file, epoll

    const Snapshot& books_;
    std::map<Place, const Entry*> buried_;
};

// An epoll as a whole: its calls are those since it was created.
Entry whole_epoll(const Snapshot& books, uint64_t id)
{
    Entry entry{};
    entry.key.epoll = id;
    if (const epoll_row* row = books.epoll(id))
        entry.registration.added_at = row->created_at;
    return entry;
}

constexpr const char* kUnseen = "armed before epaudit attached: that call was not seen";

bool armed_unseen(const Entry& entry)
{
    return (entry.registration.flags & REGISTRATION_SEEDED) && !entry.registration.armed_site;
}

std::vector<Stack>::iterator stack_of(Finding& finding, StackRole role)
{
    return std::find_if(finding.stacks.begin(), finding.stacks.end(),
                        [what = stack_role_text(role)](const Stack& known) { return known.what == what; });
}

// Of thousands that lack one, hardly any gets it at a look.
bool has_news(Finding& finding, const RuleInfo& info, const Entry& entry, CallSites& sites)
{
    const bool said_unseen = std::any_of(finding.stacks.begin(), finding.stacks.end(),
                                         [](const Stack& known) { return known.what == kUnseen; });
    return std::any_of(info.stacks.begin(), info.stacks.end(), [&](StackRole role) {
        if (stack_of(finding, role) != finding.stacks.end())
            return false;
        return (role == StackRole::kArmed && said_unseen != armed_unseen(entry)) || sites.find(role, entry);
    });
}

// In the rule's order; a stack once found is kept when its call is forgotten. False: nothing has come.
bool attach(Finding& finding, const RuleInfo& info, const Entry& entry, CallSites& sites)
{
    if (!has_news(finding, info, entry, sites))
        return false;
    std::vector<Stack> stacks;
    for (StackRole role : info.stacks) {
        if (auto known = stack_of(finding, role); known != finding.stacks.end())
            stacks.push_back(std::move(*known));
        else if (const Stack* stack = sites.find(role, entry))
            stacks.push_back(*stack);
        else if (role == StackRole::kArmed && armed_unseen(entry))
            stacks.push_back({kUnseen, {}});
    }
    finding.stacks = std::move(stacks);
    return true;
}

}  // namespace

// Stacks arrive when they please, often after the finding: all that lack some are asked about again.
void Auditor::add_stacks(const Snapshot& books)
{
    const Subjects subjects(books);
    const Slot* slot = nullptr;  // they are kept rule by rule
    for (auto& [subject, finding] : kept_.subjects()) {
        if (!slot || finding.rule != slot->rule->info().id)
            slot = find(finding.rule);
        if (!slot || finding.stacks.size() >= slot->rule->info().stacks.size())
            continue;
        const RuleInfo& info = slot->rule->info();
        bool news = false;
        if (!finding.subject_file) {
            news = attach(finding, info, whole_epoll(books, finding.subject_epoll), *books.call_sites);
        } else {
            const Entry* entry = subjects.find(finding.subject_file, finding.subject_epoll);
            if (entry && entry->file.ino == finding.subject_ino)  // addresses come again
                news = attach(finding, info, *entry, *books.call_sites);
        }
        if (news)
            finding.fingerprint = fingerprint_by(finding, &info);
    }
    add_helpers(*books.call_sites);
}

// A second caller is seen when it comes, maybe long after the stack of a finding.
void Auditor::add_helpers(CallSites& sites)
{
    std::map<uint32_t, Helpers> known;
    auto at = known.end();  // of the finding before: mostly it is of the same process
    for (auto& [subject, finding] : kept_.subjects()) {
        const auto armed = std::find_if(finding.stacks.begin(), finding.stacks.end(), [](const Stack& stack) {
            return stack.what == stack_role_text(StackRole::kArmed);
        });
        if (armed == finding.stacks.end())
            continue;
        bool fresh = false;
        if (at == known.end() || at->first != finding.pid)
            std::tie(at, fresh) = known.try_emplace(finding.pid);
        Helpers& helpers = at->second;
        if (fresh) {
            helpers = std::move(helpers_[finding.pid]);
            if (const uint64_t places = sites.places_in(finding.pid); places != helpers.places) {
                helpers.places = places;
                helpers.functions = helpers_among(sites.armed_in(finding.pid), finding.exe, finding.directory);
            }
        }
        if (armed->helpers != helpers.functions)
            armed->helpers = helpers.functions;
    }
    helpers_ = std::move(known);
}

}  // namespace epaudit
