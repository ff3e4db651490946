// SPDX-License-Identifier: Apache-2.0
// One observation: ticks, sweeps, audits, until something ends it; then the report and the exit code.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/capture/live.h"
#include "src/recording/writer.h"
#include "src/report/report.h"
#include "src/session/cost.h"
#include "src/session/engine.h"
#include "src/session/failed_waits.h"
#include "src/session/options.h"
#include "src/session/pace.h"
#include "src/session/progress.h"
#include "src/session/target.h"
#include "src/session/unjudged.h"
#include "src/session/windows.h"

namespace epaudit {

class Session {
public:
    // Checks everything that can be wrong on the command line, then loads the probes.
    // `only`: the programs that will be watched, where that is known already; none must be left.
    static Result<std::unique_ptr<Session>> open(const AuditOptions& options, Profile profile,
                                                 const std::vector<ProcessInfo>& only = {});

    LiveCapture& live() { return *live_; }
    void note(std::string text) { notes_.push_back(std::move(text)); }
    // How the processes were chosen, as it was said.
    void set_selection(std::string text) { selection_ = std::move(text); }
    // Hooks are on and the target is watched: tells a waiting test, starts the clock of --duration.
    Result<> begin(std::vector<std::string> command, std::vector<uint32_t> pids);

    // It will have to end a command, which may run as another user or become one.
    void will_end_command() { may_end_ = true; }

    enum class End { kTarget, kInterrupted, kDuration };
    // Observes until `over()` says that the target is gone, a signal asks us to stop, or the time is up.
    // Wakes up at once when one of `gone` (pidfds) becomes readable.
    template <typename Over>
    Result<End> observe(std::vector<int> gone, Over over);

    // One last look, then unloads the probes: nothing of us is in the kernel while the report is written.
    Result<> finish();
    // Writes the report in all formats and computes the exit code.
    Result<int> report(std::vector<std::string> command, std::vector<uint32_t> pids,
                       const std::optional<ExitStatus>& child);

private:
    explicit Session(const AuditOptions& options) : options_(options), progress_(!options.quiet) {}
    void end_recording();
    void settle();
    Result<> look(bool counters, bool last);
    // True: a signal asks us to stop. Descriptors that became readable are taken off the list.
    Result<bool> tick(std::vector<int>& gone);
    Result<> keep_budget();
    Result<> open_window();
    bool attached() const { return !windows_ || windows_->attached(); }
    std::optional<WatchingCost> cost_until(uint64_t now);  // since the beginning
    void show_progress();
    Report make_report(std::vector<std::string> command, std::vector<uint32_t> pids,
                       const std::optional<ExitStatus>& child);
    bool time_is_up() const;

    AuditOptions options_;
    Progress progress_;
    std::unique_ptr<LiveCapture> live_;
    std::unique_ptr<Engine> engine_;
    std::unique_ptr<RecordingWriter> recording_;  // until it begins
    Sight sight_;
    Descriptor signals_;
    uint64_t began_ = 0;
    int64_t started_ = 0;  // wall clock, seconds since 1970
    uint64_t ended_ = 0;
    double cpu_at_begin_ = 0;
    Cost cost_;
    std::optional<Windows> windows_;  // under --budget
    uint64_t woken_at_ = 0;           // by an exec
    Pace pace_;
    uint64_t shown_ = 0;     // when the progress line was
    uint64_t postings_ = 0;  // at the last look that counted them
    double postings_per_s_ = 0;
    std::string selection_;
    bool may_end_ = false;
    std::vector<std::string> notes_;
    std::vector<InconclusiveReason> inconclusive_;
    Unjudged unjudged_{path_of_descriptor};
    FailedWaits failed_waits_;
    uint64_t counted_at_ = 0;  // when a look counted all calls
};

template <typename Over>
Result<Session::End> Session::observe(std::vector<int> gone, Over over)
{
    settle();
    for (;;) {
        auto stop = tick(gone);
        if (!stop)
            return stop.error();
        if (over())
            return End::kTarget;
        if (*stop)
            return End::kInterrupted;
        if (time_is_up())
            return End::kDuration;
    }
}

}  // namespace epaudit
