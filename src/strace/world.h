// SPDX-License-Identifier: Apache-2.0
// What the kernel would know and a log must tell: which open file a number stands for, in which process, who
// shares it, and what it is. Identity follows open, dup, fork, exec and close as the log shows them; a number
// never seen before stands for a file that was there before the log began.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bpf/probes.h"

namespace epaudit {

// The interest list as far as the log tells, and what the program puts into epoll_event.data.
struct LogEpoll {
    std::unordered_map<int, uint64_t> members;  // number it was registered under -> file
    // Does data hold the fd number? Seen to, and seen not to.
    uint32_t data_is_fd = 0;
    uint32_t data_is_other = 0;
    static constexpr int64_t kNobody = -1, kSeveral = -2;
    int64_t polled_by = kNobody;  // the one thread that ever waited on it
    uint64_t waits = 0;           // on it, begun

    bool data_names_fd() const { return data_is_fd >= 2 && data_is_fd > 4 * data_is_other; }
};

struct LogFile {
    uint64_t id = 0;
    uint8_t kind = FILE_UNKNOWN;
    bool nonblock = true;  // until the log says otherwise: nobody is accused of blocking on a guess
    bool nonblock_known = false;
    bool messages = false;        // a socket that keeps messages apart: one may be empty
    bool seen_born = false;       // its creation is in the log
    bool mapped = false;          // of perf or BPF: read through memory
    bool shared_unseen = false;   // a process that is not in the log has it too
    bool guessed_mask = false;    // registered before the log began: level- or edge-triggered is not known
    uint32_t references = 0;      // descriptors in all processes of the log
    uint32_t progress = 0;        // successful I/O so far
    uint32_t told_progress = 0;   // progress at the last delivery
    uint32_t told_idle = 0;       // deliveries in a row without any since
    uint32_t proof = 0;           // of these, such as only a level-triggered registration gets
    bool ended = false;           // read() returned 0
    bool peeked = false;          // MSG_PEEK, MSG_ERRQUEUE
    bool drained = true;          // its newest input was taken to the end, as far as calls tell
    uint64_t touched = 0;         // newest call on it
    uint64_t told_turn = 0;       // return of a wait that told of it; see LogThread::turn
    bool used_as_file = false;    // an epoll: and yet a call on it succeeded that none can answer
    bool read_after_end = false;  // `ended`, and then there was more
    bool broke = false;           // a write was EPIPE: it is a stream, whatever else is known of it
    uint32_t ends = 0;            // reads in a row that returned 0, each after another return of a wait
    uint64_t end_turn = 0;        // the newest of these returns
    uint64_t end_news = 0;        // LogProcess::told_news when it ended
    size_t decoration = 0, decoration_before = 0;  // hashes of what -yy prints beside its number
    uint32_t heirs = 0;                            // an epoll: programs that came by it through exec
    std::vector<uint32_t> readers;                 // threads inside an interrupted read of it
    socket_name name{};
    std::unique_ptr<LogEpoll> epoll;
    uint32_t nonblock_pid = 0;  // the process and the kin (see LogThread) of the thread that told of O_NONBLOCK
    uint32_t nonblock_kin = 0;
};

struct LogProcess {
    struct Slot {
        LogFile* file = nullptr;
        bool cloexec = false;
    };
    uint32_t pid = 0;
    std::unordered_map<int, Slot> fds;
    uint32_t threads = 0;
    bool uses_uring = false;
    bool mixed = false;           // several processes, and nothing in the log tells them apart
    bool closes = false;          // a close() was seen: those that were not, were not made
    uint32_t contradictions = 0;  // signs that one number is two files: several processes are taken for this one
    uint32_t opened = 0, opened_twice = 0;
    uint64_t told_data = 0;          // of the newest event,
    uint64_t told_news = 0;          // and how often that was not the one before
    uint32_t revived = 0;            // streams that went on behind their end, in a log that opens and closes nothing
    std::set<int> epolls_inherited;  // through exec, and not closed yet
    std::string comm;
    std::string exe;
    uint32_t group = 0;  // of logs put together (see LogSource)
};

// A system call that took long, of a kind that sleeps.
struct LogNap {
    int32_t call = 0;  // its number
    uint64_t begun = 0;
    uint64_t ns = 0;
};

struct LogThread {
    uint32_t tid = 0;
    LogProcess* process = nullptr;
    // Threads with the same one share their descriptors for certain. `process` may be a guess.
    uint32_t kin = 0;
    // A call that was interrupted by another thread's line.
    uint8_t pending = CALL_NONE;
    bool interrupted = false;  // `pending` and `text` hold it
    std::string text;
    uint64_t begun = 0;
    // Its epoll_wait, from entry to return.
    uint64_t waits_on = 0;
    int waits_fd = -1;
    int64_t timeout = -1;
    // Small numbers that the last return carried as data, and of which epoll.
    std::vector<int> told;
    uint64_t told_by = 0;
    uint64_t reads = 0;  // the file whose read was interrupted
    // Since the newest return of a wait: which return of all, when, from which epoll.
    uint64_t turn = 0;
    uint64_t turn_at = 0;
    uint64_t turn_epoll = 0;  // 0: none, or one that is not known in full
    bool turn_full = false;   // it told of as many as it was asked for: there may have been more
    std::vector<LogNap> naps;
    uint64_t slept_from = 0;  // of the wait that it is in: the last sleep before it began then; 0: it proves nothing
    uint64_t slept_to = 0;
    uint64_t more_from = 0;  // the next return may tell of more that waited during that sleep

