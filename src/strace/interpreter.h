// SPDX-License-Identifier: Apache-2.0
// Calls of a log into postings: the same meaning that bpf/calls.h gives to the same calls. Two differences follow
// from the source. A log holds no kernel state, so no posting carries any. And it may hold only some of the
// calls (-e trace=...), some of the threads, some of the processes: an event whose answer may lie outside it is
// posted as one that cannot be judged (POSTING_BLIND).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "src/audit/posted.h"
#include "src/strace/arguments.h"
#include "src/strace/calls.h"
#include "src/strace/runs.h"
#include "src/strace/values.h"
#include "src/strace/world.h"

namespace epaudit {

// What of the program's doings is in the log at all.
struct LogSight {
    bool everything = false;    // calls were seen that no filter for descriptors would let through
    bool socket_input = false;  // receiving from sockets is traced; and so on
    bool socket_output = false;
    bool network =
        false;  // calls that only sockets have: -e trace=%desc leaves them out, recv() as well, and not read()
    bool plain_input = false;
    bool plain_output = false;
    bool accepting = false;
    bool timer_setting = false;
    bool pids = false;           // lines name their thread (-f, -o)
    bool others_unseen = false;  // other threads exist, and the log follows only one
    bool per_thread = false;     // one log of each thread, and not in the order of time (-ff)
    bool apart = false;          // threads turned out to be of several processes: who shares descriptors is not known
    bool durations = false;      // -T
    bool fine_times = false;     // time stamps with fractions of seconds
    bool birth = false;          // the program's beginning

    bool any_io() const
    {
        return everything || socket_input || socket_output || plain_input || plain_output || accepting;
    }
    bool all_socket_input() const { return everything || (socket_input && network); }
    bool any_output() const { return everything || socket_output || plain_output; }
    // No thread can be missing: they are followed, or were none.
    bool all_threads() const { return (pids || birth) && !others_unseen && !per_thread && !apart; }
};

struct LogCounts {
    uint64_t lines = 0;
    uint64_t calls = 0;         // that matter
    uint64_t succeeded = 0;     // of them
    uint64_t failed_waits = 0;  // calls of epoll_wait that failed, and not by a signal
    int wait_error = 0;         // the newest of these
    uint64_t epolls = 0;        // instances, those that came and went included
    uint64_t blind = 0;         // events whose answer may lie outside the log
    uint64_t unattributed = 0;  // events of registrations made before the log began
    uint64_t waits = 0;         // that begin
    uint32_t most_ends = 0;     // LogFile::ends, of all streams,
    int ends_fd = -1;           // and the number of that one
    uint64_t mixed = 0;         // processes that are several, and cannot be told apart
    uint64_t cut_lists = 0;     // returns of epoll_wait that print only part of their events
};

class Interpreter {
public:
    Interpreter(PostedAudit& audit, size_t max_files) : audit_(audit), world_(max_files) {}

    // A call begins: epoll_wait and close count from here (bpf/hooks_tracepoint.h). `text` holds all arguments, or
    // those printed before the line was interrupted.
    void enters(LogThread& thread, uint8_t call, std::string_view text, uint64_t time);
    // It returned. False: its arguments cannot be read.
    bool exits(LogThread& thread, uint8_t call, std::string_view text, Arguments& arguments,
               const PrintedResult& result, uint64_t time);
    void thread_exits(uint32_t tid, uint64_t time);
    // A call of any name took `ns` until `time`. `text`: as for exits().
    void took(LogThread& thread, uint8_t call, std::string_view name, std::string_view text, uint64_t ns,
              uint64_t time);
    // For a while the time that calls take says nothing about the program.
    void doubt_durations(uint64_t time);

    // From here on the log has time stamps.
    void times_are_known() { audit_.tables().set_times_known(true); }
    // They are, until now, more than whole seconds.
    void times_are_fine(bool fine)
    {
        sight_.fine_times = fine;
        runs_.times_are_fine(fine);
    }

    World& world() { return world_; }
    LogSight& sight() { return sight_; }
    const LogSight& sight() const { return sight_; }
    const LogCounts& counts() const { return counts_; }
    // What the text shows by itself, with the files that it is about.
    std::vector<LogRun> runs() const;
    const Runs& tracker() const { return runs_; }
    uint64_t refused() const { return world_.refused; }

private:
    // One call, as all helpers below need it.
    struct Call {
        LogThread& thread;
        uint8_t what;
        std::string_view text;
        Arguments& arguments;
        const PrintedResult& result;
        uint64_t time;
        bool message = false;  // a result of 0 is an empty message, whatever the file is
    };

    posting blank(const LogThread& thread, uint8_t kind, uint64_t time);
    void post(const posting& p) { audit_.post(p); }
    void bury(std::vector<LogFile*>& dead);
    void process_ends(const LogProcess& process);
    void call_enters(LogThread& thread, uint8_t call, std::string_view text, uint64_t time);

