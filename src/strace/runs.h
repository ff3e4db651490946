// SPDX-License-Identifier: Apache-2.0
// Counts equal, unanswered returns of epoll_wait by the text of the log alone. A level-triggered fd about which nothing
// is done is reported by every return, so a run ends as soon as a return could have reported it and did not.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "src/books/log_run.h"
#include "src/strace/arguments.h"
#include "src/strace/log_interests.h"
#include "src/strace/stalls.h"
#include "src/strace/values.h"

namespace epaudit {

// A wait that ended within this time had not to wait.
inline constexpr uint64_t kAtOnce = NSEC_PER_MSEC;
// What a read takes, or learns that there is no more of.
inline constexpr uint32_t kRunInput = EV_IN | EV_RDNORM | EV_PRI;

struct LogSight;

class Runs {
public:
    // How a wait returned. `whole`: all events are printed, and there was room for more.
    struct Return {
        int64_t result = 0;
        int64_t timeout = -1;
        int64_t duration = -1;
        bool whole = true;
        uint64_t time = 0;
    };
    void returned(const LogPlace& at, const std::vector<PrintedEvent>& events, const Return& how);
    // Any other call that matters, of a process of this pid. `message`: its fd keeps messages apart, so that a read of 0
    // takes an empty one.
    void called(uint32_t pid, uint32_t tid, uint8_t call, std::string_view text, const PrintedResult& result,
                bool message = false);
    // epoll_ctl(), whether it failed or not.
    void controlled(const LogPlace& at, int fd, bool del, const PrintedEvent& event, int64_t result);
    // The process has ended.
    void gone(uint32_t pid);
    // A wait on this epoll was left or is over for other reasons: nothing more will come.
    void epoll_closed(uint64_t epoll);
    LogStalls& stalls() { return stalls_; }
    // Whether time stamps tell how long something took.
    void times_are_fine(bool fine) { timed_ = fine; }
    // How often a level-triggered fd that has ended was not told of, though a return had room for it, and then was.
    uint32_t contradictions(uint32_t pid) const;
    void forget_contradictions(uint32_t pid);

    // The longest run of each subject and cause so far.
    std::vector<LogRun> list(const LogSight& sight) const;
    // Events by what is known of them: something in the log answered; the log shows their fd, and nothing was done about
    // it; and all others.
    uint64_t answered() const { return answered_; }
    uint64_t silent() const { return silent_; }
    uint64_t open() const { return open_; }
    // Of these, those that are not printed at all (strace -s 0, an address).
    uint64_t unprinted() const { return unprinted_; }
    // The first descriptor of several that found no room in an epoll and has been left alone since; -1: none. `error`: which.
    int refused(int& error) const;
    // How often a wait returned, with events or without.
    uint64_t returns() const { return waits_; }
    // How often the next return of the same epoll is in the log as well, or its end, and so what was done until then.
    uint64_t turns() const { return turns_; }

private:
    struct Key {
        uint64_t data = 0;
        int candidate = -1;  // the fd that data may hold
        bool registered = false;
        uint64_t inner = 0;   // it is an epoll itself, of this identity: calls on its files answer as well
        bool closed = false;  // registered and closed in the log, and told of since
        // Registered by another process that shares the epoll, and still open there: that the number leads nowhere here is
        // no sign of a close.
        bool elsewhere = false;
        uint32_t mask = 0;    // when registered
        uint32_t common = 0;  // bits in every return of the run
        uint64_t count = 0;
        uint32_t between = 0;  // by calls on the candidate, in all turns but the newest
        uint32_t newest = 0;   // and in that one
        int error = 0;
        uint64_t contacts = 0;  // turns in which the candidate was used
        bool contact = false;   // in this turn
        int other = -1;         // the only other fd that was used, -2: several
        uint64_t others = 0;    // turns in which it was
        bool other_now = false;
        uint32_t other_between = 0, other_newest = 0;
        int other_error = 0;
        bool answered = false;
        bool answered_beside = false;   // perhaps: by a call on an fd that was told of beside it
        bool struck = false;            // EPOLL_CTL_DEL, and not told of since
        uint64_t handoffs = 0;          // of the process, before this run
        bool equal = true;              // all returns told of exactly the same
        bool busy = false;              // the program printed something, or looked into a file that it opened for it
        uint64_t timed = 0, slept = 0;  // returns whose wait is known to have taken so long, and of those that slept
        bool turns_alone = true;
        uint64_t from = 0, last = 0;
        bool settled() const;
        bool is_answered() const { return answered || (answered_beside && !contact); }
        bool is_over() const { return is_answered() || struck; }
    };
    // As one process sees it: what it is told, and what it does about it.
    struct Epoll {
        LogPlace place;
        std::vector<Key> keys;
        uint64_t zeros = 0;
        std::map<uint64_t, int> vanished;  // by data: was at its end, and not told of; the fd
        uint64_t quiet = 0;                // touches of the process, when these zeros were counted
        bool unsettled = false;            // is among those of the process
        bool has_inner = false;            // a key of it was an epoll itself
        // Of the keys since the newest return, as a call looks for its fd: one return may tell of many.
        bool listed = false;
        bool told = false;  // it has returned
        std::vector<int> candidates;
        std::vector<uint32_t> loose;  // those that calls on other descriptors may say something about

