// SPDX-License-Identifier: Apache-2.0
// Two threads inside a read of one file (EP501). A line that ends in "<unfinished ...>" is a call that was entered and
// has not returned: whatever strace did to the order of things in the kernel, the program let a second thread in.
#include <algorithm>

#include "src/strace/interpreter.h"

namespace epaudit {
namespace {

// Where the log does not show that threads share their descriptors (it began when they were there), equal numbers may
// mean different files; what -yy prints beside them tells sockets apart.
bool same_socket(std::string_view one, std::string_view other)
{
    PrintedFd a, b;
    return Arguments(one).fd(a) && Arguments(other).fd(b) && a.decoration == b.decoration &&
           a.decoration.find('[') != std::string_view::npos;
}

bool leaves_input(std::string_view text) { return has_flag(text, "MSG_PEEK") || has_flag(text, "MSG_ERRQUEUE"); }

}  // namespace

// The flags of an interrupted recv are printed at its end: that an unfinished one only peeks is not known yet. So
// where anybody ever peeked, nothing is said.
void Interpreter::read_enters(LogThread& thread, LogFile& file, std::string_view text, uint64_t time)
{
    bool takes = !file.peeked && !file.readers.empty() && !leaves_input(text);
    for (uint32_t tid : file.readers) {
        const LogThread* other = takes ? world_.known_thread(tid) : nullptr;
        if (!other || other == &thread || other->reads != file.id || other->process != thread.process ||
            (other->kin != thread.kin && !same_socket(other->text, text)))
            continue;
        posting p = blank(thread, POSTING_OVERLAP, time);
        p.amount = tid;
        p.file = p.ino = file.id;
        p.file_kind = file.kind;
        post(p);
        break;
    }
    if (!thread.interrupted)
        return;
    thread.reads = file.id;
    file.readers.push_back(thread.tid);
}

void Interpreter::read_returns(LogThread& thread)
{
    if (LogFile* file = world_.file_by_id(thread.reads))
        std::erase(file->readers, thread.tid);
    thread.reads = 0;
}

}  // namespace epaudit
