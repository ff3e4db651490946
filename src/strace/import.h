// SPDX-License-Identifier: Apache-2.0
// A whole log: lines in, audited books out. Joins interrupted calls with their ends, dates the ends, counts what
// could not be read, and says which facts the log lacks.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "src/strace/clock.h"
#include "src/strace/interpreter.h"
#include "src/strace/panes.h"
#include "src/strace/sample.h"
#include "src/strace/shape.h"
#include "src/strace/sources.h"

namespace epaudit {

class StraceImport {
public:
    StraceImport(Auditor& auditor, size_t max_files, PostedAudit::Looked looked = {});

    // One line, without its newline.
    void line(std::string_view text);
    void too_long() { refuse(Refusal::kTooLong); }
    // No more lines for now: what is known already is audited.
    void pause();
    // No more lines at all.
    void finish();

    PostedAudit& audit() { return audit_; }
    const LogClock& clock() const { return clock_; }
    const LogCounts& counts() const { return interpreter_.counts(); }
    uint64_t refused(Refusal reason) const { return refused_[static_cast<size_t>(reason)]; }
    uint64_t lines() const { return lines_; }
    // Of them, those that name epoll_wait() with a result, in a form that cannot be read.
    uint64_t unread_waits() const { return unread_waits_; }
    // Calls of epoll_wait() whose end is in the log, and not their beginning.
    uint64_t waits_without_beginning() const { return waits_without_beginning_; }
    std::vector<LogRun> runs() const { return interpreter_.runs(); }
    // The tool that wrote it, if that was not strace.
    const std::string& other_tool() const { return other_tool_; }
    const std::string& other_hint() const { return other_hint_; }
    // Events that were answered in the log, or not.
    const Runs& tracker() const { return interpreter_.tracker(); }
    // strace could not attach, or not trace what it started.
    bool denied() const { return denied_; }
    World& world() { return interpreter_.world(); }
    bool holds_everything() const { return interpreter_.sight().everything; }
    bool holds_io() const { return interpreter_.sight().any_io(); }
    bool holds_birth() const { return interpreter_.sight().birth; }
    // It was made by us: no call that matters is left out.
    void is_whole() { interpreter_.sight().everything = true; }

    Sight sight() const;
    // What limits the meaning of a report on this log, in sentences.
    std::vector<std::string> notes() const;
    // Lines that should have counted and could not.
    std::vector<std::pair<std::string, uint64_t>> lost() const;
    // A loss that the books counted, by the name that it has where a log is its reason.
    static std::string name_of_loss(const std::string& name);

private:
    void refuse(Refusal reason) { refused_[static_cast<size_t>(reason)]++; }
    void learn();
    void part_of_line(std::string_view text);
    void whole_line(std::string_view text);
    bool joins(std::string_view& text);
    void take(std::string_view text);
    void piece(std::string_view text, bool full);
    void decoded(std::string_view text, bool full);
    void one(std::string_view text);
    void unread(std::string_view text, Refusal reason);
    uint64_t time_of(const LogLine& line);
    void act(const LogLine& line, uint64_t now);
    bool continues(std::string_view text);
    bool goes_on(std::string_view text, bool full);
    bool joins_words(std::string_view text);
    std::string take_open();
    unsigned repeats_of(unsigned more);
    void again(unsigned times);
    LogThread* enter(const LogLine& line, uint8_t what, uint64_t now);
    void leave_open();
    void change_source(uint32_t before);
    bool heading(std::string_view text);
    void name_processes();
    std::string_view without_next(std::string_view text, std::string_view left);
    void give_pid(LogLine& line);
    void call(const LogLine& line, uint64_t now);
    void begins(const LogLine& line, uint64_t now);
    void resumes(const LogLine& line, uint64_t now);
    void message(std::string_view text);
    void complete(LogThread& thread, uint8_t what, std::string_view name, std::string_view text, Arguments& whole,
                  const PrintedResult& result, uint64_t end);
    void passed(LogThread& thread, std::string_view name, std::string_view text, std::string_view end, uint64_t now);
    void settle(uint64_t now);

    // A call whose end the log does not date (no -T): it ended before the next line began.
    struct Held {
        LogThread* thread = nullptr;
        uint8_t what = CALL_NONE;
        std::string text;
        uint64_t begun = 0;
    };

    PostedAudit audit_;
    Interpreter interpreter_;
    LogClock clock_;
    Held held_;
    std::array<uint64_t, static_cast<size_t>(Refusal::kReasons)> refused_{};
    uint64_t unread_waits_ = 0;
    uint64_t waits_without_beginning_ = 0;
    LogPanes panes_;
    LogShape shape_;
    LogSample sample_;                     // from which the shape is learnt
    size_t learnt_from_ = 0;               // so many lines of it
    std::vector<std::string> held_lines_;  // until the shape is known
    size_t held_bytes_ = 0;
    bool holds_ = true;
    unsigned repeats_left_ = 50000;  // that lines may stand for in full; a short log must not take for ever
    std::string buffer_, line_buffer_;
    std::string other_tool_, other_hint_;
    // The newest call, if it has no end yet: the program's own output may stand inside. At the end of a log that is no loss.
    bool endless_ = false;
    // A call without an end is kept up to this, in case its end comes after what the program wrote.
    static constexpr size_t kLongestOpen = 4096;
    std::string open_;           // its text, unless that is long
    bool open_full_ = false;     // the line was as long as lines of this log get
    std::string leader_;         // pid and time of a call that was broken off before its name
    std::string last_;           // the newest call, where a system log may say that it came again
    bool denied_ = false;        // strace was not allowed to trace
    std::string joined_, line_;  // lines of a mail that go on (quoted-printable)
    std::string_view more_;      // further calls of the line that is being read
    LogSources sources_;
    // What is unfinished of the other logs.
    struct Left {
        bool endless = false;
        std::string open;
    };
    std::unordered_map<uint32_t, Left> left_;
    uint64_t lines_ = 0;
    uint64_t looked_at_line_ = 0;
};

}  // namespace epaudit
