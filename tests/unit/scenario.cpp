// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/scenario.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "rules/catalogue.h"

namespace epaudit {
namespace {

constexpr uint64_t kAuditEveryUs = 250 * 1000;

}  // namespace

Scenario::Scenario(Profile profile) : auditor_(profile, make_rules())
{
    process(100);
    post(blank(POSTING_SEEDED));  // observation begins
}

Scenario& Scenario::at_us(uint64_t us)
{
    while (next_audit_us_ <= us) {
        now_us_ = next_audit_us_;
        audit();
        next_audit_us_ += kAuditEveryUs;
    }
    now_us_ = std::max(now_us_, us);
    return *this;
}

void Scenario::audit() { auditor_.look(snapshot()); }

Snapshot Scenario::snapshot()
{
    for (auto& [fd, file] : files_) {
        refresh(file);
        tables_.state(file_id(fd)) = file.state;
    }
    if (frozen_tid_)
        tables_.see_stopped(frozen_tid_, true, now());
    Snapshot books = tables_.snapshot(now());
    for (uint32_t tid : books.threads_away()) {
        auto hangs = hangs_.find(tid);
        books.away[tid] = {hangs == hangs_.end() ? AwayThread::kRuns : hangs->second, blank(POSTING_WAIT).cpu,
                           delay_ns_};
    }
    return books;
}

Scenario& Scenario::process(uint32_t pid)
{
    pid_ = tid_ = pid;
    return stopped(false);
}

Scenario& Scenario::stopped(bool stopped)
{
    tables_.set_process({pid_, "server", "/usr/sbin/server", stopped ? RunState::kStopped : RunState::kAlive, 0});
    return *this;
}

Scenario& Scenario::frozen(bool frozen)
{
    if (frozen) {
        frozen_tid_ = tid_;
        frozen_at_ = now();
        return *this;
    }
    posting p = blank(POSTING_BLOCKED);
    p.flags = POSTING_STOPPED;
    p.tid = frozen_tid_;
    p.result = static_cast<int64_t>(now() - frozen_at_);
    post(p);
    tables_.see_stopped(std::exchange(frozen_tid_, 0), false, now());
    return *this;
}

Scenario& Scenario::waits_for_cpu(uint64_t ms)
{
    delay_ns_ += ms * NSEC_PER_MSEC;
    return after_ms(ms);
}

Scenario& Scenario::hangs_in(int call)
{
    hangs_[tid_] = call;
    return *this;
}

Scenario& Scenario::goes_on()
{
    hangs_.erase(tid_);
    return *this;
}

Scenario& Scenario::spent(uint64_t cpu_ns)
{
    tables_.set_process({pid_, "server", "/usr/sbin/server", RunState::kAlive, cpu_ns});
    return *this;
}

Scenario& Scenario::thread(uint32_t tid)
{
    tid_ = tid;
    return *this;
}

Scenario& Scenario::epoll(int epfd)
{
    epfd_ = epfd;
    return *this;
}

Scenario& Scenario::cpu(double share)
{
    cpu_share_ = share;
    return *this;
}

uint64_t Scenario::file_id(int fd) const
{
    auto at = files_.find(fd);
    uint64_t life = at == files_.end() ? 0 : at->second.life;
    return 0x50000000ULL + static_cast<uint64_t>(fd) + (life << 16);
}

Scenario& Scenario::reopen(int fd)
{
    uint64_t life = files_[fd].life + 1;
    files_[fd] = File{};
    files_[fd].life = life;
    return *this;
}

posting Scenario::blank(uint8_t kind, int fd) const
{
    posting p{};
    p.time = now();
    p.kind = kind;
    p.tgid = pid_;
    p.tid = tid_;
    p.epoll = epoll_id();
    p.epfd = epfd_;
    p.fd = fd;
    p.cpu = static_cast<uint64_t>(cpu_share_ * static_cast<double>(now()));
    p.delay = delay_ns_;
    p.file = fd >= 0 ? file_id(fd) : 0;
    p.ino = p.file;
    auto at = files_.find(fd);
    if (at != files_.end())
        p.file_kind = at->second.kind;
    return p;
}

// The kernel's own half of the progress token (struct file_state).
void Scenario::refresh(File& f)
{
    switch (f.kind) {
    case FILE_TCP: f.state.io = static_cast<uint64_t>(f.copied) << 32 | f.written; break;
    case FILE_UDP:
    case FILE_UNIX: f.state.io = f.state.unread ? 0xffff0000ULL + (f.same_head ? 0 : f.copied) : 0; break;
    case FILE_PIPE: f.state.io = static_cast<uint64_t>(f.written) << 32 | f.copied; break;
    case FILE_EVENTFD:
    case FILE_TIMERFD: f.state.unread = f.state.io != 0; break;
    default: break;
    }
}

posting Scenario::with_state(uint8_t kind, int fd)
{
    File& f = files_[fd];
    refresh(f);
    posting p = blank(kind, fd);
    p.flags = POSTING_STATE | POSTING_NONBLOCK | slept_;
    p.state = f.state;
    return p;
}

Scenario& Scenario::add(int fd, uint32_t mask, uint8_t kind)
{
    return add_shared(fd, mask, kind, static_cast<uint64_t>(fd));
}

Scenario& Scenario::add_shared(int fd, uint32_t mask, uint8_t kind, uint64_t data, int64_t result)
{
    File& f = files_[fd];
    f.kind = kind;
    if (kind == FILE_TCP && !f.state.sk_state)
        f.state.sk_state = 1;  // ESTABLISHED
    f.state.flags |= STATE_WRITABLE | STATE_STREAM;
    posting p = blank(POSTING_ADD, fd);
    p.mask = mask;
    p.data = data;
    p.result = result;
    p.amount = kind == FILE_TCP ? f.state.sk_state : 0;
    p.flags = POSTING_NONBLOCK;
    data_[{p.epoll, fd}] = data;
    post(p);
    return *this;
}

Scenario& Scenario::seeded(int fd, uint32_t mask, uint8_t kind, uint8_t flags)
{
    File& f = files_[fd];
    f.kind = kind;
    if (kind == FILE_TCP && !f.state.sk_state)
        f.state.sk_state = 1;  // ESTABLISHED
    f.state.flags |= STATE_STREAM | (flags & POSTING_FULL ? 0 : STATE_WRITABLE);
    posting p = blank(POSTING_SEEDED, fd);
    p.flags = flags;
    p.mask = mask;
    p.amount = kind == FILE_TCP ? f.state.sk_state : 0;
    p.data = static_cast<uint64_t>(fd);
    data_[{p.epoll, fd}] = p.data;
    post(p);
    return *this;
}

Scenario& Scenario::mod(int fd, uint32_t mask, int64_t result)
{
    posting p = blank(POSTING_MOD, fd);
    p.mask = mask;
    p.data = data_[{p.epoll, fd}];
    p.result = result;
    post(p);
    return *this;
}

Scenario& Scenario::del(int fd, int64_t result)
{
    posting p = blank(POSTING_DEL, fd);
    p.result = result;
    post(p);
    return *this;
}

Scenario& Scenario::wait(int timeout_ms)
{
    posting p = blank(POSTING_WAIT);
    p.amount = timeout_ms;
    post(p);
    return *this;
}

Scenario& Scenario::delivered(int fd, uint32_t events) { return delivers({{fd, events}}); }

Scenario& Scenario::delivers(const std::vector<std::pair<int, uint32_t>>& events)
{
    const thread_row* t = tables_.thread(tid_);
    if (!t || !t->waiting)
        wait();
    for (const auto& [fd, bits] : events) {
        posting p = with_state(POSTING_DELIVERED, fd);
        p.mask = bits;
        p.data = data_[{p.epoll, fd}];
        p.file = 0;  // found by its data
        p.flags |= events.size() == 1 ? POSTING_SOLE : 0;
        post(p);
    }
    return returned(static_cast<int64_t>(events.size()));
}

Scenario& Scenario::returned(int64_t result)
{
    posting p = blank(POSTING_RETURN);
    p.result = result;
    p.amount = maxevents_;
    p.data = result > 0 ? ready_ : 0;
    post(p);
    return *this;
}

void Scenario::take(int fd, uint32_t amount)
{
    File& f = files_[fd];
    f.copied += amount;
    f.state.unread -= std::min(f.state.unread, amount);
    if (f.kind == FILE_EVENTFD || f.kind == FILE_TIMERFD)
        f.state.io = 0;
}

Scenario& Scenario::read(int fd, int64_t result, int64_t asked)
{
    if (result > 0)
        take(fd, files_[fd].kind == FILE_UDP ? 1 : static_cast<uint32_t>(result));
    if (result == 0)
        files_[fd].state.flags &= ~STATE_EOF_UNREAD;
    posting p = with_state(POSTING_READ, fd);
    p.result = result;
    p.amount = asked;
    post(p);
    return *this;
}

Scenario& Scenario::write(int fd, int64_t result, int64_t asked)
{
    if (result > 0)
        files_[fd].written += static_cast<uint32_t>(result);
    posting p = blank(POSTING_WRITE, fd);
    p.result = result;
    p.amount = asked ? asked : std::max<int64_t>(result, 1);
    post(p);
    return *this;
}

Scenario& Scenario::writes_from(int fd, uint64_t address, int64_t result, int64_t asked)
{
    if (result > 0)
        files_[fd].written += static_cast<uint32_t>(result);
    posting p = blank(POSTING_WRITE, fd);
    p.data = address;
    p.result = result;
    p.amount = asked;
    post(p);
    return *this;
}

Scenario& Scenario::sends(int fd, const std::string& bytes, int64_t result)
{
    auto mark = [&](size_t at) {
        uint64_t first = 0;
        if (at + MARKED_BYTES > bytes.size())
            return 0U;
        std::memcpy(&first, bytes.data() + at, sizeof(first));
        return mark_of(first);
    };
    auto taken = static_cast<size_t>(std::max<int64_t>(result, 0));
    if (result > 0)
        files_[fd].written += static_cast<uint32_t>(result);
    posting p = blank(POSTING_WRITE, fd);
    p.data = 0x7f0000000000;
    p.result = result;
    p.amount = static_cast<int64_t>(bytes.size());
    if (result > 0)
        p.mask = marks_of(mark(0), mark(taken));
    post(p);
    return *this;
}

Scenario& Scenario::fails_on(int fd, uint8_t kind, int error)
{
    posting p = blank(kind, fd);
    p.file = p.ino = 0;
    p.file_kind = FILE_UNKNOWN;
    p.result = -error;
    post(p);
    return *this;
}

Scenario& Scenario::creates_epoll()
{
    posting p = blank(POSTING_CREATE);
    p.result = epfd_;
    post(p);
    return *this;
}

Scenario& Scenario::exec()
{
    post(blank(POSTING_EXEC));
    return *this;
}

Scenario& Scenario::thread_ends()
{
    posting p = blank(POSTING_EXIT, -1);
    post(p);
    return *this;
}

Scenario& Scenario::lets_go()
{
    posting p = blank(POSTING_EXEC);
    p.flags = POSTING_LET_GO;
    post(p);
    return *this;
}

Scenario& Scenario::asleep_in(int call, uint64_t ms)
{
    after_ms(ms);
    posting p = blank(POSTING_BLOCKED);
    p.amount = call;
    p.result = static_cast<int64_t>(ms * NSEC_PER_MSEC);
    post(p);
    return *this;
}

Scenario& Scenario::overlaps(int fd, uint32_t tid)
{
    posting p = blank(POSTING_OVERLAP, fd);
    p.amount = tid;
    post(p);
    return *this;
}

Scenario& Scenario::delivered_elsewhere(int fd, uint32_t events)
{
    const thread_row* t = tables_.thread(tid_);
    if (!t || !t->waiting)
        wait();
    posting p = with_state(POSTING_DELIVERED, fd);
    p.mask = events;
    p.data = data_[{p.epoll, fd}];
    p.file = 0;
    p.flags |= POSTING_SOLE | POSTING_STRANGER;
    post(p);
    return returned(1);
}

Scenario& Scenario::writes_unwatched(int fd)
{
    posting p = blank(POSTING_WRITE, fd);
    p.file_kind = FILE_TCP;
    p.result = p.amount = 10;
    post(p);
    return *this;
}

Scenario& Scenario::accept(int fd, int64_t result)
{
    if (result >= 0)
        files_[fd].state.backlog -= std::min<uint32_t>(files_[fd].state.backlog, 1);
    posting p = with_state(POSTING_ACCEPT, fd);
    p.result = result;
    post(p);
    return *this;
}

Scenario& Scenario::connect(int fd, int64_t result)
{
    files_[fd].kind = FILE_TCP;
    files_[fd].state.sk_state = result == -EINPROGRESS ? 2 : 1;
    posting p = blank(POSTING_CONNECT, fd);
    p.result = result;
    post(p);
    return *this;
}

Scenario& Scenario::connected(int fd)
{
    files_[fd].state.sk_state = 1;
    return *this;
}

Scenario& Scenario::read_to_the_end(int fd, int64_t result, int64_t asked)
{
    files_[fd].state.flags &= ~STATE_EOF_UNREAD;  // tcp_recvmsg(): found_fin_ok
    return read(fd, result, asked);
}

Scenario& Scenario::peek(int fd, int64_t result)
{
    posting p = blank(POSTING_PEEK, fd);
    p.result = result;
    post(p);
    return *this;
}

Scenario& Scenario::settime(int fd)
{
    files_[fd].state.io = 0;  // timerfd_setup() clears the ticks
    post(blank(POSTING_SETTIME, fd));
    return *this;
}

Scenario& Scenario::errqueue(int fd, int64_t result)
{
    posting p = blank(POSTING_ERRQUEUE, fd);
    p.result = result;
    post(p);
    return *this;
}

Scenario& Scenario::shutdown_write(int fd)
{
    posting p = blank(POSTING_SHUTDOWN, fd);
    p.amount = 1;
    post(p);
    return *this;
}

Scenario& Scenario::shuts(int fd, int how)
{
    if (how != SHUT_WR)
        files_[fd].state.flags |= STATE_RCV_SHUTDOWN;
    if (how != SHUT_RD)
        files_[fd].state.flags |= STATE_SEND_SHUTDOWN;
    posting p = blank(POSTING_SHUTDOWN, fd);
    p.amount = how;
    post(p);
    return *this;
}

Scenario& Scenario::fails(int fd, uint8_t kind, int error)
{
    bool input = kind == POSTING_READ || kind == POSTING_ACCEPT;
    posting p = input ? with_state(kind, fd) : blank(kind, fd);
    p.result = -error;
    p.amount = kind == POSTING_SHUTDOWN ? SHUT_WR : 4096;
    post(p);
    return *this;
}

Scenario& Scenario::connects(int fd, int64_t result)
{
    posting p = blank(POSTING_CONNECT, fd);
    p.result = result;
    post(p);
    return *this;
}

Scenario& Scenario::takes_empty_message(int fd)
{
    take(fd, 1);
    posting p = with_state(POSTING_READ, fd);
    p.flags |= POSTING_MESSAGE;
    p.amount = 4096;
    post(p);
    return *this;
}

Scenario& Scenario::sends_empty_message(int fd)
{
    posting p = blank(POSTING_WRITE, fd);
    p.flags = POSTING_MESSAGE;
    post(p);
    return *this;
}

Scenario& Scenario::reuses_buffers(int fd)
{
    files_[fd].same_head = true;
    return *this;
}

Scenario& Scenario::close(int fd)
{
    posting p = blank(POSTING_CLOSE, fd);
    p.epoll = 0;
    p.flags = POSTING_LAST;
    post(p);
    return reopen(fd);
}

Scenario& Scenario::blocking(int fd)
{
    post(blank(POSTING_FCNTL, fd));
    return *this;
}

Scenario& Scenario::enters(int fd)
{
    post(blank(POSTING_ENTER, fd));
    return *this;
}

Scenario& Scenario::slept(bool slept)
{
    slept_ = slept ? POSTING_SLEPT : 0;
    return *this;
}

Scenario& Scenario::close_number(int fd)
{
    posting p = blank(POSTING_CLOSE, fd);
    p.epoll = 0;
    post(p);
    return *this;
}

Scenario& Scenario::ctl_closed(uint8_t kind, int fd, int64_t result)
{
    posting p = blank(kind, fd);
    p.file = p.ino = 0;
    p.file_kind = FILE_UNKNOWN;
    p.result = result;
    post(p);
    return *this;
}

Scenario& Scenario::ctl_unreached(uint8_t kind, int fd, int64_t result)
{
    posting p = blank(kind, fd);
    p.data = p.file;
    p.flags = POSTING_UNREACHED;
    p.file = p.ino = 0;
    p.file_kind = FILE_UNKNOWN;
    p.result = result;
    post(p);
    return *this;
}

Scenario& Scenario::maxevents(int most, uint64_t ready)
{
    maxevents_ = most;
    ready_ = ready;
    return *this;
}

Scenario& Scenario::wakes_thread()
{
    posting p = blank(POSTING_HANDOFF);
    p.result = 1;
    post(p);
    return *this;
}

Scenario& Scenario::arrives(int fd, uint32_t amount)
{
    File& f = files_[fd];
    if (f.kind == FILE_LISTENER)
        f.state.backlog += amount;
    else if (f.kind == FILE_EVENTFD || f.kind == FILE_TIMERFD)
        f.state.io += amount;
    else
        f.state.unread += amount;
    if (f.kind == FILE_PIPE)
        f.written += amount;
    return *this;
}

Scenario& Scenario::peer_closes(int fd)
{
    File& f = files_[fd];
    f.state.flags |= STATE_RCV_SHUTDOWN;
    if (f.kind == FILE_TCP) {
        f.state.flags |= STATE_EOF_UNREAD;
        f.state.sk_state = 8;  // CLOSE_WAIT
        post(blank(POSTING_PEER_CLOSED, fd));
    }
    return *this;
}

Scenario& Scenario::reset(int fd)
{
    File& f = files_[fd];
    f.state.flags |= STATE_RCV_SHUTDOWN | STATE_SEND_SHUTDOWN;
    f.state.sk_state = 7;  // CLOSE
    f.state.aux = 104;     // ECONNRESET
    return *this;
}

Scenario& Scenario::writable(int fd, bool yes)
{
    if (yes)
        files_[fd].state.flags |= STATE_WRITABLE;
    else
        files_[fd].state.flags &= ~STATE_WRITABLE;
    return *this;
}

Scenario& Scenario::ready(int fd)
{
    post(blank(POSTING_READY, fd));
    return *this;
}

Scenario& Scenario::woken(uint32_t tid, int fd, uint64_t cpu_ns, bool alone)
{
    posting p = blank(POSTING_WOKEN, fd);
    p.flags = alone ? POSTING_SOLE : 0;
    p.tid = tid;
    p.cpu = cpu_ns;
    post(p);
    return *this;
}

Scenario& Scenario::consumed_unseen(int fd, uint32_t amount)
{
    take(fd, amount);
    return *this;
}

Scenario& Scenario::sent_unseen(int fd, uint32_t amount)
{
    files_[fd].written += amount;
    return *this;
}

Scenario& Scenario::spin(int fd, uint32_t events, unsigned times, uint64_t period_us,
                         const std::function<void(Scenario&)>& between)
{
    for (unsigned i = 0; i < times; i++) {
        after_us(period_us).delivered(fd, events);
        if (between)
            between(*this);
    }
    return *this;
}

std::string Scenario::alarms() const
{
    std::vector<std::string> said;
    for (const Finding& f : auditor_.findings()) {
        if (f.level >= Level::kLikely)
            said.push_back(f.rule + " " + level_name(f.level));
    }
    std::sort(said.begin(), said.end());
    std::string text;
    for (const std::string& one : said)
        text += (text.empty() ? "" : ", ") + one;
    return text;
}

Finding Scenario::finding(const std::string& rule) const
{
    for (Finding& f : auditor_.findings()) {
        if (f.rule == rule)
            return f;
    }
    return {};
}

std::string Scenario::verdict(const std::string& rule) const
{
    Finding f = finding(rule);
    return f.rule.empty() ? "none" : level_name(f.level);
}

}  // namespace epaudit
