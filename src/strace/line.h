// SPDX-License-Identifier: Apache-2.0
// One line of strace's output, taken apart: who, when, what. What the call means is interpreter.h's business.
//
// Source of the formats: strace 4.x to 6.x, printleader(), print_syscall_resume(), tprint_sysret_*(), and what
// -f, -o, -t, -tt, -ttt, -r, -T, -i, -n, -k, -y, -yy, -Y add. Nothing here allocates: all text is the line's.
#pragma once

#include <cstdint>
#include <string_view>

namespace epaudit {

enum class TimeForm : uint8_t {
    kNone,
    kRelative,     // -r: since the line before
    kSeconds,      // -t: of the day
    kDay,          // -tt: of the day, with a fraction
    kEpoch,        // -ttt
    kEpochSeconds  // older -ttt without a fraction, or --absolute-timestamps=format:unix
};

// Why a line says nothing to the books. The order is that of refusal_text().
enum class Refusal : uint8_t {
    kNone,
    kNoCall,       // not strace's: the program's own output, a comment, a prompt
    kCut,          // a call without its end or its result
    kNoBeginning,  // "<... resumed>" of a call whose beginning is not in the log
    kArguments,    // a call that matters, with arguments that cannot be read
    kTooLong,
    kTooMany,  // a process, thread or file beyond what is kept
    kReasons
};

const char* refusal_text(Refusal reason);

struct LogLine {
    enum class Kind : uint8_t {
        kCall,        // name(rest        rest holds arguments, result, duration
        kUnfinished,  // name(rest        rest holds the arguments so far
        kResumed,     // <... name resumed>rest
        kSignal,      // --- SIG... ---
        kExited,      // +++ exited with 0 +++, +++ killed by SIGKILL +++
        kReplaced,    // +++ superseded by execve in pid N +++
        kMessage,     // strace: ...
        kStack,       // a frame printed by -k
        kEmpty,
        kRefused,
    };
    Kind kind = Kind::kRefused;
    Refusal refusal = Refusal::kNone;
    TimeForm form = TimeForm::kNone;
    uint32_t pid = 0;       // 0: the line does not say
    uint64_t time = 0;      // ns, in the sense of `form`
    std::string_view comm;  // -Y
    std::string_view name;
    std::string_view rest;
};

LogLine parse_line(std::string_view text);
// How much pid and time stamps take at the beginning.
size_t leader_length(std::string_view text);

}  // namespace epaudit
