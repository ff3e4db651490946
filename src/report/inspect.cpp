// SPDX-License-Identifier: Apache-2.0
// Interest lists as a table: one line per registration, whatever its length, so that grep and sort can be used.
#include "src/report/inspect.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <array>
#include <ostream>

#include "src/books/describe.h"
#include "src/books/duration.h"
#include "src/report/markup.h"
#include "src/report/words.h"
#include "src/support/terminal.h"

namespace epaudit {
namespace {

constexpr uint32_t kPrivate = EV_PRIVATE;
constexpr size_t kNoteWidth = 94;

// "IN|OUT": what is asked for. EPOLLERR and EPOLLHUP are always there and say nothing.
std::string events_text(uint32_t mask)
{
    uint32_t events = mask & ~(kPrivate | EV_ERR | EV_HUP);
    if (!events)
        return "none";
    std::string text = mask_text(events);
    for (size_t at = text.find("EPOLL"); at != std::string::npos; at = text.find("EPOLL"))
        text.erase(at, 5);
    return text;
}

struct Row {
    char mark = ' ';
    std::array<std::string, 6> cells;  // fd kind events trigger ready data
    std::string state;
};

constexpr std::array<const char*, 6> kHeads = {"fd", "kind", "events", "trigger", "ready", "data"};

Row row_of(const Registration& r, char mark, const InterestLook& look)
{
    Row row;
    row.mark = mark;
    row.cells = {std::to_string(r.fd),        r.open.kind, events_text(r.mask), how_text(r), r.ready ? "ready" : "-",
                 fmt::format("{:#x}", r.data)};
    row.state = state_text(r, look);
    return row;
}

class Table {
public:
    Table(const InterestLook& look, const InspectStyle& style, std::ostream& out)
        : look_(look), style_(style), out_(out)
    {
    }

    void write(const InterestList& list)
    {
        rows_.clear();
        for (const Registration& r : list.registrations)
            rows_.push_back(row_of(r,
                                   !style_.watching               ? ' '
                                   : r.change == Change::kNew     ? '+'
                                   : r.change == Change::kChanged ? '~'
                                                                  : ' ',
                                   look_));
        for (const Registration& r : list.gone)
            rows_.push_back(row_of(r, '-', look_));
        if (rows_.empty())
            return;
        measure();
        Row head;
        std::copy(kHeads.begin(), kHeads.end(), head.cells.begin());
        head.state = "state";
        line(head);
        for (const Row& row : rows_)
            line(row);
    }

private:
    void measure()
    {
        for (size_t i = 0; i < kHeads.size(); i++) {
            widths_[i] = columns(kHeads[i]);
            for (const Row& row : rows_)
                widths_[i] = std::max(widths_[i], columns(row.cells[i]));
        }
    }

    const char* colour(const Row& row) const
    {
        if (!style_.colour)
            return "";
        return row.mark == '+' ? ansi::kGreen : row.mark == '-' ? ansi::kRed : row.mark == '~' ? ansi::kYellow : "";
    }

    void line(const Row& row)
    {
        std::string text(1, row.mark);
        for (size_t i = 0; i < row.cells.size(); i++) {
            bool number = i == 0;
            std::string cell = clean(row.cells[i]);
            text += ' ';
            text += number ? std::string(widths_[i] - std::min(widths_[i], columns(cell)), ' ') + cell
                           : padded(cell, widths_[i]);
            text += ' ';
        }
        text += ' ' + row.state;
        text.erase(text.find_last_not_of(' ') + 1);
        const char* on = colour(row);
        fmt::print(out_, "{}{}{}\n", on, text, *on ? ansi::kReset : "");
    }

    const InterestLook& look_;
    const InspectStyle& style_;
    std::ostream& out_;
    std::vector<Row> rows_;
    std::array<size_t, kHeads.size()> widths_{};
};

std::string waiter_text(const Waiter& waiter)
{
    std::string text = fmt::format("tid {} {}", waiter.tid, clean(waiter.comm));
    if (waiter.timeout_ms)
        text += *waiter.timeout_ms < 0 ? ", without a timeout" : fmt::format(", timeout {} ms", *waiter.timeout_ms);
    if (waiter.ran_ago_ns)
        text += ", for at most " + duration_text(*waiter.ran_ago_ns);
    return text;
}

std::string head_text(const InterestList& list)
{
    std::string text = fmt::format("epoll fd {}", list.holders[0].fd);
    for (size_t i = 1; i < list.holders.size(); i++) {
        const Holder& other = list.holders[i];
        bool same = other.pid == list.holders[0].pid;
        text += same ? fmt::format(", also fd {}", other.fd) : fmt::format(", also pid {} fd {}", other.pid, other.fd);
    }
    auto ready = std::count_if(list.registrations.begin(), list.registrations.end(),
                               [](const Registration& r) { return r.ready; });
    text += fmt::format("  {}, {} ready, ", plural(list.registrations.size(), "registration"), ready);
    if (list.waiters.empty())
        return text + "no thread waits";
    return text + plural(list.waiters.size(), "thread") + (list.waiters.size() == 1 ? " waits" : " wait");
}

void write_process(const InterestLook& look, uint32_t pid, std::ostream& out)
{
    auto at = look.processes.find(pid);
    std::string comm = at == look.processes.end() ? "?" : clean(at->second.comm);
    std::string exe = at == look.processes.end() ? "" : clean(at->second.exe);
    fmt::print(out, "{}[{}]{}{}", comm, pid, exe.empty() ? "" : "  ", exe);
    if (at != look.processes.end())
        for (const auto& [name, value] : workload_rows(at->second.workload))
            fmt::print(out, "  {} {}", name, clean(value));
    fmt::print(out, "\n");
}

}  // namespace

void write_inspect_text(const InterestLook& look, const InspectStyle& style, std::ostream& out)
{
    if (style.watching)
        fmt::print(out, "{}\n", iso_time(look.started));
    uint32_t pid = 0;
    Table table(look, style, out);
    for (const InterestList& list : look.lists) {
        if (list.holders[0].pid != pid) {
            if (pid)
                fmt::print(out, "\n");
            pid = list.holders[0].pid;
            write_process(look, pid, out);
        }
        fmt::print(out, "\n  {}{}\n", head_text(list), list.change == Change::kNew && style.watching ? "  (new)" : "");
        for (const Waiter& waiter : list.waiters)
            fmt::print(out, "  waits  {}\n", waiter_text(waiter));
        table.write(list);
    }
    for (uint32_t without : look.without) {
        fmt::print(out, "\n");
        write_process(look, without, out);
        fmt::print(out, "\n  no epoll\n");
    }
    fmt::print(out, "\n");
    for (const std::string& note : look.notes) {
        const char* label = "note  ";
        for (const std::string& text : wrap(note, kNoteWidth)) {
            fmt::print(out, "{}{}\n", label, text);
            label = "      ";
        }
    }
}

}  // namespace epaudit
