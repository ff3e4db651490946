// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "rules/catalogue.h"
#include "rules/evidence.h"
#include "src/books/duration.h"

namespace epaudit::self_pipe_wakeup {
namespace {

constexpr Threshold kWakeups{"wakeups",
                             {1000, 64, Unit::kCount},
                             "writes by the process into its own pipe (64 at least)",
                             {"pipes that hardly matter are remarked on", "busy pipes are told later"}};
constexpr Threshold kOwnShare{"own_share",
                              {1, 1, Unit::kShare},
                              "share of all wake-ups through the pipe that came from the process itself",
                              {"pipes that others write to as well are remarked on", "beyond 1, none is"}};
constexpr Threshold kBytes{"bytes",
                           {1, 1, Unit::kBytes},
                           "bytes read per write: more than that is a message, not a wake-up",
                           {"below 1, no pipe is remarked on", "pipes that carry messages are remarked on"}};

const RuleInfo kInfo{"EP604",
                     "self-pipe-wakeup",
                     "a pipe wakes the loop where an eventfd would do",
                     Level::kInfo,
                     {kWakeups, kOwnShare, kBytes},
                     {Seam::kReadiness},
                     "bytes that mean something (a signal's number): an eventfd cannot carry them, a signalfd might",
                     {StackRole::kWrite, StackRole::kRead, StackRole::kArmed}};

class SelfPipeWakeup : public Rule {
public:
    const RuleInfo& info() const override { return kInfo; }

    Coverage coverage(const Sight& sight) const override
    {
        if (!sight.readiness)
            return {Status::kUnavailable, "who writes into a pipe cannot be seen: " + sight.why};
        return {};
    }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        for (const Entry* one : books.neighbours().with(kTraitPipe)) {
            const Entry& entry = *one;
            if (entry.key.epoll && entry.file.kind == FILE_PIPE && only_wakes(entry, settings))
                out.push_back(describe(books, entry));
        }
    }

private:
    static bool only_wakes(const Entry& entry, const Settings& settings)
    {
        const registration_row& r = entry.registration;
        const file_row& f = entry.file;
        if (!r.tgid || r.self_readies < settings[kWakeups] || !f.reads || !(r.mask & EV_IN))
            return false;
        return r.self_readies >= settings[kOwnShare] * r.readies &&
               static_cast<double>(f.bytes_in) <= settings[kBytes] * r.self_readies;
    }

    static Finding describe(const Snapshot& books, const Entry& entry)
    {
        const registration_row& r = entry.registration;
        Finding finding = begin_finding(kInfo, books, entry);
        double seconds = seconds_of(books.time - r.added_at);
        finding.level = Level::kInfo;
        finding.summary =
            "the process wakes its own loop through a pipe; an eventfd is one fd instead of two, and one read "
            "takes all wake-ups at once";
        finding.shape = "writes and reads in one process, one byte per wake-up";
        finding.count = r.self_readies;
        finding.cost.emplace_back("wakeups_per_s", seconds > 0 ? r.self_readies / seconds : 0);
        finding.cost.emplace_back("reads", entry.file.reads);
        add_fact(finding, "bytes", fmt::format("{} read for {} writes", entry.file.bytes_in, r.self_readies));
        finding.fix =
            "eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) instead of pipe(): write(8 bytes) to wake, one read() to reset; it "
            "can be written from signal handlers too";
        return finding;
    }
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<SelfPipeWakeup>(); }

}  // namespace epaudit::self_pipe_wakeup
