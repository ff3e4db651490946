// SPDX-License-Identifier: Apache-2.0
// epaudit inspect: the interest lists now, once or again and again.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <iostream>
#include <sstream>

#include "src/capture/live_inspect.h"
#include "src/cli/options.h"
#include "src/cli/who.h"
#include "src/report/inspect.h"
#include "src/report/words.h"
#include "src/session/target.h"
#include "src/support/clock.h"
#include "src/support/say.h"
#include "src/support/signals.h"
#include "src/support/terminal.h"

namespace epaudit {
namespace {

Error no_epoll(const InterestLook& look)
{
    std::vector<std::string> names;
    for (const auto& [pid, process] : look.processes)
        names.push_back(fmt::format("{}[{}]", process.comm, pid));
    return observe_error(
        fmt::format("no epoll in {}", fmt::join(names, ", ")),
        "a program that uses poll() or select(), or whose children do the work: pgrep -P PID lists them");
}

Error all_gone(const std::vector<uint32_t>& pids)
{
    return observe_error(fmt::format("no process {}: it has ended", fmt::join(pids, ",")));
}

// Who is looked at: processes by number, or, at each look, those of a selection that have an epoll.
class Whom {
public:
    static Result<Whom> of(const InspectOptions& options)
    {
        Whom whom;
        if (options.who.only_pids()) {
            auto pids = parse_pids(options.who.pid_list());
            if (!pids)
                return pids.error();
            say_notes(pids->notes);
            whom.pids_ = std::move(pids->pids);
            return whom;
        }
        auto found = find_who(options.who, say_notes);
        if (!found)
            return found.error();
        whom.scan_ = std::move(found->scan);
        whom.pids_ = with_epolls(found->processes);
        if (whom.pids_.empty())  // whoever they are
            for (const SelectedProcess& one : found->processes)
                whom.pids_.push_back(one.process->pid);
        return whom;
    }

    const std::vector<uint32_t>& pids() const { return pids_; }
    bool is_open() const { return scan_ && scan_->selection().is_open(); }
    void look_again()
    {
        if (scan_)
            pids_ = with_epolls(scan_->look(monotonic_ns()));
    }

private:
    std::vector<uint32_t> pids_;
    std::unique_ptr<ProcessScan> scan_;
};

// Looks one below the other, or, at a terminal that can, each in the place of the one before, on a screen of its own: what
// was on the terminal is there again afterwards, and below it the last look.
class Screen {
public:
    explicit Screen(const InspectOptions& options)
        : json_(options.format == "json"), redraw_(options.watch && is_capable_terminal(STDOUT_FILENO) && !json_)
    {
        style_.colour = wants_colour(options.color, STDOUT_FILENO);
        style_.watching = options.watch.has_value();
        if (redraw_)
            std::cout << ansi::kScreenOn << ansi::kWrapOff;
    }
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;
    ~Screen()
    {
        if (redraw_)
            std::cout << ansi::kWrapOn << ansi::kScreenOff << last_ << std::flush;
    }

    void show(const InterestLook& look)
    {
        std::ostringstream text;
        if (json_)
            write_inspect_json(look, style_, text);
        else
            write_inspect_text(look, style_, text);
        last_ = text.str();
        if (redraw_)
            draw();
        else
            std::cout << last_;
        std::cout.flush();
    }

private:
    // What has no room below is counted: it could not be scrolled to.
    void draw() const
    {
        const size_t rows = std::max<size_t>(terminal_size(STDOUT_FILENO, {80, 24}).rows, 2);
        const auto lines = static_cast<size_t>(std::count(last_.begin(), last_.end(), '\n'));
        const size_t shown = lines < rows ? lines : rows - 1;
        std::string_view rest = last_;
        std::cout << ansi::kHome;
        for (size_t row = 0; row < shown; ++row) {
            const size_t end = rest.find('\n');
            std::cout << rest.substr(0, end) << ansi::kRestOfLine << '\n';
            rest.remove_prefix(end + 1);
        }
        std::cout << ansi::kRestOfScreen;
        if (shown < lines)
            std::cout << plural(lines - shown, "more line")
                      << ": make the window taller, or press Ctrl-C for all of them";
    }

    InspectStyle style_;
    bool json_;
    bool redraw_;
    std::string last_;
};

// Until a signal, the reader or the processes end it.
Result<int> watch(LiveInspection& live, Whom& whom, InterestLook look, const InspectOptions& options)
{
    const Descriptor signals = take_signals({SIGINT, SIGTERM, SIGHUP});  // Ctrl-C ends a watch, and is no failure
    Screen screen(options);
    for (;;) {
        screen.show(look);
        if (!std::cout)
            return 0;
        pollfd wait{signals.get(), POLLIN, 0};
        if (poll(&wait, 1, static_cast<int>(std::lround(*options.watch * 1000))) > 0)
            return 0;
        whom.look_again();
        auto next = live.look(whom.pids());
        if (!next)
            return next.error();
        if (next->processes.empty() && !whom.is_open())
            return 0;
        compare_looks(look, *next);
        look = std::move(*next);
    }
}

}  // namespace

Result<int> inspect_command(const InspectOptions& options)
{
    auto whom = Whom::of(options);
    if (!whom)
        return whom.error();
    auto live = LiveInspection::open(options.verbose);
    if (!live)
        return live.error();
    auto look = (*live)->look(whom->pids());
    if (!look)
        return look.error();
    if (look->processes.empty())
        return all_gone(whom->pids());
    if (look->lists.empty())
        return no_epoll(*look);
    if (options.watch)
        return watch(**live, *whom, std::move(*look), options);
    Screen(options).show(*look);
    return static_cast<int>(look->complete ? Exit::kClean : Exit::kIncomplete);
}

}  // namespace epaudit
