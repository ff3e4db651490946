// SPDX-License-Identifier: Apache-2.0
// What watching costs, measured: for a second in ten the kernel is asked how long the probes ran, and /proc how much CPU
// time the watched processes took in that same second. Our own CPU time is known all the time.
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
    // The newest stretch of measuring ends now, however short; what it shows by itself. Nothing: it was not measured.
    struct Stretch {
        double probes;  // in cores
        double watched;
        uint64_t ns;
    };
    std::optional<Stretch> newest();
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

    bool possible_ = true;
    double attached_share_ = 1;
    std::optional<Stretch> newest_;
    bool open_ = false;
    uint64_t began_at_ = 0;  // of the newest window; ns
    uint64_t probes_then_ = 0;
    std::map<uint32_t, uint64_t> cpu_then_;  // ticks, by pid
    // Of all windows.
    uint64_t window_ns_ = 0;
    uint64_t probe_ns_ = 0;
    uint64_t watched_ticks_ = 0;
};

}  // namespace epaudit