        void list();
    };
    // With more epolls than kFew, those that a call may concern are found by its fd instead of by asking each.
    struct Process {
        std::vector<Epoll> epolls;
        size_t closed = 0;  // of them, which have no identity any more
        uint64_t touches = 0;
        uint32_t contradictions = 0;
        bool closes = false;                                   // a close() was seen
        uint64_t handoffs = 0;                                 // another thread may have been told
        std::vector<uint32_t> unsettled;                       // calls on any fd may say something about their keys
        std::unordered_map<int, std::vector<uint32_t>> by_fd;  // may hold a key of this candidate; sorted
        std::unordered_map<uint64_t, uint32_t> by_id;
        std::unordered_map<int, uint64_t> numbers;  // of its epolls, and which epoll that is

        static constexpr size_t kFew = 4;
        bool indexed() const { return epolls.size() > kFew; }
        Epoll* find(uint64_t id);
        Epoll& add(const LogPlace& place);
        void remove(Epoll& epoll);
        void reindex();
        void started(Epoll& epoll, const Key& key);
        template <typename Visit>
        void visit(int fd, const Visit& one);
        template <typename Visit>
        void visit_by_fd(int fd, const Visit& one);
    };
    struct Herd {
        uint64_t tries = 0, empty = 0;
    };

    // Calls on a descriptor that moved something, without any wait between them.
    struct Row {
        uint64_t waits = 0;  // before the newest
        uint64_t reads = 0, writes = 0;
        uint64_t most_reads = 0, most_writes = 0;
    };

