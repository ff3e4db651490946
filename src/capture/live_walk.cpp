// SPDX-License-Identifier: Apache-2.0
#include "src/capture/live_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "src/capture/entries_sink.h"

namespace epaudit {
namespace {

// Keys that are listed at once. Their rows come along, and are not needed: some 300 KB.
constexpr uint32_t kKeysListed = 512;
static_assert(kKeysListed % WALK_KEYS == 0);
// Read after each piece.
constexpr uint32_t kRingBytes = 1 << 20;

struct Walker {
    bpf_program* iterator;
    bpf_program* piece;
    const bpf_map* map;
};

Walker walker(const epaudit_bpf& skeleton, Table table)
{
    const auto& p = skeleton.progs;
    const auto& m = skeleton.maps;
    switch (table) {
    case Table::kFiles: return {p.on_sweep, p.walk_file_rows, m.file_rows};
    case Table::kRegistrations: return {p.on_sweep_registrations, p.walk_registration_rows, m.registration_rows};
    case Table::kEpolls: return {p.on_sweep_epolls, p.walk_epoll_rows, m.epoll_rows};
    case Table::kThreads: break;
    }
    return {p.on_sweep_threads, p.walk_thread_rows, m.thread_rows};
}

constexpr Table kTables[] = {Table::kFiles, Table::kRegistrations, Table::kEpolls, Table::kThreads};

std::string why_not_iterators(const btf* kernel)
{
    int error = try_load(BPF_TRACE_ITER, kernel, "bpf_iter_bpf_map_elem");
    return error ? fmt::format("iter/bpf_map_elem: {}", strerror(-error)) : "";
}

// What came through the ring: to where it stays, of thousands of connections it is tens of megabytes.
int take(void* context, void* data, size_t size)
{
    auto& impl = *static_cast<LiveCapture::Impl*>(context);
    impl.swept_to->add(data, size);
    return 0;
}

int take_all(LiveCapture::Impl& impl, Sink& to)
{
    impl.swept_to = &to;
    const int taken = ring_buffer__consume(impl.swept.get());
    impl.swept_to = nullptr;
    return taken;
}

bool run(const bpf_program* program, walk_piece* piece)
{
    LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = piece, .ctx_size_in = piece ? uint32_t{sizeof(*piece)} : 0U);
    return bpf_prog_test_run_opts(bpf_program__fd(program), &options) == 0;
}

// Of long rows a part comes through the ring (bpf/sweep.h): the same records, after all others.
bool walk_by_iterator(LiveCapture::Impl& impl, Table table, Sink& out)
{
    std::vector<Entry> late;
    EntriesSink late_sink(late);
    auto take_ring = [&] { take_all(impl, late_sink); };
    if (!read_iterator(impl.iterators[static_cast<size_t>(table)].get(), out, take_ring))
        return false;
    take_ring();
    late_sink.end();
    for (const Entry& entry : late)
        out.add(&entry, sizeof(entry));
    impl.swept_late = late.size();
    return true;
}

// The keys of a table, so many at a time, for whoever walks through it.
class Keys {
public:
    Keys(LiveCapture::Impl& impl, const bpf_map* map) : impl_(impl), map_(map), size_(bpf_map__key_size(map))
    {
        const size_t keys = size_t{kKeysListed} * size_, rows = size_t{kKeysListed} * bpf_map__value_size(map);
        impl.keys_listed.resize(std::max(impl.keys_listed.size(), keys));
        impl.rows_listed.resize(std::max(impl.rows_listed.size(), rows));
    }

    // Lists the next ones. False: it cannot be done, see errno.
    bool list()
    {
        listed_ = kKeysListed;
        const int error = bpf_map_lookup_batch(bpf_map__fd(map_), begun_ ? &place_ : nullptr, &place_,
                                               impl_.keys_listed.data(), impl_.rows_listed.data(), &listed_, nullptr);
        begun_ = true;
        ended_ = error == -ENOENT;
        errno = error && !ended_ ? -error : 0;
        return !errno;
    }
    bool ended() const { return ended_; }
    uint32_t listed() const { return listed_; }

    const char* at(uint32_t first) const { return impl_.keys_listed.data() + size_t{first} * size_; }