    // How long its call took that ended now, or by what -T printed (ns; -1: nothing).
    uint64_t lasted(int64_t printed, uint64_t end) const
    {
        return printed >= 0 ? static_cast<uint64_t>(printed) : end > begun ? end - begun : 0;
    }
};

class World {
public:
    static constexpr size_t kMaxThreads = 65536;
    explicit World(size_t max_files) : max_files_(max_files) {}

    // The lines that follow are from a log of this group. With `per_thread`, each thread had its own (strace -ff), and
    // what is not known to be a thread of another is taken for a process.
    void source(uint32_t group, bool per_thread, const std::string& name);
    // What a number of the current group is called here: two logs may mean different threads by one number, or by none.
    uint32_t own(uint32_t tid);

    // The thread of a line, made when it is new; NULL when there are too many.
    LogThread* thread(uint32_t tid);
    LogThread* known_thread(uint32_t tid);
    size_t threads() const { return threads_.size(); }
    // `tid` was born of `parent`: a thread that shares its descriptors, or a process with copies of them.
    void born(LogThread& parent, uint32_t tid, bool shares);
    // Gone. Its process too when it was the last one; the files that died with it are added to `dead`.
    void exits(uint32_t tid, std::vector<LogFile*>& dead);
    // execve: other threads end, descriptors marked so are closed.
    void execs(LogThread& thread, std::vector<LogFile*>& dead);

    // The file behind a number; made (as one that was there before) when the log has not told. NULL: too many.
    LogFile* file(LogProcess& process, int fd);
    LogFile* known_file(const LogProcess& process, int fd) const;
    // Whether a call of this thread on it may sleep. Two that were there before the log began are taken for one process
    // (see thread()); what one of them says of a number is no proof against the other, whose number may be another file.
    static bool blocks(const LogFile& file, const LogThread& thread)
    {
        return !file.nonblock && (file.nonblock_kin == thread.kin || file.nonblock_pid != thread.process->pid);
    }
    LogFile* file_by_id(uint64_t id);
    // A new open file under this number. What was there, and must have been closed unseen, is let go.
    LogFile* open(LogProcess& process, int fd, uint8_t kind, bool cloexec, std::vector<LogFile*>& dead);
    bool dup(LogProcess& process, int from, int to, bool cloexec, std::vector<LogFile*>& dead);
    // Takes the number away. The file when that was its last one; the caller must forget() it.
    LogFile* close(LogProcess& process, int fd);
    void forget(LogFile* file) { files_.erase(file->id); }
    // Its threads are of several processes: from now on each is one, with those that are known to be its kin. What they
    // had is let go. False: nothing tells them apart.
    bool split(LogProcess& process, std::vector<LogFile*>& dead);
    // A child that the log does not follow has copies of all descriptors.
    void share_unseen(LogProcess& process);

    const std::unordered_map<uint32_t, std::unique_ptr<LogProcess>>& processes() const { return processes_; }
    // A thread that forks right now, for a child whose first line comes before the parent's return.
    LogThread* forking = nullptr;
    // From "strace: Process N attached": the process of threads that nothing else is known about.
    uint32_t attached = 0;
    bool attached_several = false;
    std::unordered_map<uint32_t, std::string> comms;  // of processes, where known from elsewhere
    uint64_t refused = 0;                             // files and threads that did not fit

private:
    LogProcess* make_process(uint32_t pid);
    LogProcess* home(uint32_t tid);
    bool taken(uint32_t tid);
    LogThread* make_thread(uint32_t tid, LogProcess* process, uint32_t kin);
    LogFile* make_file();
    bool release(LogFile* file);

    size_t max_files_;
    uint64_t next_id_ = 1;
    std::unordered_map<uint64_t, LogFile> files_;
    std::unordered_map<uint32_t, std::unique_ptr<LogProcess>> processes_;
    std::unordered_map<uint32_t, std::unique_ptr<LogThread>> threads_;
    LogThread* last_ = nullptr;
    uint32_t group_ = 0;
    bool several_ = false;  // groups
    bool per_thread_ = false;
    bool apart_ = false;  // threads of unknown kin are taken for processes
    std::string name_;
    std::map<std::pair<uint32_t, uint32_t>, uint32_t> names_;  // by group and number
    uint32_t unnamed_ = 0;
};

}  // namespace epaudit
