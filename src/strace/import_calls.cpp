// SPDX-License-Identifier: Apache-2.0
// Calls of a log: begun, resumed, whole, several on a line; told to the interpreter when they are over.
#include <algorithm>

#include "bpf/ledger_limits.h"
#include "src/strace/import.h"

namespace epaudit {
namespace {

// Where the pid and the time stamp of this call begin, behind the result of the one before it.
size_t with_leader(std::string_view text, size_t call)
{
    const size_t result = text.find("= ");
    for (size_t at = result == std::string_view::npos ? result : text.find(' ', result + 2); at < call;
         at = text.find(' ', at + 1))
        if (leader_length(text.substr(at + 1)) == call - at - 1)
            return at + 1;
    return call;
}

bool is_wait(uint8_t call) { return call == CALL_EPOLL_WAIT || call == CALL_EPOLL_PWAIT2; }

}  // namespace

// Takes the next call off the end of this one. `left`: what stands behind the arguments.
std::string_view StraceImport::without_next(std::string_view text, std::string_view left)
{
    if (left.find('(') == std::string_view::npos)
        return text;
    const size_t call = find_call(left);
    if (call == std::string_view::npos || call == 0 || left.size() - call > text.size())
        return text;
    const size_t at = with_leader(left, call);
    more_ = text.substr(text.size() - (left.size() - at));
    text.remove_suffix(more_.size());
    const size_t end = text.find_last_not_of(" ;,.|/&");
    return text.substr(0, end == std::string_view::npos ? text.size() : end + 1);
}

void StraceImport::give_pid(LogLine& line)
{
    if (line.pid)
        interpreter_.sight().pids = true;
    if (!sources_.all().empty())
        line.pid = interpreter_.world().own(line.pid ? line.pid : sources_.all()[sources_.current()].pid);
}

void StraceImport::call(const LogLine& line, uint64_t now)
{
    uint8_t what = call_by_name(line.name);
    Arguments whole(line.rest);
    PrintedResult result;
    bool ends = whole.result(result);
    const std::string_view text = without_next(line.rest, whole.left());
    if (what == CALL_NONE) {
        if (printed_duration(text) < static_cast<int64_t>(LEDGER_STALL_NS))
            return;
        if (LogThread* known = interpreter_.world().known_thread(line.pid); known && !known->interrupted)
            passed(*known, line.name, text, text, now);
        return;
    }
    if (text.size() < line.rest.size()) {
        whole = Arguments(text);
        ends = whole.result(result);
    }
    if (shape_.at_words() && text.ends_with("= -1"))  // its error is in the next line
        ends = false;
    if (!ends && is_source(text)) {
        refuse(Refusal::kNoCall);
        return;
    }
    endless_ = !ends && more_.empty();
    if (!ends)  // more of it may come
        return;
    LogThread* thread = enter(line, what, now);
    if (!thread)
        return;
    const bool dated = text.size() > 2 && text.back() == '>';
    if (!clock_.known() || dated || !is_wait(what)) {
        complete(*thread, what, line.name, text, whole, result, now);
        return;
    }
    held_.thread = thread;
    held_.what = what;
    held_.text.assign(text);
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
    whole.rewind();
    // A call that failed, or never returned, did nothing.
    if (!interpreter_.exits(thread, what, text, whole, result, end) && result.known && result.value >= 0)
        refuse(Refusal::kArguments);
    if (result.duration >= 0 || thread.interrupted)
        interpreter_.took(thread, what, name, text, thread.lasted(result.duration, end), end);
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
    if (what != CALL_NONE && !joined) {
        refuse(Refusal::kNoBeginning);
        waits_without_beginning_ += is_wait(what);
    }
    if (what != CALL_NONE && joined) {
        const size_t begun = thread->text.size();
        thread->text.append(line.rest);
        std::string text;
        text.swap(thread->text);  // a fork looks at the thread while its text is read
        Arguments whole(text);
        PrintedResult result;
        bool ends = whole.result(result);
        if (const size_t size = without_next(line.rest, whole.left()).size(); size < line.rest.size()) {
            text.resize(text.size() - (line.rest.size() - size));
            whole = Arguments(text);
            ends = whole.result(result);
        }
        if (!ends && what != LOG_FORK) {  // more of it may come
            text.resize(begun);
            thread->text.swap(text);
            endless_ = true;
            return;
        }
        if (ends)
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

}  // namespace epaudit