    // Those from `first` on, where the programs read them; how many there are.
    uint32_t hand_over(uint32_t first) const
    {
        const uint32_t count = std::min<uint32_t>(listed_ - first, WALK_KEYS);
        auto& memory = *impl_.skeleton->bss;
        const char* from = at(first);
        if (size_ == sizeof(registration_key)) {
            memcpy(memory.walk_registrations, from, size_t{count} * size_);
            return count;
        }
        for (uint32_t i = 0; i < count; i++) {
            memory.walk_ids[i] = 0;  // a thread's number is shorter than the others
            memcpy(&memory.walk_ids[i], from + size_t{i} * size_, size_);
        }
        return count;
    }

private:
    LiveCapture::Impl& impl_;
    const bpf_map* map_;
    uint32_t size_;
    uint32_t place_ = 0;  // a bucket, where the next ones begin
    bool begun_ = false, ended_ = false;
    uint32_t listed_ = 0;
};

// Looks at the rows of keys that have been handed over, in as many pieces as the ring makes necessary.
bool look_at_rows(LiveCapture::Impl& impl, const bpf_program* program, uint32_t count, Sink& out)
{
    walk_piece piece{0, count, kRingBytes / 2, 0};
    do {
        piece.first = piece.next;
        if (!run(program, &piece))
            return false;
        // Or the next piece would find the ring as full, and end at once.
        if (int taken = take_all(impl, out); taken < 0) {
            errno = -taken;
            return false;
        }
    } while (piece.next < count);
    return true;
}

bool list_files(LiveCapture::Impl& impl, const Walker& walker)
{
    KnownFiles& known = impl.known_files;
    const uint32_t changes = __atomic_load_n(&impl.skeleton->bss->file_changes, __ATOMIC_SEQ_CST);
    if (known.changes == changes)
        return true;
    known.keys.clear();
    known.changes.reset();
    for (Keys keys(impl, walker.map); !keys.ended();) {
        if (!keys.list())
            return false;
        const auto* listed = reinterpret_cast<const uint64_t*>(keys.at(0));
        known.keys.insert(known.keys.end(), listed, listed + keys.listed());
    }
    known.changes = changes;
    return true;
}

// There may be a million, and to list them is a tenth of what a walk costs: mostly they are those of the last time.
bool walk_files_in_pieces(LiveCapture::Impl& impl, const Walker& walker, Sink& out)
{
    if (!list_files(impl, walker))
        return false;
    const std::vector<uint64_t>& keys = impl.known_files.keys;
    for (size_t at = 0; at < keys.size(); at += WALK_KEYS) {
        const size_t count = std::min<size_t>(keys.size() - at, WALK_KEYS);
        std::copy_n(keys.begin() + static_cast<ptrdiff_t>(at), count, impl.skeleton->bss->walk_ids);
        if (!look_at_rows(impl, walker.piece, static_cast<uint32_t>(count), out))
            return false;
    }
    return true;
}

bool walk_in_pieces(LiveCapture::Impl& impl, const Walker& walker, Sink& out)
{
    bool ok = true;
    for (Keys keys(impl, walker.map); ok && !keys.ended();) {
        ok = keys.list();
        for (uint32_t at = 0, count = 0; ok && at < keys.listed(); at += count) {
            count = keys.hand_over(at);
            ok = look_at_rows(impl, walker.piece, count, out);
        }
    }
    return ok;
}

}  // namespace

void choose_walks(LiveCapture::Impl& impl, const btf* kernel, bool in_pieces)
{
    epaudit_bpf& skeleton = *impl.skeleton;
    impl.why_not_iterators = in_pieces ? "as asked for" : why_not_iterators(kernel);
    bool iterators = impl.why_not_iterators.empty();
    for (Table table : kTables) {
        Walker one = walker(skeleton, table);
        bpf_program__set_autoload(one.iterator, iterators);
        bpf_program__set_autoload(one.piece, !iterators);
    }
    bpf_program__set_autoload(skeleton.progs.walk_end, !iterators);
    bpf_map__set_max_entries(skeleton.maps.swept, kRingBytes);
}

Result<> attach_walks(LiveCapture::Impl& impl)
{
    impl.swept.reset(ring_buffer__new(bpf_map__fd(impl.skeleton->maps.swept), take, &impl, nullptr));
    if (!impl.swept)
        return observe_error(fmt::format("cannot read the tables: {}", strerror(errno)));
    if (!impl.why_not_iterators.empty())
        return Done{};
    for (Table table : kTables) {
        Walker one = walker(*impl.skeleton, table);
        bpf_iter_link_info target{};
        target.map.map_fd = static_cast<__u32>(bpf_map__fd(one.map));
        LIBBPF_OPTS(bpf_iter_attach_opts, over, .link_info = &target, .link_info_len = sizeof(target));
        Link& link = impl.iterators[static_cast<size_t>(table)];
        link.reset(bpf_program__attach_iter(one.iterator, &over));
        if (!link)
            return observe_error(fmt::format("cannot attach the table iterators: {}", strerror(errno)));
    }
    return Done{};
}

bool walk(LiveCapture::Impl& impl, Table table, Sink& out)
{
    impl.swept_late = 0;
    if (impl.why_not_iterators.empty())
        return walk_by_iterator(impl, table, out);
    const Walker one = walker(*impl.skeleton, table);
    if (table != Table::kFiles)
        return walk_in_pieces(impl, one, out);
    return walk_files_in_pieces(impl, one, out) && run(impl.skeleton->progs.walk_end, nullptr);
}

}  // namespace epaudit
