// SPDX-License-Identifier: Apache-2.0
// A program's story told to the books and judged by all rules: time is ticked by hand, an audit happens every
// 250 ms of it, and the kernel's side (unread bytes, backlog, ends of streams) is kept here.
//
//   Scenario s(Profile::kTest);
//   s.epoll(4).add(7, EPOLLIN | EPOLLET, FILE_TCP).wait();
//   s.at_ms(100).arrives(7, 12).delivered(7, EPOLLIN).read(7, 4).wait();
//   s.at_ms(3000);
//   EXPECT_EQ(s.alarms(), "EP101 likely");
#pragma once

#include <sys/epoll.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "src/audit/auditor.h"
#include "src/books/tables.h"

namespace epaudit {

constexpr uint32_t kIn = EPOLLIN;
constexpr uint32_t kEdge = EPOLLIN | EPOLLET;

class Scenario {
public:
    explicit Scenario(Profile profile = Profile::kTest);

    // Time. Moving it on lets the audits of that time happen.
    Scenario& at_ms(uint64_t ms) { return at_us(ms * 1000); }
    Scenario& after_ms(uint64_t ms) { return at_us(now_us_ + ms * 1000); }
    Scenario& after_us(uint64_t us) { return at_us(now_us_ + us); }
    Scenario& at_us(uint64_t us);

    // Who acts from here on, and on which epoll.
    Scenario& process(uint32_t pid);
    Scenario& thread(uint32_t tid);
    Scenario& epoll(int epfd);
    Scenario& stopped(bool stopped);   // SIGSTOP
    Scenario& frozen(bool frozen);     // the acting thread is kept from running until it is not
    Scenario& spent(uint64_t cpu_ns);  // CPU time of the acting process, in all
    Scenario& cpu(double share);       // of a core, from here on, for the acting thread

    // What the program does.
    Scenario& add(int fd, uint32_t mask, uint8_t kind);
    Scenario& add_shared(int fd, uint32_t mask, uint8_t kind, uint64_t data, int64_t result = 0);
    Scenario& seeded(int fd, uint32_t mask, uint8_t kind, uint8_t flags = 0);
    Scenario& mod(int fd, uint32_t mask, int64_t result = 0);
    Scenario& del(int fd, int64_t result = 0);
    Scenario& wait(int timeout_ms = -1);
    Scenario& delivered(int fd, uint32_t events);
    Scenario& delivers(const std::vector<std::pair<int, uint32_t>>& events);
    Scenario& returned(int64_t result);  // without events: 0 or -errno
    Scenario& read(int fd, int64_t result, int64_t asked = 4096);
    Scenario& write(int fd, int64_t result, int64_t asked = 0);  // asked 0: the result, so nothing is cut short
    Scenario& accept(int fd, int64_t result);
    Scenario& connect(int fd, int64_t result);  // -EINPROGRESS: the socket is in SYN_SENT from now on
    Scenario& connected(int fd);                // ... and now it is not
    // The end of the stream lies in the same segment as the data: one read takes both, and returns the data.
    Scenario& read_to_the_end(int fd, int64_t result, int64_t asked = 4096);
    Scenario& peek(int fd, int64_t result);
    Scenario& settime(int fd);
    Scenario& errqueue(int fd, int64_t result);
    Scenario& shutdown_write(int fd);
    Scenario& shuts(int fd, int how);                  // SHUT_RD, SHUT_WR, SHUT_RDWR; succeeds
    Scenario& fails(int fd, uint8_t kind, int error);  // a call of this kind on it
    Scenario& connects(int fd, int64_t result);
    Scenario& takes_empty_message(int fd);  // a read that returns 0, of a socket that keeps messages apart
    Scenario& sends_empty_message(int fd);
    // MOD or DEL on a number that leads nowhere, while the kernel's list of ready registrations has one under it.
    Scenario& ctl_unreached(uint8_t kind, int fd, int64_t result);
    Scenario& reuses_buffers(int fd);  // the head of its queue has the same address each time
    Scenario& close(int fd);
    Scenario& wakes_thread();            // futex
    Scenario& writes_unwatched(int fd);  // a write to a socket that no epoll knows

