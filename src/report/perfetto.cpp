// SPDX-License-Identifier: Apache-2.0
// Chrome's trace JSON, which ui.perfetto.dev opens. Waits in epoll_wait are slices of their threads; each finding
// has a track of its own with the last postings of its file, and flows lead from a delivery to the reads and
// writes that followed it. Times are µs since the observation began. Slices of one track never overlap.
#include <algorithm>
#include <map>
#include <ostream>
#include <set>
#include <string>

#include "src/evidence/place.h"
#include "src/report/formats.h"
#include "src/report/json_parts.h"
#include "src/report/markup.h"
#include "src/report/verdict.h"
#include "src/report/words.h"

namespace epaudit {
namespace {

constexpr uint32_t kFirstFindingTrack = 1U << 24;  // beyond any thread id (PID_MAX_LIMIT is 2^22)
constexpr double kLongestMark = 1000;              // µs a posting is drawn long, unless the next one is nearer

class Trace {
public:
    explicit Trace(const Report& report) : report_(report) {}

    Json events()
    {
        waits();
        uint32_t track = kFirstFindingTrack;
        for (const Finding* finding : verdict_of(report_).shown)
            timeline(*finding, track++);
        rates();
        return std::move(events_);
    }

private:
    void name(uint32_t pid, uint32_t tid, const std::string& thread)
    {
        if (named_.insert({pid, tid}).second)
            events_.push_back(Json{
                {"ph", "M"}, {"name", "thread_name"}, {"pid", pid}, {"tid", tid}, {"args", Json{{"name", thread}}}});
    }

    void name_process(uint32_t pid, const std::string& comm)
    {
        if (!comm.empty() && processes_.insert(pid).second)
            events_.push_back(Json{{"ph", "M"},
                                   {"name", "process_name"},
                                   {"pid", pid},
                                   {"tid", 0},
                                   {"args", Json{{"name", clean(comm)}}}});
    }

    void waits()
    {
        for (const LoopStats& loop : report_.history.loops)
            name_process(loop.pid, loop.comm);
        std::map<uint32_t, double> busy_until;
        for (const WaitSlice& wait : report_.history.waits) {
            double& until = busy_until[wait.tid];
            const double begin = std::max(wait.begin, until);
            if (wait.end < begin)
                continue;
            until = wait.end;
            name(wait.pid, wait.tid, "tid " + std::to_string(wait.tid));
            events_.push_back(Json{{"ph", "X"},
                                   {"name", "epoll_wait"},
                                   {"cat", "wait"},
                                   {"pid", wait.pid},
                                   {"tid", wait.tid},
                                   {"ts", rounded(begin * 1e6)},
                                   {"dur", rounded((wait.end - begin) * 1e6)},
                                   {"args", Json{{"epoll fd", wait.epoll_fd}, {"ended", wait.ended}}}});
        }
    }

    void flow(const char* phase, const Finding& finding, uint32_t track, double ts)
    {
        Json json{{"ph", phase},        {"name", "handled"}, {"cat", "delivery"}, {"id", flows_},
                  {"pid", finding.pid}, {"tid", track},      {"ts", rounded(ts)}};
        if (*phase == 'f')
            json["bp"] = "e";
        events_.push_back(std::move(json));
    }

    void timeline(const Finding& finding, uint32_t track)
    {
        name_process(finding.pid, finding.comm);
        std::string title = finding.rule + " " + finding.name;
        for (const std::string& part : where_parts(finding))
            if (!part.starts_with(finding.comm + "["))
                title += ", " + clean(part);
        name(finding.pid, track, title);
        const auto& all = finding.timeline;
        double delivered = -1;
        for (size_t i = 0; i < all.size(); i++) {
            const double ts = all[i].t * 1e6;
            const double next = i + 1 < all.size() ? all[i + 1].t * 1e6 : ts + kLongestMark;
            events_.push_back(Json{{"ph", "X"},
                                   {"name", clean(all[i].what)},
                                   {"cat", lane_name(all[i].lane)},
                                   {"pid", finding.pid},
                                   {"tid", track},
                                   {"ts", rounded(ts)},
                                   {"dur", rounded(std::clamp(next - ts, 0.0, kLongestMark))},
                                   {"args", Json{{"tid", all[i].tid}, {"fd", finding.fd.number}}}});
            if (all[i].lane == Lane::kDelivered) {
                delivered = ts;
            } else if (delivered >= 0 && (all[i].lane == Lane::kRead || all[i].lane == Lane::kWrite)) {
                flows_++;
                flow("s", finding, track, delivered);
                flow("f", finding, track, ts);
                delivered = -1;
            }
        }
    }

    void rates()
    {
        const uint32_t pid = report_.pids.empty() ? 0 : report_.pids[0];
        for (const RateSample& sample : report_.history.samples) {
            if (sample.seconds <= 0)
                continue;
            auto per_s = [&](uint64_t number) { return rounded(static_cast<double>(number) / sample.seconds); };
            events_.push_back(
                Json{{"ph", "C"},
                     {"name", "returns of epoll_wait per s"},
                     {"pid", pid},
                     {"ts", rounded((sample.t - sample.seconds) * 1e6)},
                     {"args", Json{{"with progress", per_s(sample.returns - std::min(sample.futile, sample.returns))},
                                   {"futile", per_s(sample.futile)}}}});
        }
    }

    const Report& report_;
    Json events_ = Json::array();
    std::set<std::pair<uint32_t, uint32_t>> named_;
    std::set<uint32_t> processes_;
    unsigned flows_ = 0;
};

}  // namespace

void write_perfetto(const Report& report, std::ostream& out)
{
    Json json{{"displayTimeUnit", "ms"}, {"otherData", Json{{"epaudit", report.version}}}};
    json["otherData"].update(Json{{"verdict", verdict_json(verdict_of(report))}});
    json["otherData"].update(configuration_json(report));
    json["traceEvents"] = Trace(report).events();
    out << json.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace epaudit
