// SPDX-License-Identifier: Apache-2.0
// What existed before we attached: registrations (iterator), threads already waiting (/proc), and a check
// of the one against fdinfo.
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "src/capture/live_impl.h"
#include "src/support/clock.h"
#include "src/support/proc.h"

namespace epaudit {
namespace {

bool is_wait(long number)
{
#ifdef SYS_epoll_wait
    if (number == SYS_epoll_wait)
        return true;
#endif
    return number == SYS_epoll_pwait || number == SYS_epoll_pwait2;
}

// The call that a thread sleeps in: /proc/PID/task/TID/syscall names number and arguments of a blocked thread.
struct Asleep {
    long number = -1;  // it does not sleep in one, or we may not look (needs ptrace access)
    int fd = -1;       // first argument
    uint64_t fourth = 0;
};

Asleep asleep_in(uint32_t pid, uint32_t tid)
{
    std::ifstream in(fmt::format("/proc/{}/task/{}/syscall", pid, tid));
    std::string number, first, second, third, fourth;
    if (!(in >> number >> first >> second >> third >> fourth) || number == "running")
        return {};
    return {std::strtol(number.c_str(), nullptr, 10), static_cast<int>(std::strtoul(first.c_str(), nullptr, 16)),
            std::strtoull(fourth.c_str(), nullptr, 16)};
}

// epoll_pwait2() has a pointer there: it waits for some time, or for ever.
int timeout_of(const Asleep& call)
{
    if (call.number == SYS_epoll_pwait2)
        return call.fourth ? std::numeric_limits<int>::max() : -1;
    return static_cast<int>(call.fourth);
}

struct Sleeper {
    uint32_t pid;
    uint32_t tid;
    Asleep call;
};

using CallOn = std::pair<uint32_t, int>;  // process, and the fd that is the first argument

// Each thread is asked once, however many epolls there are.
std::vector<Sleeper> sleepers_of(const std::vector<uint32_t>& pids)
{
    std::vector<Sleeper> sleepers;
    for (uint32_t pid : pids)
        for (uint32_t tid : numbers_in(fmt::format("/proc/{}/task", pid)))
            if (const Asleep call = asleep_in(pid, tid); call.number >= 0)
                sleepers.push_back({pid, tid, call});
    return sleepers;
}

bool may_hang_in(long number)
{
    return number == SYS_read || number == SYS_readv || number == SYS_recvfrom || number == SYS_recvmsg ||
           number == SYS_write || number == SYS_writev || number == SYS_sendto || number == SYS_sendmsg ||
           number == SYS_accept || number == SYS_accept4;
}

// Nobody waits on an epoll, and a thread sleeps in a call on one of its edge-triggered fds without O_NONBLOCK: that is the
// loop, taken to have been in that call since we came (EP103).
void seed_hangs(LiveCapture::Impl& impl, const std::vector<Sleeper>& sleepers, const std::set<uint64_t>& waited_on,
                uint64_t now)
{
    std::map<CallOn, uint32_t> asleep;  // its thread
    std::set<int> fds;
    for (const Sleeper& one : sleepers)
        if (may_hang_in(one.call.number)) {
            asleep[{one.pid, one.call.fd}] = one.tid;
            fds.insert(one.call.fd);
        }
    const int registrations = bpf_map__fd(impl.skeleton->maps.registration_rows);
    registration_key key{};
    for (int error = asleep.empty() ? -1 : bpf_map_get_next_key(registrations, nullptr, &key); !error;
         error = bpf_map_get_next_key(registrations, &key, &key)) {
        if (!fds.count(key.fd))  // there may be a hundred thousand of them
            continue;
        registration_row registration{};
        file_row file{};
        if (waited_on.count(key.epoll) || bpf_map_lookup_elem(registrations, &key, &registration) ||
            bpf_map_lookup_elem(bpf_map__fd(impl.skeleton->maps.file_rows), &key.file, &file))
            continue;
        auto thread = asleep.find({file.tgid, key.fd});
        if (thread == asleep.end() || !(registration.mask & EV_ET) || (file.flags & FILE_NONBLOCK))
            continue;
        thread_row row{};
        row.epoll = key.epoll;
        row.tgid = file.tgid;
        row.call_file = key.file;
        row.call_at = now;
        fault_row fault{};
        fault.sleep_calls = 1;
        file.faulty = 1;
        if (bpf_map_update_elem(bpf_map__fd(impl.skeleton->maps.thread_rows), &thread->second, &row, BPF_NOEXIST) ==
                0 &&
            bpf_map_update_elem(bpf_map__fd(impl.skeleton->maps.fault_rows), &key.file, &fault, BPF_NOEXIST) == 0 &&
            bpf_map_update_elem(bpf_map__fd(impl.skeleton->maps.file_rows), &key.file, &file, BPF_EXIST) == 0)
            note_seeded_thread(impl, thread->second, row);
    }
}

unsigned registrations_in_fdinfo(uint32_t pid, int epfd)
{
    std::ifstream in(fmt::format("/proc/{}/fdinfo/{}", living_thread(pid), epfd));
    unsigned found = 0;
    for (std::string line; std::getline(in, line);)
        found += line.rfind("tfd:", 0) == 0;
    return found;
}

// What the epoll holds beyond that which the walk over descriptors has met.
std::optional<std::string> beyond_descriptors(const epoll_row& epoll)
{
    if (epoll.registrations > kMostInFdinfo)
        return fmt::format(
            "pid {} epoll fd {} has {} registrations: it was not asked for those of files that no descriptor leads to, "
            "because the kernel locks the epoll meanwhile",
            epoll.tgid, epoll.fd, epoll.registrations);
    const unsigned listed = registrations_in_fdinfo(epoll.tgid, epoll.fd);
    if (listed <= epoll.registrations)
        return std::nullopt;
    return fmt::format(
        "pid {} epoll fd {}: {} of {} registrations belong to files that no descriptor of a watched "
        "process leads to; level-triggered ones are watched from their first event on, others not",
        epoll.tgid, epoll.fd, listed - epoll.registrations, listed);
}

void seed_wait(LiveCapture::Impl& impl, uint64_t epoll, const Sleeper& sleeper, uint64_t now)
{
    thread_row row{};
    row.epoll = epoll;
    row.tgid = sleeper.pid;
    row.wait_at = now;
    row.waiting = 1;
    row.seeded = 1;
    row.timeout_ms = timeout_of(sleeper.call);
    if (bpf_map_update_elem(bpf_map__fd(impl.skeleton->maps.thread_rows), &sleeper.tid, &row, BPF_NOEXIST) == 0)
        note_seeded_thread(impl, sleeper.tid, row);
}

// All open files of all processes, or, where the kernel can (6.1), of one. Those that are not watched are passed over.
bool walk_files(LiveCapture::Impl& impl, uint32_t only)
{
    union bpf_iter_link_info which {
    };
    which.task.pid = only;
    LIBBPF_OPTS(bpf_iter_attach_opts, options);
    options.link_info = &which;
    options.link_info_len = sizeof(which);
    Link link(bpf_program__attach_iter(impl.skeleton->progs.on_seed, only ? &options : nullptr));
    if (!link && only)
        return walk_files(impl, 0);
    std::string raw;
    return link && read_iterator(link.get(), raw);
}

Error cannot_seed()
{
    return observe_error(fmt::format("cannot read existing registrations: {}", strerror(errno)), last_libbpf_message());
}

// `whose`: epolls of these alone; nothing: of all that are watched. `notes`: of what is in them that no descriptor leads to;
// null: nobody wants to know.
void seed_threads(LiveCapture::Impl& impl, const std::vector<uint32_t>& pids, const std::set<uint32_t>& whose,
                  uint64_t now, std::vector<std::string>* notes)
{
    const std::vector<Sleeper> sleepers = sleepers_of(pids);
    std::multimap<CallOn, const Sleeper*> waits;
    for (const Sleeper& one : sleepers)
        if (is_wait(one.call.number))
            waits.emplace(CallOn{one.pid, one.call.fd}, &one);
    std::set<uint64_t> waited_on;
    for (uint64_t id : keys_of<uint64_t>(impl.skeleton->maps.epoll_rows)) {
        epoll_row epoll{};
        if (bpf_map_lookup_elem(bpf_map__fd(impl.skeleton->maps.epoll_rows), &id, &epoll))
            continue;
        if (epoll.fd < 0)  // no descriptor of a watched process leads to it
            continue;
        if (!whose.empty() && !whose.count(epoll.tgid))
            continue;
        if (std::optional<std::string> note = notes ? beyond_descriptors(epoll) : std::nullopt)
            notes->push_back(std::move(*note));
        auto [first, last] = waits.equal_range(CallOn{epoll.tgid, epoll.fd});
        for (; first != last; ++first) {
            waited_on.insert(id);
            seed_wait(impl, id, *first->second, now);
        }
    }
    seed_hangs(impl, sleepers, waited_on, now);
}

// A walk over the files of all processes costs as much as those of many.
constexpr size_t kAloneAtMost = 16;

}  // namespace

Result<std::vector<std::string>> LiveCapture::seed(const std::vector<uint32_t>& pids)
{
    Impl& impl = *impl_;
    if (!walk_files(impl, 0))
        return cannot_seed();
    std::vector<std::string> notes;
    seed_threads(impl, pids, {}, impl.began, &notes);
    note_early_unregistered(impl, {});
    seeded();
    return notes;
}

// Until its registrations are in the books, no event is missed for want of one.
Result<LiveCapture::Newcomers> LiveCapture::watch_late(const std::vector<ProcessHandle>& processes, bool follow)
{
    Impl& impl = *impl_;
    Newcomers newcomers;
    impl.skeleton->bss->facts.seeded = 0;
    for (const ProcessHandle& one : processes) {
        auto ok = watch(one, follow);
        if (!ok)
            return ok.error();
        if (*ok)
            newcomers.pids.push_back(one.pid());
    }
    if (impl.paused)  // resume() books what all of them have by then
        return newcomers;
    for (uint32_t pid : newcomers.pids)
        if (!walk_files(impl, pid))
            return cannot_seed();
    if (!newcomers.pids.empty()) {
        const std::set<uint32_t> whose(newcomers.pids.begin(), newcomers.pids.end());
        seed_threads(impl, newcomers.pids, whose, monotonic_ns(), &newcomers.notes);
        note_early_unregistered(impl, whose);
    }
    seeded();
    return newcomers;
}

Result<> LiveCapture::seed_again(const std::vector<uint32_t>& pids)
{
    Impl& impl = *impl_;
    const bool alone = pids.size() <= kAloneAtMost;
    for (uint32_t pid : alone ? pids : std::vector<uint32_t>{0})
        if (!walk_files(impl, pid))
            return cannot_seed();
    seed_threads(impl, pids, {}, monotonic_ns(), nullptr);
    seeded();
    return Done{};
}

void LiveCapture::seeded() { impl_->skeleton->bss->facts.seeded = 1; }

}  // namespace epaudit