    Scenario& blocking(int fd);                                  // fcntl(F_SETFL) without O_NONBLOCK
    Scenario& enters(int fd);                                    // a call that may sleep begins
    Scenario& slept(bool slept);                                 // the calls from here on gave up the CPU
    Scenario& close_number(int fd);                              // close() while a duplicate of the file lives on
    Scenario& ctl_closed(uint8_t kind, int fd, int64_t result);  // MOD or DEL on a number that leads nowhere
    Scenario& maxevents(int most, uint64_t ready);               // of the returns from here on; items then still ready
    Scenario& writes_from(int fd, uint64_t address, int64_t result, int64_t asked);
    Scenario& sends(int fd, const std::string& bytes, int64_t result);  // a write of these, always from the same buffer
    Scenario& fails_on(int fd, uint8_t kind, int error);                // a call on a number that leads nowhere
    Scenario& creates_epoll();                                          // the present one
    Scenario& exec();                                                   // and the present epoll stays open
    Scenario& lets_go();                                                // closes what came with the exec
    Scenario& thread_ends();                                            // the acting one

    // What happens to it.
    Scenario& asleep_in(int call, uint64_t ms);              // from now on, for so long, in a system call
    Scenario& waits_for_cpu(uint64_t ms);                    // from now on, for so long, on a run queue
    Scenario& hangs_in(int call);                            // from now on asleep in it, and no end of it is seen
    Scenario& goes_on();                                     // it does not hang any more, or runs without an end
    Scenario& overlaps(int fd, uint32_t tid);                // its read and that of another thread are in flight
    Scenario& delivered_elsewhere(int fd, uint32_t events);  // where the number does not lead to the file
    Scenario& arrives(int fd, uint32_t amount);  // bytes, datagrams, connections, eventfd counts, expirations
    Scenario& peer_closes(int fd);
    Scenario& reset(int fd);
    Scenario& writable(int fd, bool yes);
    Scenario& ready(int fd);
    Scenario& woken(uint32_t tid, int fd, uint64_t cpu_ns,
                    bool alone = false);  // alone: no other waiter was to be told

    // Without calls: io_uring, splice in another process.
    Scenario& consumed_unseen(int fd, uint32_t amount);
    Scenario& sent_unseen(int fd, uint32_t amount);

    // The level-triggered loop: `times` returns, one each `period_us`, with `between` after each.
    Scenario& spin(int fd, uint32_t events, unsigned times, uint64_t period_us,
                   const std::function<void(Scenario&)>& between = {});

    file_state& state(int fd) { return files_[fd].state; }
    // An fd number that stands for another file from now on.
    Scenario& reopen(int fd);

    // Verdicts.
    std::string alarms() const;                          // at or above likely: "EP101 confirmed, EP203 likely"
    std::string verdict(const std::string& rule) const;  // "confirmed", ..., "none"
    Finding finding(const std::string& rule) const;      // the example; a default one when there is none
    Auditor& auditor() { return auditor_; }
    Tables& tables() { return tables_; }
    Snapshot snapshot();

    uint64_t file_id(int fd) const;
    uint64_t epoll_id() const { return 0x10000000ULL + static_cast<uint64_t>(epfd_); }
    registration_key key(int fd) const { return {epoll_id(), file_id(fd), fd, 0}; }
    const file_row& file(int fd) const { return *tables_.file(file_id(fd)); }
    fault_row fault(int fd) const { return tables_.fault(file_id(fd)); }
    const registration_row& registration(int fd) const { return *tables_.registration(key(fd)); }
    run_row runs(int fd) const { return tables_.runs(key(fd)); }
    const epoll_row& epoll_books() const { return *tables_.epoll(epoll_id()); }
    posting blank(uint8_t kind, int fd = -1) const;
    void post(const posting& p) { tables_.apply(p); }
    uint64_t now() const { return kStart + now_us_ * 1000; }

    static constexpr uint64_t kStart = 1000 * NSEC_PER_SEC;

private:
    struct File {
        uint8_t kind = FILE_UNKNOWN;
        uint64_t life = 0;
        uint32_t copied = 1;
        uint32_t written = 1;
        bool same_head = false;
        file_state state{};
    };

    void refresh(File& f);
    void take(int fd, uint32_t amount);
    void audit();
    posting with_state(uint8_t kind, int fd);

    Tables tables_;
    Auditor auditor_;
    std::map<int, File> files_;
    std::map<std::pair<uint64_t, int>, uint64_t> data_;
    uint64_t now_us_ = 0;
    uint64_t next_audit_us_ = 250 * 1000;
    uint32_t pid_ = 100;
    uint32_t tid_ = 100;
    int epfd_ = 4;
    double cpu_share_ = 0;
    uint64_t delay_ns_ = 0;
    std::map<uint32_t, int> hangs_;  // by thread
    uint32_t frozen_tid_ = 0;
    uint64_t frozen_at_ = 0;
    uint8_t slept_ = 0;
    int maxevents_ = 64;
    uint64_t ready_ = 0;
};

}  // namespace epaudit
