// SPDX-License-Identifier: Apache-2.0
#include "src/capture/live_walk.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace epaudit {
namespace {

// A piece keeps its CPU to itself: 4,096 rows take some 7 ms at worst. Smaller ones would pass over the same rows more
// often. The ring is read between two pieces.
constexpr uint32_t kRowsOfPiece = 4096;
// A piece that finds so few has seen the rest; a target that adds rows all the time would never let one find none.
constexpr uint32_t kFewRows = 64;
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

int take(void* context, void* data, size_t size)
{
    static_cast<std::string*>(context)->append(static_cast<const char*>(data), size);
    return 0;
}

bool run(const bpf_program* program, walk_piece* piece)
{
    LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = piece, .ctx_size_in = piece ? uint32_t{sizeof(*piece)} : 0U);
    return bpf_prog_test_run_opts(bpf_program__fd(program), &options) == 0;
}

// Of long rows a part comes through the ring (bpf/sweep.h): the same records.
bool walk_by_iterator(LiveCapture::Impl& impl, Table table, std::string& out)
{
    impl.swept_bytes.clear();
    auto take_ring = [&] { ring_buffer__consume(impl.swept.get()); };
    if (!read_iterator(impl.iterators[static_cast<size_t>(table)].get(), out, take_ring))
        return false;
    take_ring();
    out += impl.swept_bytes;
    return true;
}

bool walk_in_pieces(LiveCapture::Impl& impl, Table table, const bpf_program* program, std::string& out)
{
    walk_piece piece{};
    // Rows begin with 0; those of a walk long ago were seen by later ones.
    auto& walks = impl.walks[static_cast<size_t>(table)];
    const uint32_t generation = walks++ % 255 + 1;
    // It is filled where it is: of thousands of connections that is tens of megabytes, several times a second.
    impl.swept_bytes.swap(out);
    unsigned few = 0;
    do {
        piece = {generation, kRowsOfPiece, kRingBytes / 2, 0};
        if (!run(program, &piece))
            return false;
        // Or the next piece would find the ring as full, and end at once.
        if (int taken = ring_buffer__consume(impl.swept.get()); taken < 0) {
            errno = -taken;
            return false;
        }
        few += piece.looked < kFewRows;
    } while (piece.looked && few < 2);
    out.swap(impl.swept_bytes);
    return true;
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
    impl.swept.reset(ring_buffer__new(bpf_map__fd(impl.skeleton->maps.swept), take, &impl.swept_bytes, nullptr));
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

bool walk(LiveCapture::Impl& impl, Table table, std::string& out)
{
    out.clear();
    if (impl.why_not_iterators.empty())
        return walk_by_iterator(impl, table, out);
    if (!walk_in_pieces(impl, table, walker(*impl.skeleton, table).piece, out))
        return false;
    return table != Table::kFiles || run(impl.skeleton->progs.walk_end, nullptr);
}

}  // namespace epaudit
