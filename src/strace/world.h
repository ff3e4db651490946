// SPDX-License-Identifier: Apache-2.0
// What the kernel would know and a log must tell: which open file a number stands for, in which process, who
// shares it, and what it is. Identity follows open, dup, fork, exec and close as the log shows them; a number
// never seen before stands for a file that was there before the log began.
#pragma once

#include <cstdint>
#include <memory>
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

    bool data_names_fd() const { return data_is_fd >= 2 && data_is_fd > 4 * data_is_other; }
};

struct LogFile {
    uint64_t id = 0;
    uint8_t kind = FILE_UNKNOWN;
    bool nonblock = true;       // until the log says otherwise: nobody is accused of blocking on a guess
    bool nonblock_known = false;
    bool seen_born = false;     // its creation is in the log
    bool shared_unseen = false; // a process that is not in the log has it too
    bool guessed_mask = false;  // registered before the log began: level- or edge-triggered is not known
    uint32_t references = 0;    // descriptors in all processes of the log
    uint32_t progress = 0;      // successful I/O so far
    uint32_t told_progress = 0; // progress at the last delivery
    uint32_t told_idle = 0;     // deliveries in a row without any since
    uint32_t proof = 0;         // of these, such as only a level-triggered registration gets
    bool ended = false;         // read() returned 0
    socket_name name{};
    std::unique_ptr<LogEpoll> epoll;
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
    std::string comm;
    std::string exe;
};

struct LogThread {
    uint32_t tid = 0;
    LogProcess* process = nullptr;
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
};

class World {
public:
    static constexpr size_t kMaxThreads = 65536;
    explicit World(size_t max_files) : max_files_(max_files) {}

    // The thread of a line, made when it is new; NULL when there are too many.
    LogThread* thread(uint32_t tid);
    LogThread* known_thread(uint32_t tid);
    // `tid` was born of `parent`: a thread that shares its descriptors, or a process with copies of them.
    void born(LogThread& parent, uint32_t tid, bool shares);
    // Gone. Its process too when it was the last one; the files that died with it are added to `dead`.
    void exits(uint32_t tid, std::vector<LogFile*>& dead);
    // execve: other threads end, descriptors marked so are closed.
    void execs(LogThread& thread, std::vector<LogFile*>& dead);

    // The file behind a number; made (as one that was there before) when the log has not told. NULL: too many.
    LogFile* file(LogProcess& process, int fd);
    LogFile* known_file(const LogProcess& process, int fd) const;
    LogFile* file_by_id(uint64_t id);
    // A new open file under this number. What was there, and must have been closed unseen, is let go.
    LogFile* open(LogProcess& process, int fd, uint8_t kind, bool cloexec, std::vector<LogFile*>& dead);
    bool dup(LogProcess& process, int from, int to, bool cloexec, std::vector<LogFile*>& dead);
    // Takes the number away. The file when that was its last one; the caller must forget() it.
    LogFile* close(LogProcess& process, int fd);
    void forget(LogFile* file) { files_.erase(file->id); }
    // A child that the log does not follow has copies of all descriptors.
    void share_unseen(LogProcess& process);

    const std::unordered_map<uint32_t, std::unique_ptr<LogProcess>>& processes() const { return processes_; }
    // A thread that forks right now, for a child whose first line comes before the parent's return.
    LogThread* forking = nullptr;
    // From "strace: Process N attached": the process of threads that nothing else is known about.
    uint32_t attached = 0;
    uint64_t refused = 0;  // files and threads that did not fit

private:
    LogProcess* make_process(uint32_t pid);
    LogThread* make_thread(uint32_t tid, LogProcess* process);
    LogFile* make_file();
    bool release(LogFile* file);

    size_t max_files_;
    uint64_t next_id_ = 1;
    std::unordered_map<uint64_t, LogFile> files_;
    std::unordered_map<uint32_t, std::unique_ptr<LogProcess>> processes_;
    std::unordered_map<uint32_t, std::unique_ptr<LogThread>> threads_;
    LogThread* last_ = nullptr;
};

}  // namespace epaudit
