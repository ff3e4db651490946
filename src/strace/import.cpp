// SPDX-License-Identifier: Apache-2.0
#include "src/strace/import.h"

#include <algorithm>

#include "bpf/ledger_limits.h"

namespace epaudit {
namespace {

// Logs without time stamps are looked at so often.
constexpr uint64_t kLinesPerLook = 20000;
// Of a line that stands for many (uniq -c), so many are enough for any verdict.
constexpr unsigned kRepeatsAtLeast = 200;
// A call without an end is kept up to this, in case its end comes after what the program wrote.
constexpr size_t kLongestOpen = 4096;

bool is_wait(uint8_t call) { return call == CALL_EPOLL_WAIT || call == CALL_EPOLL_PWAIT2; }

}  // namespace

StraceImport::StraceImport(Auditor& auditor, size_t max_files, PostedAudit::Looked looked)
    : audit_(auditor, std::move(looked)), interpreter_(audit_, max_files)
{
    audit_.tables().set_state_known(false);
    audit_.tables().set_seeded(false);
    audit_.tables().set_times_known(false);  // until a time stamp is seen
}

void StraceImport::line(std::string_view text)
{
    lines_++;
    if (learnt_) {
        take(text);
        return;
    }
    head_.emplace_back(text);
    if (head_.size() >= LogShape::kHead)
        learn();
}

void StraceImport::learn()
{
    if (learnt_)
        return;
    learnt_ = true;
    shape_.learn(head_);
    other_tool_ = LogShape::other_tool(head_, other_hint_);
    for (const std::string& text : head_)
        take(text);
    head_.clear();
    head_.shrink_to_fit();
}

void StraceImport::take(std::string_view text)
{
    unsigned repeat = 1;
    const bool full = shape_.width() && text.size() >= shape_.width();
    text = shape_.clean(text, buffer_, repeat);
    if (!open_.empty() && (continues(text) || (open_full_ && goes_on(text, full))))
        return;
    const unsigned extra = std::min(repeat - 1, std::max(repeats_left_, kRepeatsAtLeast));
    repeats_left_ -= std::min(extra, repeats_left_);
    for (unsigned times = 0; times <= extra; times++)
        one(text);
    open_full_ = full;
}

// "write(1, \"hello\n\", 6hello", then ")                  = 6": the program wrote to where strace wrote.
bool StraceImport::continues(std::string_view text)
{
    const size_t close = text.find(')');
    size_t equal = close == std::string_view::npos ? close : text.find_first_not_of(' ', close + 1);
    if (close != 0 || equal == std::string_view::npos || text[equal] != '=')
        return false;
    std::string whole;
    whole.swap(open_);
    endless_ = false;
    size_t number = whole.rfind(", ");
    if (number != std::string::npos) {
        size_t end = number + 2;
        while (end < whole.size() && whole[end] >= '0' && whole[end] <= '9')
            end++;
        if (end > number + 2)
            whole.resize(end);
    }
    whole += text.substr(close);
    one(whole);
    return true;
}

// Lines of the log were broken at some width, and this is more of the one before.
bool StraceImport::goes_on(std::string_view text, bool full)
{
    if (find_call(text) != std::string_view::npos || open_.size() + text.size() > kLongestOpen)
        return false;
    std::string whole;
    whole.swap(open_);
    whole += text;
    endless_ = false;
    one(whole);
    open_full_ = full;
    return true;
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
    if (line.kind == LogLine::Kind::kEmpty || line.kind == LogLine::Kind::kStack)
        return;
    if (line.kind == LogLine::Kind::kRefused && line.form == TimeForm::kNone) {
        refuse(line.refusal);
        return;
    }
    bool timed = clock_.known();
    uint64_t now = clock_.at(line);
    if (!timed && clock_.known())
        interpreter_.times_are_known();
    settle(now);
    interpreter_.sight().fine_times = clock_.known() && !clock_.coarse();
    if (line.pid)
        interpreter_.sight().pids = true;
    switch (line.kind) {
    case LogLine::Kind::kCall: call(line, now); break;
    case LogLine::Kind::kUnfinished: begins(line, now); break;
    case LogLine::Kind::kResumed: resumes(line, now); break;
    case LogLine::Kind::kExited: interpreter_.thread_exits(line.pid, now); break;
    case LogLine::Kind::kSignal:
        if (line.rest.find(" stopped by ") != std::string_view::npos)
            interpreter_.doubt_durations(now);
        break;
    case LogLine::Kind::kMessage: message(line.rest); break;
    case LogLine::Kind::kRefused: refuse(line.refusal); break;
    default: break;
    }
    if (endless_ && line.kind == LogLine::Kind::kCall && text.size() <= kLongestOpen)
        open_.assign(text);
    if (!clock_.known() && lines_ - looked_at_line_ >= kLinesPerLook)
        pause();
}

void StraceImport::call(const LogLine& line, uint64_t now)
{
    uint8_t what = call_by_name(line.name);
    if (what == CALL_NONE) {
        if (printed_duration(line.rest) < static_cast<int64_t>(LEDGER_STALL_NS))
            return;
        if (LogThread* known = interpreter_.world().known_thread(line.pid); known && !known->interrupted)
            passed(*known, line.name, line.rest, line.rest, now);
        return;
    }
    Arguments whole(line.rest);
    PrintedResult result;
    endless_ = !whole.result(result);
    if (endless_)  // more of it may come
        return;
    LogThread* thread = enter(line, what, now);
    if (!thread)
        return;
    const bool dated = line.rest.size() > 2 && line.rest.back() == '>';
    if (!clock_.known() || dated || !is_wait(what)) {
        complete(*thread, what, line.name, line.rest, whole, result, now);
        return;
    }
    held_.thread = thread;
    held_.what = what;
    held_.text.assign(line.rest);
    held_.begun = now;
}

LogThread* StraceImport::enter(const LogLine& line, uint8_t what, uint64_t now)
{
    LogThread* thread = interpreter_.world().thread(line.pid);
    if (!thread) {
        refuse(Refusal::kTooMany);
        return nullptr;
    }
    thread->interrupted = false;
    thread->begun = now;
    interpreter_.enters(*thread, what, line.rest, now);
    return thread;
}

// The newest call has no end, and nothing more will come of it.
void StraceImport::leave_open()
{
    endless_ = false;
    if (open_.empty())
        return;
    std::string text;
    text.swap(open_);
    const LogLine line = parse_line(text);
    if (line.kind == LogLine::Kind::kCall)
        enter(line, call_by_name(line.name), clock_.now());
}

// `whole` has been read up to `result`. `end`: of a call whose result is printed without a duration.
void StraceImport::complete(LogThread& thread, uint8_t what, std::string_view name, std::string_view text,
                            Arguments& whole, const PrintedResult& result, uint64_t end)
{
    if (result.duration >= 0) {
        interpreter_.sight().durations = true;
        end = std::max(end, thread.interrupted ? end : end + static_cast<uint64_t>(result.duration));
    } else if (!clock_.known()) {
        end += 1;
    }
    const std::string_view left = whole.left();
    whole.rewind();
    // A call that failed, or never returned, did nothing.
    if (!interpreter_.exits(thread, what, text, whole, result, end) && result.known && result.value >= 0)
        refuse(Refusal::kArguments);
    const uint32_t pid = thread.tid;
    if (result.duration >= 0 || thread.interrupted)
        interpreter_.took(thread, what, name, text, thread.lasted(result.duration, end), end);
    second_call(left, pid);
}

// "read(7, ...) = 6 write(7, ...) = 6": a paste lost its line ends.
void StraceImport::second_call(std::string_view rest, uint32_t pid)
{
    if (rest.find('(') == std::string_view::npos)
        return;
    const size_t at = find_call(rest);
    if (at == std::string_view::npos || at == 0)
        return;
    LogLine line = parse_line(rest.substr(at));
    line.pid = pid;
    if (line.kind == LogLine::Kind::kCall)
        call(line, clock_.now());
}

// A call that says nothing to the books but how long its thread was away. `text` has its arguments, `end` is printed
// behind them.
void StraceImport::passed(LogThread& thread, std::string_view name, std::string_view text, std::string_view end,
                          uint64_t now)
{
    int64_t printed = printed_duration(end);
    uint64_t returned = thread.interrupted || printed < 0 ? now : now + static_cast<uint64_t>(printed);
    interpreter_.sight().durations |= printed >= 0;
    interpreter_.took(thread, CALL_NONE, name, text, thread.lasted(printed, returned), returned);
}

void StraceImport::settle(uint64_t now)
{
    if (!held_.thread)
        return;
    LogThread& thread = *held_.thread;
    held_.thread = nullptr;
    Arguments whole(held_.text);
    PrintedResult result;
    if (whole.result(result))
        complete(thread, held_.what, {}, held_.text, whole, result, now);
}

void StraceImport::begins(const LogLine& line, uint64_t now)
{
    uint8_t what = call_by_name(line.name);
    LogThread* thread = interpreter_.world().thread(line.pid);
    if (!thread) {
        refuse(Refusal::kTooMany);
        return;
    }
    thread->interrupted = true;
    thread->pending = what;
    thread->begun = now;
    thread->text.assign(
        line.rest.find_first_not_of(' ') == std::string_view::npos ? "" : line.rest);  // "pipe2( <unfinished ...>"
    if (what == CALL_NONE)
        return;
    interpreter_.enters(*thread, what, line.rest, now);
    if (what == LOG_FORK)
        interpreter_.world().forking = thread;
}

void StraceImport::resumes(const LogLine& line, uint64_t now)
{
    uint8_t what = call_by_name(line.name);
    LogThread* thread = interpreter_.world().thread(line.pid);
    if (!thread) {
        refuse(Refusal::kTooMany);
        return;
    }
    bool joined = thread->interrupted && thread->pending == what;
    if (what != CALL_NONE && !joined)
        refuse(Refusal::kNoBeginning);
    if (what != CALL_NONE && joined) {
        thread->text.append(line.rest);
        std::string text;
        text.swap(thread->text);  // a fork looks at the thread while its text is read
        Arguments whole(text);
        PrintedResult result;
        if (whole.result(result))
            complete(*thread, what, line.name, text, whole, result, now);
        else
            refuse(Refusal::kCut);
        thread->text.swap(text);
    }
    if (what == CALL_NONE && joined)
        passed(*thread, line.name, thread->text, line.rest, now);
    if (interpreter_.world().forking == thread)
        interpreter_.world().forking = nullptr;
    thread->interrupted = false;
}

// "Process 4242 attached with 3 threads"
void StraceImport::message(std::string_view text)
{
    World& world = interpreter_.world();
    constexpr std::string_view kHead = "Process ";
    if (!world.processes().empty() || text.substr(0, kHead.size()) != kHead)
        return;
    if (world.attached) {  // strace -p N -p M
        world.attached_several = true;
        return;
    }
    int64_t pid = 0;
    text.remove_prefix(kHead.size());
    if (parse_number(text.substr(0, text.find(' ')), pid) && pid > 0 && pid < (1 << 30))
        world.attached = static_cast<uint32_t>(pid);
}

void StraceImport::pause()
{
    learn();
    settle(clock_.now());
    looked_at_line_ = lines_;
    if (audit_.time())
        audit_.look();
}

void StraceImport::finish()
{
    learn();
    settle(clock_.now());
    if (endless_)
        leave_open();
    if (audit_.time())
        audit_.pass(clock_.now());
    if (audit_.time())
        audit_.look(runs());
}

}  // namespace epaudit
