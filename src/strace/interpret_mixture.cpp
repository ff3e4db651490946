// SPDX-License-Identifier: Apache-2.0
// Processes and threads that were there before the log began look alike: their descriptors are taken for those of one
// process. If they are several, a number stands for two files, and the log contradicts itself: a file that is an epoll
// is read from, the end of a stream is followed by more of it, a number that is open is given away again.
#include <functional>
#include <utility>

#include "src/strace/interpreter.h"

namespace epaudit {
namespace {

// A line that was lost, or a call that nobody traced, looks like one contradiction, or two.
constexpr uint32_t kFewest = 3;
// A terminal and a datagram of no bytes look like one, too.
constexpr uint32_t kFewestRevived = 10;

}  // namespace

// What -yy prints changes while a socket is bound and connected. It never changes back.
void Interpreter::look_at_decoration(LogProcess& process, LogFile& file, std::string_view decoration)
{
    if (decoration.find('[') == std::string_view::npos)
        return;
    const size_t now = std::hash<std::string_view>()(decoration);
    if (now == file.decoration)
        return;
    if (now == file.decoration_before)
        contradicts(process);
    file.decoration_before = file.decoration;
    file.decoration = now;
}

// An excerpt may hold nothing but waits, reads and writes. The number of a stream that has ended may have come back for
// another one, by calls that were not traced: but hardly without an event for the socket that it came by.
void Interpreter::look_at_revival(LogProcess& process, LogFile& file, int64_t result)
{
    if (process.closes || process.opened || file.seen_born || !file.told_turn || file.kind == FILE_OTHER ||
        file.messages)
        return;
    if (result == 0)
        file.end_news = process.told_news;
    else if (result > 0 && file.end_news && std::exchange(file.end_news, 0) == process.told_news)
        process.revived++;
}

// Of what an epoll told of: plain files and terminals may have more after their end.
void Interpreter::look_at_input(LogProcess& process, LogFile& file, int64_t result)
{
    look_at_revival(process, file, result);
    if (!process.closes || !file.told_turn || file.kind == FILE_OTHER || file.messages || !file.ended)
        return;
    if (result > 0)
        file.read_after_end = true;
    else if (result == 0 && std::exchange(file.read_after_end, false))
        contradicts(process);
}

void Interpreter::tell_apart(LogProcess& process)
{
    const uint32_t twice = process.closes && process.opened_twice * 10 >= process.opened ? process.opened_twice : 0;
    if (process.mixed || (process.contradictions + twice + runs_.contradictions(process.pid) < kFewest &&
                          process.revived < kFewestRevived))
        return;
    std::vector<uint64_t> epolls;
    for (const auto& [fd, slot] : process.fds)
        if (slot.file->epoll)
            epolls.push_back(slot.file->id);
    if (!world_.split(process, dead_)) {
        process.mixed = true;
        counts_.mixed++;
        return;
    }
    sight_.apart = true;
    for (uint64_t id : epolls)
        runs_.epoll_closed(id);
    runs_.forget_contradictions(process.pid);
    process.contradictions = process.opened = process.opened_twice = process.revived = 0;
    bury(dead_);
}

}  // namespace epaudit