    // interpret_wait.cpp
    void wait_enters(LogThread& thread, uint8_t call, std::string_view text, uint64_t time);
    bool wait_returns(Call& c);
    LogPlace place(const LogThread& thread, uint64_t epoll, int epfd) const;
    void deliver_all(Call& c, std::string_view list, uint64_t epoll);
    uint64_t inner_token(const LogEpoll& inner);
    void deliver(Call& c, LogFile& epoll, const PrintedEvent& event, bool sole);
    void learn_registration(Call& c, LogFile& epoll, const PrintedEvent& event);
    bool all_in_sight(Call& c, const LogFile& epoll, const PrintedEvent& event);

    // interpret_epoll.cpp
    bool create(Call& c);
    bool ctl(Call& c);
    void ctl_on(Call& c, LogFile& epoll, LogFile& file, const PrintedEvent& event, posting& p);
    void ctl_on_nothing(LogFile& epoll, posting& p);
    static void note_data(LogFile& epoll, int fd, uint64_t data);
    LogFile* epoll_file(LogThread& thread, const PrintedFd& fd);

    // interpret_mixture.cpp
    void contradicts(LogProcess& process) { process.contradictions++; }
    void look_at_decoration(LogProcess& process, LogFile& file, std::string_view decoration);
    void look_at_input(LogProcess& process, LogFile& file, int64_t result);
    static void look_at_revival(LogProcess& process, LogFile& file, int64_t result);
    void tell_apart(LogProcess& process);
    void note_end(LogFile& file, const posting& read);

    // interpret_stall.cpp
    enum class Sleep { kMay, kCannot, kUnknown };
    Sleep may_sleep_on(const LogProcess& process, std::string_view printed, std::string_view text) const;
    Sleep may_sleep(const LogProcess& process, uint8_t call, std::string_view name, std::string_view text) const;
    bool polls_no_epoll(const LogProcess& process, std::string_view name, std::string_view text) const;
    void tell_naps(LogThread& thread, LogFile& epoll, uint64_t time);
    void turn_ends(const Call& c);
    void turn_begins(Call& c, uint64_t epoll, bool full, bool whole);
    bool kept(const LogThread& thread, const LogFile& file, uint32_t events) const;

    // interpret_overlap.cpp
    void read_enters(LogThread& thread, LogFile& file, std::string_view text, uint64_t time);
    void read_returns(LogThread& thread);

    // interpret_sight.cpp
    bool blind(const LogProcess& process, LogFile& file, uint32_t events);
    bool proves_level(LogFile& file, uint32_t events);
    bool sees_input(uint8_t kind) const;
    bool sees_output(uint8_t kind) const;

    // interpret_io.cpp
    bool io(Call& c);
    bool transfer(Call& c);
    bool accept(Call& c);
    bool connect(Call& c);
    // `message`: if it returned 0, then for a message without bytes.
    void post_io(Call& c, uint8_t kind, LogFile* file, int fd, int64_t amount, bool waits, bool message = false);
    LogFile* used(Call& c, const PrintedFd& fd, uint8_t at_least);
    void learn(LogFile& file, uint8_t kind);
    void decorate(LogFile& file, std::string_view decoration);

    // interpret_other.cpp
    bool other(Call& c);
    bool fcntl(Call& c);
    bool ioctl(Call& c);

    // interpret_files.cpp
    void close_enters(LogThread& thread, int fd, uint64_t time);
    void release(LogThread& thread, LogFile& file, int fd, bool last, uint64_t time);
    bool opens(Call& c);
    bool opens_pair(Call& c);
    bool dups(Call& c, const PrintedFd& from, int64_t to, bool cloexec);
    bool dup_returns(Call& c);
    bool closes_range(const Call& c);
    void note_failed_wait(int64_t error);
    bool takes_messages(const LogThread& thread, uint8_t call, std::string_view text,
                        const PrintedResult& result) const;
    bool forks(Call& c);
    bool execs(Call& c);
    void set_nonblock(LogFile& file, bool nonblock, const LogThread& thread);

    PostedAudit& audit_;
    World world_;
    uint64_t woken_alone_ = 0;  // wake-ups of others while the log has shown one thread
    LogSight sight_;
    LogCounts counts_;
    Runs runs_;
    std::vector<PrintedEvent> told_;
    std::vector<LogFile*> dead_;
    uint64_t now_ = 0;
    uint64_t turns_ = 0;               // returns of waits, of all threads
    uint64_t gone_turn_ = UINT64_MAX;  // the newest that told of a peer which has gone
    uint64_t doubt_until_ = 0;         // durations before it say nothing
};

}  // namespace epaudit
