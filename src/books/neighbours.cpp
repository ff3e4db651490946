// SPDX-License-Identifier: Apache-2.0
#include "src/books/neighbours.h"

namespace epaudit {
namespace {

// Wake-up descriptors are left unread under EPOLLET as a matter of course; that says nothing about sockets.
bool carries_data(uint8_t kind)
{
    return kind == FILE_TCP || kind == FILE_UNIX || kind == FILE_UDP || kind == FILE_LISTENER;
}

}  // namespace

uint32_t present_mask(const sweep_record& entry) { return entry.buried ? entry.registration.mask : entry.live_mask; }

bool output_pending(const sweep_record& entry)
{
    bool stream = entry.file.kind == FILE_TCP || entry.file.kind == FILE_UNIX;
    return stream && !(entry.state.flags & STATE_WRITABLE) &&
           (entry.file.out_cut_at || (entry.key.epoll && (present_mask(entry) & EV_OUT)));
}

Neighbours::Neighbours(const std::vector<sweep_record>& entries)
{
    files_.reserve(entries.size());
    for (uint32_t i = 0; i < entries.size(); i++) {
        const sweep_record& entry = entries[i];
        files_[entry.file_id].push_back(i);
        if (output_pending(entry))
            blocked_.insert(entry.file.tgid);
        if (!entry.file.ignored_edges || !carries_data(entry.file.kind))
            continue;
        auto [at, fresh] = ignored_.try_emplace(entry.key.epoll, Files{entry.file_id, entry.file_id});
        if (!fresh && at->second.first != entry.file_id)
            at->second.second = entry.file_id;
    }
}

const std::vector<uint32_t>& Neighbours::of_file(uint64_t file) const
{
    static const std::vector<uint32_t> kNone;
    auto at = files_.find(file);
    return at == files_.end() ? kNone : at->second;
}

bool Neighbours::others_ignored(uint64_t epoll, uint64_t file) const
{
    auto at = ignored_.find(epoll);
    return at != ignored_.end() && (at->second.first != file || at->second.second != file);
}

}  // namespace epaudit
