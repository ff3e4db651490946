// SPDX-License-Identifier: Apache-2.0
#include "src/strace/import.h"

#include <fmt/format.h>

#include <algorithm>

#include "bpf/ledger_limits.h"

namespace epaudit {
namespace {

// Logs without time stamps are looked at so often.
constexpr uint64_t kLinesPerLook = 20000;

bool is_wait(uint8_t call) { return call == CALL_EPOLL_WAIT || call == CALL_EPOLL_PWAIT2; }

}  // namespace

StraceImport::StraceImport(Auditor& auditor, size_t max_files, PostedAudit::Looked looked)
    : audit_(auditor, std::move(looked)), interpreter_(audit_, max_files)
{
    audit_.tables().set_state_known(false);
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
    text = shape_.clean(text, buffer_, repeat);
    if (!open_.empty() && continues(text))
        return;
    for (; repeat > 0; repeat--)
        one(text);
}

// "write(1, \"hello\\n\", 6hello", then ")                  = 6": the program wrote to where strace wrote.
bool StraceImport::continues(std::string_view text)
{
    const size_t close = text.find(')');
    size_t equal = close == std::string_view::npos ? close : text.find_first_not_of(' ', close + 1);
    if (equal == std::string_view::npos || text[equal] != '=' || find_call(text) < close)
        return false;
    std::string whole;
    whole.swap(open_);
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

void StraceImport::one(std::string_view text)
{
    LogLine line = parse_line(text);
    const bool call_line = line.kind == LogLine::Kind::kCall || line.kind == LogLine::Kind::kUnfinished ||
                           line.kind == LogLine::Kind::kResumed;
    if (call_line && !open_.empty()) {  // the line before it has no end
        refuse(Refusal::kCut);
        open_.clear();
    }
    last_cut_ = false;
    if (line.kind == LogLine::Kind::kEmpty || line.kind == LogLine::Kind::kStack)
        return;
    if (line.kind == LogLine::Kind::kRefused && line.form == TimeForm::kNone) {
        refuse(line.refusal);
        return;
    }
    bool timed = clock_.known();
    uint64_t now = clock_.at(line);
    if (!timed && clock_.known())
        audit_.tables().set_times_known(true);
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
    if (last_cut_ && line.kind == LogLine::Kind::kCall && text.size() < 4096)
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
    LogThread* thread = interpreter_.world().thread(line.pid);
    if (!thread) {
        refuse(Refusal::kTooMany);
        return;
    }
    thread->interrupted = false;
    thread->begun = now;
    interpreter_.enters(*thread, what, line.rest, now);
    bool dated = line.rest.size() > 2 && line.rest.back() == '>';
    if (!clock_.known() || dated || !is_wait(what)) {
        complete(*thread, what, line.name, line.rest, now);
        return;
    }
    held_.thread = thread;
    held_.what = what;
    held_.text.assign(line.rest);
    held_.begun = now;
}

// `end`: of a call whose result is printed without a duration.
void StraceImport::complete(LogThread& thread, uint8_t what, std::string_view name, std::string_view text, uint64_t end)
{
    Arguments whole(text);
    PrintedResult result;
    if (!whole.result(result)) {
        last_cut_ = true;
        if (thread.interrupted)
            refuse(Refusal::kCut);
        return;
    }
    if (result.duration >= 0) {
        interpreter_.sight().durations = true;
        end = std::max(end, thread.interrupted ? end : end + static_cast<uint64_t>(result.duration));
    } else if (!clock_.known()) {
        end += 1;
    }
    Arguments arguments(text);
    // A call that failed, or never returned, did nothing.
    if (!interpreter_.exits(thread, what, text, arguments, result, end) && result.known && result.value >= 0)
        refuse(Refusal::kArguments);
    const uint32_t pid = thread.tid;
    if (result.duration >= 0 || thread.interrupted)
        interpreter_.took(thread, what, name, text, thread.lasted(result.duration, end), end);
    second_call(whole.left(), pid);
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
    complete(thread, held_.what, {}, held_.text, now);
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
        complete(*thread, what, line.name, text, now);
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
    if (audit_.time())
        audit_.pass(clock_.now());
    if (audit_.time())
        audit_.look(runs());
}

Sight StraceImport::sight() const
{
    const LogSight& log = interpreter_.sight();
    Sight sight;
    sight.hooks = "strace";
    sight.kernel_state = false;
    sight.readiness = false;
    sight.wakeups = false;
    sight.why = "a log of system calls does not hold it";
    sight.times = clock_.known() ? clock_.coarse() ? Sight::Times::kSeconds : Sight::Times::kFine : Sight::Times::kNone;
    sight.durations = log.durations || (log.pids && clock_.known());
    sight.all_threads = log.all_threads();
    if (!log.any_io())
        sight.unseen =
            "the log holds no reads, writes or accepts: what the program did about its events cannot be seen";
    else if (log.others_unseen)
        sight.unseen =
            "the log follows one of several threads (strace -f follows all): what the others did cannot be seen";
    return sight;
}

std::vector<std::string> StraceImport::notes() const
{
    std::vector<std::string> notes;
    const LogCounts& counts = interpreter_.counts();
    const LogSight& log = interpreter_.sight();
    auto say = [&](std::string text) { notes.push_back(std::move(text)); };
    if (!log.any_io())
        say("the log holds epoll calls only (strace -e trace=epoll_wait,...?): trace all calls, or at least "
            "-e trace=%desc,%network");
    if (log.others_unseen)
        say("other threads or children share these descriptors and are not in the log: use strace -f");
    if (!clock_.known())
        say("the log has no time stamps: rates and durations are not known (strace -ttt -T)");
    else if (clock_.coarse())
        say("time stamps are whole seconds: rates are rough (strace -ttt -T)");
    if (clock_.steps_back())
        say(fmt::format("time goes back {} times: several logs in one?", clock_.steps_back()));
    if (counts.unattributed)
        say(
            fmt::format("{} events belong to registrations that the log does not show (made before it began, or with "
                        "data shared by several): they count for the loop only",
                        counts.unattributed));
    if (counts.cut_lists)
        say(fmt::format("{} returns of epoll_wait print only part of their events (strace -s 4096 -v shows all)",
                        counts.cut_lists));
    if (counts.blind && log.any_io() && !log.others_unseen)
        say(fmt::format("{} events could not be judged: what answers them may not be in the log", counts.blind));
    for (Refusal reason : {Refusal::kNoCall, Refusal::kNoBeginning})
        if (uint64_t count = refused(reason))
            say(fmt::format("{} of {} lines not used: {}", count, lines_, refusal_text(reason)));
    return notes;
}

std::vector<std::pair<std::string, uint64_t>> StraceImport::lost() const
{
    std::vector<std::pair<std::string, uint64_t>> lost;
    auto add = [&](const char* name, uint64_t count) {
        if (count)
            lost.emplace_back(name, count);
    };
    add("log_lines_cut", refused(Refusal::kCut));
    add("log_lines_unreadable", refused(Refusal::kArguments));
    add("log_lines_too_long", refused(Refusal::kTooLong));
    add("log_files_and_threads_full", interpreter_.refused());
    return lost;
}

}  // namespace epaudit
