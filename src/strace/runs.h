// SPDX-License-Identifier: Apache-2.0
// Counts equal, unanswered returns of epoll_wait by the text of the log alone. A level-triggered fd about which nothing
// is done is reported by every return, so a run ends as soon as a return could have reported it and did not.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "src/books/log_run.h"
#include "src/strace/arguments.h"
#include "src/strace/values.h"

namespace epaudit {

struct LogSight;

class Runs {
public:
    struct Place {
        uint64_t epoll = 0;  // identity
        int epfd = -1;
        uint32_t pid = 0;
        uint32_t tid = 0;
    };
    // A wait returned. `whole`: all events are printed, and there was room for more.
    void returned(const Place& at, const std::vector<PrintedEvent>& events, int64_t result, int64_t timeout, bool whole,
                  int64_t duration, uint64_t time);
    // Any other call that matters, of a process of this pid. `message`: its fd keeps messages apart, so that a read of 0
    // takes an empty one.
    void called(uint32_t pid, uint32_t tid, uint8_t call, std::string_view text, const PrintedResult& result,
                bool message = false);
    // It took so long (-T).
    void slept(uint32_t tid, int number, std::string_view name, int64_t result, uint64_t ns);
    // epoll_ctl(), whether it failed or not.
    void controlled(const Place& at, int fd, bool del, const PrintedEvent& event, int64_t result);
    // The process has ended.
    void gone(uint32_t pid);
    // A wait on this epoll was left or is over for other reasons: nothing more will come.
    void epoll_closed(uint64_t epoll);

    // The longest run of each subject and cause so far.
    std::vector<LogRun> list(const LogSight& sight) const;
    // Events that something in the log answered, or that are part of a run that was judged; and all others.
    uint64_t answered() const { return answered_; }
    uint64_t open() const { return open_; }

private:
    struct Key {
        uint64_t data = 0;
        int candidate = -1;  // the fd that data may hold
        bool registered = false;
        uint32_t mask = 0;    // when registered
        uint32_t common = 0;  // bits in every return of the run
        uint64_t count = 0;
        uint32_t between = 0;  // by calls on the candidate
        int error = 0;
        uint64_t contacts = 0;  // turns in which the candidate was used
        bool contact = false;   // in this turn
        int other = -1;         // the only other fd that was used, -2: several
        uint64_t others = 0;    // turns in which it was
        bool other_now = false;
        uint32_t other_between = 0;
        int other_error = 0;
        bool answered = false;
        bool handoff = false;  // another thread may have been told
        bool equal = true;     // all returns told of exactly the same
        bool turns_alone = true;
        bool strict_broken = false;
        uint64_t from = 0, last = 0;
    };
    struct Member {
        uint64_t data = 0;
        uint32_t mask = 0;
    };
    struct Epoll {
        Place place;
        std::vector<Key> keys;
        std::unordered_map<int, Member> members;
        std::unordered_map<uint64_t, int> by_data;
        uint64_t zeros = 0;
        uint64_t stalls = 0;
        uint64_t told = 0;
    };
    struct Nap {
        uint64_t epoll = 0;  // that this thread polls
        int call = -1;
        uint64_t ns = 0;
    };
    struct Herd {
        uint64_t tries = 0, empty = 0;
    };

    Key* find(Epoll& epoll, uint64_t data);
    void start(Epoll& epoll, Key& key, const PrintedEvent& event, uint64_t time);
    void end(Epoll& epoll, Key& key, bool over);
    void touch(uint32_t pid, int fd, uint32_t kind, uint32_t between, int error);
    void cut_off(Epoll& epoll);
    void forget_number(uint32_t pid, int fd);
    LogRun describe(const Epoll& epoll, const Key& key) const;
    void keep(LogRun run);

    std::unordered_map<uint64_t, Epoll> epolls_;
    std::map<std::tuple<uint64_t, uint64_t, uint8_t>, LogRun> best_;
    std::unordered_map<uint32_t, Nap> naps_;                      // by thread
    std::map<std::pair<uint32_t, int>, Herd> herds_;              // by process and listener
    std::map<uint64_t, LogRun> stalls_;                           // by epoll
    std::unordered_map<uint32_t, std::pair<int, bool>> awaited_;  // by thread: the event it was last told of, alone
    bool threads_ = false;                                        // the log shows signs of other threads
    bool uring_ = false;
    uint64_t answered_ = 0;
    uint64_t open_ = 0;
};

}  // namespace epaudit
