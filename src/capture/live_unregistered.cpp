// SPDX-License-Identifier: Apache-2.0
// Connections that were accepted and that no epoll holds, nobody has read and nobody has written, while something waits in
// them; and listeners likewise. The kernel walks over descriptors (bpf/unregistered.bpf.c); /proc says what the threads of
// those do that have them.
#include <fmt/format.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "src/capture/live_impl.h"
#include "src/support/clock.h"
#include "src/support/proc.h"

namespace epaudit {
namespace {

using Sockets = std::vector<unregistered_socket>;

// A walk passes over every descriptor on the machine: it may take this share of the time, and need not be more frequent.
constexpr uint64_t kShare = 400;
constexpr uint64_t kPauseNs = NSEC_PER_SEC / 2;
// Of one process; more are not asked, and count as awake.
constexpr size_t kMostThreads = 1024;
// Beyond these the others look the same.
constexpr size_t kMostShown = 64;
// Numbers of sockets that were there before we came: of whoever is found in the course of weeks, the newest are kept, which
// have the highest.
constexpr size_t kMostEarly = 1 << 16;

constexpr long kFutexWaitV = 449, kFutexWait = 455;  // newer than some <sys/syscall.h>

enum class Doing { kWaits, kIdles, kAccepts, kElse };

struct Thread {
    Doing doing = Doing::kElse;
    int32_t call = -1;
    int fd = -1;
};

Doing doing(long call)
{
    switch (call) {
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
#endif
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2: return Doing::kWaits;
#ifdef SYS_pause
    case SYS_pause:
#endif
    case SYS_futex:
    case kFutexWaitV:
    case kFutexWait:
    case SYS_rt_sigtimedwait:
    case SYS_rt_sigsuspend:
    case SYS_wait4:
    case SYS_waitid: return Doing::kIdles;
    case SYS_accept:
    case SYS_accept4: return Doing::kAccepts;
    default: return Doing::kElse;
    }
}

std::vector<Thread> threads_of(uint32_t pid)
{
    std::vector<Thread> threads;
    for (uint32_t tid : numbers_in(fmt::format("/proc/{}/task", pid))) {
        Thread& thread = threads.emplace_back();
        if (threads.size() > kMostThreads)
            break;
        std::ifstream in(fmt::format("/proc/{}/task/{}/syscall", pid, tid));
        std::string number, first;
        if (!(in >> number >> first) || number == "running")
            continue;
        thread.call = static_cast<int32_t>(std::strtol(number.c_str(), nullptr, 10));
        thread.doing = doing(thread.call);
        thread.fd = static_cast<int>(std::strtoul(first.c_str(), nullptr, 16));
    }
    return threads;
}

bool read_sockets(const Link& link, Sockets& out)
{
    std::string raw;
    if (!read_iterator(link.get(), raw))
        return false;
    out.resize(raw.size() / sizeof(unregistered_socket));
    if (!out.empty())
        memcpy(out.data(), raw.data(), out.size() * sizeof(unregistered_socket));
    return true;
}

bool is_stray(const unregistered_socket& s)
{
    if (s.kind == FILE_LISTENER)
        return s.state.backlog && !(s.flags & (SOCKET_REGISTERED | SOCKET_ONCE));
    return s.state.sk_state != SK_SYN_SENT;  // the walk shows no others
}

// What may be missed: accepted from a listener that is none any more.
Sockets strays_of(const Sockets& all, std::set<uint64_t>& ports)
{
    for (const unregistered_socket& s : all)
        if (s.kind == FILE_LISTENER)
            ports.insert(s.name.local_port);
    Sockets strays;
    std::set<uint64_t> seen;  // one that several processes have is shown for the first of them
    for (const unregistered_socket& s : all)
        if (is_stray(s) && ports.count(s.name.local_port) && strays.size() < kMostShown && seen.insert(s.file).second)
            strays.push_back(s);
    return strays;
}

void ask_for(const bpf_map* asked, const std::set<uint64_t>& keys)
{
    for (uint64_t key : keys_of<uint64_t>(asked))
        bpf_map_delete_elem(bpf_map__fd(asked), &key);
    const uint64_t none = 0;
    for (uint64_t key : keys)
        bpf_map_update_elem(bpf_map__fd(asked), &key, &none, BPF_ANY);
}

uint32_t counted(const bpf_map* asked, const std::set<uint64_t>& ports)
{
    uint64_t all = 0;
    for (uint64_t port : ports) {
        uint64_t count = 0;
        if (bpf_map_lookup_elem(bpf_map__fd(asked), &port, &count) == 0)
            all += count;
    }
    return static_cast<uint32_t>(std::min<uint64_t>(all, UINT32_MAX));
}

// The threads of one process that has it, under the number `fd`.
void add_threads(unregistered_socket& s, const std::vector<Thread>& threads, int fd)
{
    for (const Thread& thread : threads) {
        if (thread.doing == Doing::kWaits) {
            s.waiting++;
        } else if (thread.doing == Doing::kElse || (thread.doing == Doing::kAccepts && thread.fd == fd)) {
            s.awake++;
            s.awake_call = thread.call;
        }
    }
}

void add_holders(Sockets& strays, const Sockets& holders)
{
    std::map<uint32_t, std::vector<Thread>> threads;
    for (unregistered_socket& s : strays) {
        std::set<uint32_t> pids;
        for (const unregistered_socket& holder : holders) {
            if (holder.file != s.file || !pids.insert(holder.tgid).second)
                continue;
            if (!threads.count(holder.tgid))
                threads[holder.tgid] = threads_of(holder.tgid);
            add_threads(s, threads[holder.tgid], holder.fd);
        }
        s.holders = static_cast<uint32_t>(pids.size());
        s.awake += s.holders == 0;  // gone meanwhile
    }
}

// Those shown before and served since: each once.
void add_late(Sockets& strays, const Sockets& holders, const std::set<uint64_t>& shown)
{
    std::set<uint64_t> told;
    for (const unregistered_socket& s : holders) {
        if (!s.flags || !shown.count(s.file) || !told.insert(s.file).second)
            continue;
        strays.push_back(s);
        strays.back().flags |= SOCKET_LATE;
    }
}

bool look(LiveCapture::Impl& impl, Sockets& strays)
{
    UnregisteredLooks& looks = impl.unregistered;
    const bpf_map* asked = impl.skeleton->maps.asked_sockets;
    Sockets all, holders;
    std::set<uint64_t> ports;
    if (!read_sockets(looks.sockets, all))
        return false;
    strays = strays_of(all, ports);
    if (strays.empty() && looks.shown.empty())
        return true;
    std::set<uint64_t> keys = looks.shown;
    for (const unregistered_socket& s : strays)
        keys.insert(s.file);
    keys.insert(ports.begin(), ports.end());
    ask_for(asked, keys);
    if (!read_sockets(looks.holders, holders))
        return false;
    add_holders(strays, holders);
    const auto connecting = std::count_if(all.begin(), all.end(),
                                          [](const auto& s) { return s.state.sk_state == SK_SYN_SENT; });
    for (unregistered_socket& s : strays) {
        s.served = counted(asked, ports);
        s.connecting = static_cast<uint32_t>(connecting);
        s.flags |= looks.early.count(s.ino) ? SOCKET_EARLY : 0;
    }
    add_late(strays, holders, looks.shown);
    looks.shown.clear();
    for (const unregistered_socket& s : strays)
        if (!(s.flags & SOCKET_LATE))
            looks.shown.insert(s.file);
    return true;
}

}  // namespace

Result<> attach_unregistered(LiveCapture::Impl& impl)
{
    UnregisteredLooks& looks = impl.unregistered;
    looks.sockets.reset(bpf_program__attach_iter(impl.skeleton->progs.on_unregistered, nullptr));
    looks.holders.reset(bpf_program__attach_iter(impl.skeleton->progs.on_unregistered_holders, nullptr));
    if (!looks.sockets || !looks.holders)
        return observe_error(fmt::format("cannot attach the look at descriptors: {}", strerror(errno)),
                             last_libbpf_message());
    return Done{};
}

void look_for_unregistered(LiveCapture::Impl& impl, Snapshot& books)
{
    UnregisteredLooks& looks = impl.unregistered;
    const uint64_t began = monotonic_ns();
    if (began < looks.next_at)
        return;
    Sockets strays;
    if (look(impl, strays))
        books.unregistered = std::move(strays);
    const uint64_t now = monotonic_ns();
    looks.next_at = now + std::max(kPauseNs, (now - began) * kShare);
}

void note_early_unregistered(LiveCapture::Impl& impl, const std::set<uint32_t>& whose)
{
    Sockets strays;
    const std::set<uint64_t> shown = impl.unregistered.shown;
    if (look(impl, strays))
        for (const unregistered_socket& s : strays)
            if (whose.empty() || whose.count(s.tgid))
                impl.unregistered.early.insert(s.ino);
    while (impl.unregistered.early.size() > kMostEarly)
        impl.unregistered.early.erase(impl.unregistered.early.begin());
    impl.unregistered.shown = shown;  // rules have not seen this look
}

}  // namespace epaudit
