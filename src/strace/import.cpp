// SPDX-License-Identifier: Apache-2.0
#include "src/strace/import.h"

#include <algorithm>
#include <utility>

#include "bpf/ledger_limits.h"
#include "src/strace/other_tool.h"

namespace epaudit {
namespace {

// Logs without time stamps are looked at so often.
constexpr uint64_t kLinesPerLook = 20000;
// Lines that are kept in memory until it is known how the log was pasted.
constexpr size_t kMostHeld = 4096, kMostHeldBytes = 4 << 20;
// Of a line that stands for many (uniq -c), so many are enough for any verdict.
constexpr unsigned kRepeatsAtLeast = 200;

bool is_denial(std::string_view text)
{
    return (text.find("ptrace") != std::string_view::npos || text.find("PTRACE_") != std::string_view::npos) &&
           text.find("Operation not permitted") != std::string_view::npos;
}

// Something that carried the log has changed it. What somebody says of epoll_wait() has no result, or no number.
bool may_be_wait(std::string_view text)
{
    size_t at = std::min(text.find("epoll_wait("), text.find("epoll_pwait("));
    if (at == std::string_view::npos || is_source(text.substr(text.find('(', at) + 1)))
        return false;
    at = text.find(") = ", at);
    return at != std::string_view::npos && at + 4 < text.size() && text[at + 4] >= '0' && text[at + 4] <= '9';
}

// "Process 4242 attached epoll_wait(...": a paste lost its line ends.
std::string_view behind_message(std::string_view text)
{
    constexpr std::string_view kAttached = " attached ";
    const size_t at = text.find(kAttached);
    return at == std::string_view::npos ? std::string_view() : text.substr(at + kAttached.size());
}

}  // namespace

StraceImport::StraceImport(Auditor& auditor, size_t max_files, PostedAudit::Looked looked)
    : audit_(auditor, std::move(looked)), interpreter_(audit_, max_files)
{
    audit_.tables().set_state_known(false);
    audit_.tables().set_seeded(false);
    audit_.tables().set_times_known(false);  // until a time stamp is seen
}

void StraceImport::whole_line(std::string_view text)
{
    if (!joins(text))
        return;
    const bool complete = sample_.complete();
    if (!complete)
        sample_.add(text);
    if (!holds_) {
        if (!complete && sample_.complete())
            learn();
        take(text);
        return;
    }
    held_lines_.emplace_back(text);
    held_bytes_ += text.size();
    if (sample_.complete() || held_lines_.size() >= kMostHeld || held_bytes_ >= kMostHeldBytes)
        learn();
}

// What is known so far may have to do: more lines are not to be had, or not now. Before the first call there is nothing to
// learn from, and what comes is held again.
void StraceImport::learn()
{
    const bool more = sample_.taken() != learnt_from_;
    if (holds_ || more)
        other_tool_ = epaudit::other_tool(sample_.with_first_lines(), other_hint_);
    if (more) {
        panes_.learn(sample_.lines());
        shape_ = {};
        shape_.learn(panes_.any() ? panes_.apart(sample_.lines()) : sample_.lines());
        learnt_from_ = sample_.taken();
        holds_ = false;
    }
    held_bytes_ = 0;
    for (const std::string& text : std::exchange(held_lines_, {}))
        take(text);
}

void StraceImport::take(std::string_view text)
{
    if (!panes_.any()) {
        piece(text, shape_.width() && text.size() >= shape_.width());
        return;
    }
    const std::vector<LogPanes::Part> parts = panes_.apart(text);
    for (size_t i = 0; i < parts.size(); i++) {
        const uint32_t before = sources_.current();
        sources_.select("pane " + std::to_string(i + 1));
        change_source(before);
        piece(parts[i].text, parts[i].full);
    }
}

void StraceImport::piece(std::string_view text, bool full)
{
    text = shape_.decode(text, buffer_);
    // A whole log may have been one string of a document.
    for (size_t end; (end = text.find('\n')) != std::string_view::npos;) {
        decoded(text.substr(0, end), full);
        text.remove_prefix(end + 1);
    }
    decoded(text, full);
}

void StraceImport::decoded(std::string_view text, bool full)
{
    LogShape::Around around;
    text = shape_.clean(text, line_buffer_, around);
    if (const uint32_t before = sources_.current(); !around.source.empty() && !panes_.any()) {
        if (!sources_.select(around.source)) {
            refuse(Refusal::kTooMany);
            return;
        }
        change_source(before);
    }
    if (!tail_heading(text).empty()) {
        heading(text);
        return;
    }
    if (shape_.at_words() && !panes_.any() && joins_words(text))  // a terminal breaks anywhere
        return;
    if (!open_.empty() && (continues(text) || (open_full_ && goes_on(shape_.unquoted(text), full))))
        return;
    const unsigned extra = repeats_of(around.repeat - 1);
    for (unsigned times = 0; times <= extra; times++)
        one(text);
    open_full_ = full;
}

// Of so many more of a line, those that are looked at.
unsigned StraceImport::repeats_of(unsigned more)
{
    const unsigned extra = std::min(more, std::max(repeats_left_, kRepeatsAtLeast));
    repeats_left_ -= std::min(extra, repeats_left_);
    return extra;
}

// "last message repeated 53 times"
void StraceImport::again(unsigned times)
{
    const std::string text = last_;
    if (!text.empty())
        for (unsigned left = repeats_of(times); left > 0; left--)
            one(text);
}

// The program's own output may begin with what looks like a time stamp: "10.0.0.7 - - [...]", "3.5 ms".
void StraceImport::unread(std::string_view text, Refusal reason)
{
    if (heading(text))
        return;
    if (const unsigned more = repeats(text)) {
        again(more);
        return;
    }
    denied_ |= is_denial(text);
    unread_waits_ += may_be_wait(text);
    refuse(reason);
}

uint64_t StraceImport::time_of(const LogLine& line)
{
    const bool timed = clock_.known();
    const uint64_t now = clock_.at(line);
    if (!timed && clock_.known())
        interpreter_.times_are_known();
    settle(now);
    interpreter_.times_are_fine(clock_.known() && !clock_.coarse());
    return now;
}

void StraceImport::act(const LogLine& line, uint64_t now)
{
    switch (line.kind) {
    case LogLine::Kind::kCall: call(line, now); break;
    case LogLine::Kind::kUnfinished: begins(line, now); break;
    case LogLine::Kind::kResumed: resumes(line, now); break;
    case LogLine::Kind::kExited: interpreter_.thread_exits(line.pid, now); break;
    case LogLine::Kind::kSignal:
        if (line.rest.find(" stopped by ") != std::string_view::npos)
            interpreter_.doubt_durations(now);
        break;
    case LogLine::Kind::kMessage:
        denied_ |= is_denial(line.rest);
        message(line.rest);
        more_ = behind_message(line.rest);
        break;
    default: break;
    }
}

void StraceImport::one(std::string_view text)
{
    LogLine line = parse_line(text);
    const bool call_line = line.kind == LogLine::Kind::kCall || line.kind == LogLine::Kind::kUnfinished ||
                           line.kind == LogLine::Kind::kResumed;
    if (call_line && endless_) {  // the line before it has no end
        refuse(Refusal::kCut);
        leave_open();
    }
    if (call_line && shape_.prefixed())
        last_.assign(text);
    if (line.kind == LogLine::Kind::kEmpty || line.kind == LogLine::Kind::kStack)
        return;
    if (line.kind == LogLine::Kind::kRefused) {
        unread(text, line.refusal);
        return;
    }
    uint64_t now = time_of(line);
    give_pid(line);
    act(line, now);
    while (!more_.empty()) {  // "read(7, ...) = 6 write(7, ...) = 6": a paste lost its line ends
        text = std::exchange(more_, {});
        const uint32_t pid = line.pid;
        line = parse_line(text);
        if (line.form != TimeForm::kNone)
            now = time_of(line);
        if (line.pid)
            give_pid(line);
        else
            line.pid = pid;
        settle(now);
        if (line.kind == LogLine::Kind::kCall)
            call(line, now);
    }
    if (endless_ && (line.kind == LogLine::Kind::kCall || line.kind == LogLine::Kind::kResumed) &&
        text.size() <= kLongestOpen)
        open_.assign(text);
    if (!clock_.known() && lines_ - looked_at_line_ >= kLinesPerLook)
        pause();
}

// Does this line say that others follow that are from another log?
bool StraceImport::heading(std::string_view text)
{
    const uint32_t before = sources_.current();
    if (!sources_.heading(text, !interpreter_.counts().calls))
        return false;
    change_source(before);
    return true;
}

// Each of several logs has its own time stamps, threads, and calls that are not over yet.
void StraceImport::change_source(uint32_t before)
{
    if (sources_.all().empty())  // a rule, and no name yet
        return;
    const uint32_t now = sources_.current();
    const LogSource& source = sources_.all()[now];
    const bool per_thread = source.pid != 0;
    interpreter_.sight().per_thread |= per_thread && sources_.several();
    interpreter_.world().source(source.group, per_thread, source.name);
    if (now == before)
        return;
    clock_.source(now);
    Left& left = left_[before];
    left.endless = endless_;
    left.open.swap(open_);
    Left& mine = left_[now];
    endless_ = std::exchange(mine.endless, false);
    open_ = std::exchange(mine.open, {});
    open_full_ = !open_.empty();  // tail may have stopped within a line
}

// Which log a process is from, where that is all that is known of it.
void StraceImport::name_processes()
{
    for (const auto& [pid, process] : interpreter_.world().processes())
        if (sources_.several() && process->exe.empty() && !process->comm.empty())
            audit_.tables().set_process({pid, process->comm, "", RunState::kUnknown});
}

void StraceImport::pause()
{
    learn();
    settle(clock_.now());
    looked_at_line_ = lines_;
    name_processes();
    if (audit_.time())
        audit_.look();
}

void StraceImport::finish()
{
    if (!joined_.empty())
        whole_line(std::exchange(joined_, {}));
    learn();
    settle(clock_.now());
    if (endless_)
        leave_open();
    for (auto& [number, left] : left_) {
        open_.swap(left.open);
        if (left.endless)
            leave_open();
    }
    name_processes();
    if (audit_.time())
        audit_.pass(clock_.now());
    if (audit_.time())
        audit_.look(runs());
}

}  // namespace epaudit
