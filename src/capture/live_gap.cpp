// SPDX-License-Identifier: Apache-2.0
// Watching with gaps, where watching all the time costs more than it may (--budget). Between two windows the probes are
// detached, and then cost nobody anything: nothing of the kernel's way in and out of system calls is ours. Only those of
// rare events stay, which tell what processes are born, and end.
//
// What the books held when a window ended is old news at the next: descriptors were closed, registrations changed, events
// fetched, and nobody saw it. So all rows go, and the next window books what it finds, as the first one did: what was
// there before has a past that is not known, and the rules know how to judge that.
//
// One thing is known of the gap all the same, where the kernel keeps count: of a TCP socket or a pipe, whether anything was
// taken or sent (sequence numbers, the pipe's head and tail). What waits untouched as the next window begins, and is the
// same as at the end of the last one, has waited all the time; its rows come back with their past. So a connection that
// hangs for minutes is told from one that hung for as long as a window lasts. Eventfds, timers and datagrams keep no such
// count: of those the past ends with each gap.
#include <fmt/format.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <map>

#include "src/capture/live_impl.h"
#include "src/support/clock.h"

namespace epaudit {
namespace {

// Probes that run as they are detached may still write. MEMBARRIER_CMD_GLOBAL is synchronize_rcu(), which waits for them;
// kernels with nohz_full CPUs refuse it, and a probe runs for microseconds.
void wait_for_running_probes()
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
        usleep(10'000);
}

// Nobody adds to it any more.
template <typename Key>
void empty(const bpf_map* map)
{
    const int table = bpf_map__fd(map);
    std::vector<Key> keys;
    Key key{};
    for (const void* from = nullptr; bpf_map_get_next_key(table, from, &key) == 0; from = &key)
        keys.push_back(key);
    LIBBPF_OPTS(bpf_map_batch_opts, options);
    auto count = static_cast<uint32_t>(keys.size());
    if (keys.empty() || bpf_map_delete_batch(table, keys.data(), &count, &options) == 0)
        return;
    for (const Key& one : keys)
        bpf_map_delete_elem(table, &one);
}

// That it did not move is known from its state.
bool keeps_count(const Entry& entry)
{
    return (entry.file.kind == FILE_TCP || entry.file.kind == FILE_PIPE) && entry.chain <= 1;
}

bool untouched(const Entry& then, const Entry& now)
{
    return now.file.ino == then.file.ino && now.file.kind == then.file.kind && now.file.tgid == then.file.tgid &&
           now.state.io == then.state.io && now.state.unread == then.state.unread &&
           now.state.sk_state == then.state.sk_state && now.state.flags == then.state.flags &&
           now.key.fd == then.key.fd && now.registration.mask == then.registration.mask &&
           now.live_mask == then.live_mask && now.registration.data == then.registration.data &&
           now.registration.item == then.registration.item;
}

using FileAndEpoll = std::pair<uint64_t, uint64_t>;

std::map<FileAndEpoll, const Entry*> by_place(const std::vector<Entry>& entries)
{
    std::map<FileAndEpoll, const Entry*> out;
    for (const Entry& entry : entries)
        if (keeps_count(entry))
            out[{entry.file_id, entry.key.epoll}] = &entry;
    return out;
}

void put_back(LiveCapture::Impl& impl, const Entry& then)
{
    auto& maps = impl.skeleton->maps;
    registration_row registration = then.registration;
    registration.ran = then.registration.ran &&
                       bpf_map_update_elem(bpf_map__fd(maps.run_rows), &then.key, &then.runs, BPF_ANY) == 0;
    if (then.key.epoll &&
        bpf_map_update_elem(bpf_map__fd(maps.registration_rows), &then.key, &registration, BPF_EXIST)) {
        bpf_map_delete_elem(bpf_map__fd(maps.run_rows), &then.key);
        return;  // it has gone meanwhile
    }
    file_row file = then.file;
    file.faulty = then.file.faulty &&
                  bpf_map_update_elem(bpf_map__fd(maps.fault_rows), &then.file_id, &then.fault, BPF_ANY) == 0;
    bpf_map_update_elem(bpf_map__fd(maps.file_rows), &then.file_id, &file, BPF_EXIST);
}

// Threads that polled before the gap, and do not sleep in epoll_wait as it ends: they are at work, and may be about to
// do what a connection waits for.
void put_back_threads(LiveCapture::Impl& impl, const std::map<uint32_t, thread_row>& before)
{
    const int threads = bpf_map__fd(impl.skeleton->maps.thread_rows);
    const uint64_t now = monotonic_ns();
    for (const auto& [tid, then] : before) {
        epoll_row epoll{};
        if (!then.epoll || bpf_map_lookup_elem(bpf_map__fd(impl.skeleton->maps.epoll_rows), &then.epoll, &epoll) ||
            access(fmt::format("/proc/{}/task/{}", then.tgid, tid).c_str(), F_OK))
            continue;
        thread_row row{};
        row.tgid = then.tgid;
        row.epoll = then.epoll;
        row.wait_at = then.wait_at;
        row.return_at = now;
        bpf_map_update_elem(threads, &tid, &row, BPF_NOEXIST);
    }
}

}  // namespace

void LiveCapture::pause(const Snapshot& last)
{
    Impl& impl = *impl_;
    impl.before_gap = {last.entries, last.threads};
    if (impl.skeleton->rodata->twins)
        note_skipped_before_gap(impl);
    impl.naps.reset();
    detach_hooks(impl);
    impl.paused = true;
    wait_for_running_probes();
    collect();
    const auto& maps = impl.skeleton->maps;
    impl.skeleton->bss->facts.seeded = 0;
    empty<registration_key>(maps.registration_rows);
    empty<registration_key>(maps.run_rows);
    empty<index_key>(maps.index_rows);
    empty<uint64_t>(maps.file_rows);
    impl.known_files = {};
    empty<uint64_t>(maps.fault_rows);
    empty<uint64_t>(maps.epoll_rows);
    empty<uint32_t>(maps.thread_rows);
    memset(impl.skeleton->bss->file_crowd, 0, sizeof(impl.skeleton->bss->file_crowd));
    memset(impl.skeleton->bss->epoll_crowd, 0, sizeof(impl.skeleton->bss->epoll_crowd));
    ring_buffer__consume(impl.ring.get());
    impl.buried.clear();
}

Result<> LiveCapture::resume()
{
    Impl& impl = *impl_;
    if (auto ok = attach_hooks(impl, true); !ok) {
        detach_hooks(impl);
        return ok.error();
    }
    impl.paused = false;
    if (impl.skeleton->rodata->twins)
        begin_twins_account(impl);
    if (auto ok = seed_again(watched()); !ok)
        return ok.error();
    auto now = sweep(false);
    if (!now)
        return now.error();
    const auto then = by_place(impl.before_gap.entries);
    for (const auto& [place, entry] : by_place(now->entries))
        if (auto old = then.find(place); old != then.end() && untouched(*old->second, *entry))
            put_back(impl, *old->second);
    put_back_threads(impl, impl.before_gap.threads);
    impl.before_gap = {};
    return Done{};
}

}  // namespace epaudit