    Process* process(uint32_t pid);
    static Epoll& at(Process& process, const LogPlace& place);
    static Key* find(Epoll& epoll, uint64_t data);
    void start(const Process& process, const Epoll& epoll, Key& key, const PrintedEvent& event, uint64_t time);
    void end(const Epoll& epoll, const Key& key, bool over);
    void zero(const Process& process, Epoll& epoll, const Return& how);
    static void vanish(const Process& process, Epoll& epoll, const Key& key, const Return& how);
    void end_absent(const Process& process, Epoll& epoll, const std::vector<PrintedEvent>& events, const Return& how);
    void count(Process& process, Epoll& epoll, const PrintedEvent& event, bool alone, const Return& how);
    void cut_off(const Epoll& epoll);
    void keep(const LogRun& run);
    // runs_touch.cpp
    struct Touch {
        int fd;
        uint32_t kind;
        uint32_t between;
        int error;
        bool fresh;  // this is a file that was opened since the newest return: no event can be about it
    };
    void touch(uint32_t pid, int fd, uint32_t kind, uint32_t between, int error);
    static void meant(Key& key, const Touch& t);
    static void not_meant(Key& key, const Touch& t, bool beside);
    static void touch_few(Epoll& epoll, const Touch& t, bool elsewhere, bool beside);
    static void touch_many(Epoll& epoll, const Touch& t, bool elsewhere, bool beside);
    static void polled(Process& process, int epfd, bool took);
    Epoll* told_of(Process& process, int fd);
    void touch_inner(Epoll& epoll, int fd, uint32_t kind) const;
    static bool told_beside(const Epoll& epoll, int fd);
    void forget_number(uint32_t pid, int fd, std::optional<uint32_t> closed_by);
    // runs_calls.cpp
    void hand_over(uint32_t pid);
    void accepted(uint32_t pid, uint32_t tid, int fd, int64_t value);
    void moved(uint32_t pid, uint8_t call, int fd, std::string_view text, int64_t value);
    void read(uint32_t pid, int fd, std::string_view text, int64_t value, bool message);
    void wrote(uint32_t pid, int fd, std::string_view text, int64_t value);
    void requested(uint32_t pid, int fd, std::string_view text, int64_t value);
    void came_to_be(uint32_t pid, uint8_t call, int fd);
    bool is_fresh(uint32_t pid, int fd) const;
    void note_row(uint32_t pid, uint8_t call, int fd);
    void note_beginning(uint32_t pid, uint8_t call, int fd, bool moves);
    void read_at(uint32_t pid, std::string_view text, const PrintedResult& result);
    bool connected_news(uint32_t pid, int fd);
    void used_otherwise(uint32_t pid, uint8_t call, int fd, std::string_view text, int64_t value);
    bool moved_elsewhere(const LogRun& run) const;
    void note_use(uint32_t tid, uint8_t call, int fd, std::string_view text, int64_t value);
    // runs_told.cpp
    static LogRun outline(const Epoll& epoll, const Key& key);
    LogRun describe(const Epoll& epoll, const Key& key) const;
    void consider(const Epoll& epoll, const Key& key, bool in_use, LogRun& run) const;
    void consider_pace(const Key& key, LogRun& run) const;
    void add_herds(std::vector<LogRun>& all) const;

    std::unordered_map<uint32_t, Process> processes_;
    LogInterests interests_;
    std::map<std::tuple<uint64_t, uint64_t, uint8_t>, LogRun> best_;
    std::map<std::pair<uint32_t, int>, Herd> herds_;       // by process and listener
    std::map<std::pair<uint32_t, int>, Row> rows_;         // by process and descriptor
    std::map<std::pair<uint32_t, int>, int> refused_;      // by ENOSPC or ENOMEM, and nothing was made up for it
    std::map<std::pair<uint32_t, int>, bool> asked_;       // whether it is connected, since connect()
    std::map<std::pair<uint32_t, int>, uint64_t> opened_;  // files, and how many waits had returned by then
    uint64_t waits_ = 0;                                   // that returned
    uint64_t turns_ = 0;
    // The event that a thread was last told of, alone.
    struct Awaited {
        int fd = -1;
        bool accepting = false;  // and no accept() since then
        uint64_t epoll = 0;
    };
    std::unordered_map<uint32_t, Awaited> awaited_;
    LogStalls stalls_;
    int64_t user_ = -1;     // the thread whose call is being looked at; -1: whichever
    bool threads_ = false;  // the log shows signs of other threads
    bool uring_ = false;
    bool timed_ = false;
    uint64_t answered_ = 0;
    uint64_t silent_ = 0;
    uint64_t open_ = 0;
    uint64_t unprinted_ = 0;
};

// Why a run whose fd no call used proves nothing, unless all threads are in the log.
inline constexpr const char* kHandedOver =
    "another thread may have been handed it, and the log does not follow threads (strace -f)";

// What a call did to a file.
enum Touch : uint32_t {
    kLooked = 1,      // used, nothing moved
    kTook = 2,        // input was taken
    kGave = 4,        // output was taken
    kConnected = 16,  // asked whether it is, and it is
    kChanged = 8,     // anything else that may answer every event: closed, shut down, set anew
    kServed = 64,     // an ioctl() of which nobody knows what it did
    kWoke = 128,      // an eventfd was counted up by one: that is what a loop is told of, and need not read (EPOLLET)
    kErred = 32,      // a pending error was taken, by a call that returned it or as a message about it
};

}  // namespace epaudit
