// SPDX-License-Identifier: Apache-2.0
// What watching costs, measured: for a fifth of a second the kernel is asked how long the probes ran, and how much CPU time
// the watched processes took meanwhile; at the start, after two seconds, four, eight, and from then on every ten. No longer and
// no oftener: while the kernel measures, each run of a probe costs everybody some 50 ns more. Our own CPU time is known all
// the time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "src/capture/live.h"
#include "src/report/report.h"

namespace epaudit {

// CPU time of epaudit so far, the process that reads symbols included.
double own_cpu_seconds();

class Cost {
public:
    // Nothing is measured before.
    void begin(LiveCapture& live);
    // Between looks, as often as one likes: windows begin and end here.
    void tick(LiveCapture& live);
    // What the newest stretch of measuring shows by itself, once, and a second after it began: our own CPU time is held against
    // that, and in less time a look is a large part. Nothing: there is no new one.
    struct Stretch {
        double probes;  // in cores
        double watched;
        uint64_t ns;
    };
    std::optional<Stretch> newest(uint64_t now);
    // Of that which is measured from now on, the probes are attached for this share of the time only.
    void attached_share(double share) { attached_share_ = share; }
    // The probes are about to be detached: what is measured ends, whatever it says.
    void interrupt(LiveCapture& live);
    // The newest window ends, if it is long enough to say anything. Call it while the probes are loaded.
    void end(LiveCapture& live);
    // Nothing: it could not be measured (CAP_SYS_ADMIN, a kernel before 5.8, or too short a time).
    std::optional<WatchingCost> measured(double own_cpu_s, double seconds) const;

private:
    void open_window(LiveCapture& live, uint64_t now);
    void close_window(LiveCapture& live, uint64_t now);
    uint64_t next_at() const;

    bool possible_ = true;
    double attached_share_ = 1;
    std::optional<Stretch> newest_;
    bool open_ = false;
    uint64_t began_at_ = 0;  // of the newest window; ns
    uint64_t probes_then_ = 0;
    std::map<uint32_t, uint64_t> cpu_then_;  // ns, by pid
    uint64_t first_at_ = 0;                  // when the first one began
    // Of all windows.
    uint64_t window_ns_ = 0;
    uint64_t probe_ns_ = 0;
    uint64_t watched_ns_ = 0;
};

}  // namespace epaudit
