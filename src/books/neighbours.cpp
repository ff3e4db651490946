// SPDX-License-Identifier: Apache-2.0
#include "src/books/neighbours.h"

#include <algorithm>
#include <utility>

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

void bring_together(std::vector<sweep_record>& entries, size_t late)
{
    const auto first_late = entries.end() - static_cast<std::ptrdiff_t>(late);
    std::unordered_map<uint64_t, std::vector<const sweep_record*>> rest;
    for (auto at = first_late; at != entries.end(); ++at)
        rest[at->file_id].push_back(&*at);
    std::vector<sweep_record> sorted;
    sorted.reserve(entries.size());
    auto add_rest = [&](uint64_t file) {
        for (const sweep_record* entry : rest[file])
            sorted.push_back(*entry);
        rest.erase(file);
    };
    for (auto at = entries.begin(); at != first_late; ++at) {
        sorted.push_back(*at);
        const bool file_ends = at + 1 == first_late || (at + 1)->file_id != at->file_id;
        if (file_ends && rest.count(at->file_id))
            add_rest(at->file_id);
    }
    for (auto at = first_late; at != entries.end(); ++at)  // none of a file that was not there: all come from one look
        if (rest.count(at->file_id))
            add_rest(at->file_id);
    entries = std::move(sorted);
}

Neighbours::Neighbours(const std::vector<sweep_record>& entries) : entries_(entries)
{
    places_.reserve(entries.size());
    traits_.reserve(entries.size());
    files_.reserve(entries.size());
    file_traits_.reserve(entries.size());
    uint32_t first = 0, together = 0;
    for (uint32_t i = 0; i < entries.size(); i++) {
        const sweep_record& entry = entries[i];
        places_.push_back({entry.file_id, i});
        traits_.push_back(traits_of(entry));
        together |= traits_.back();
        if (i + 1 == entries.size() || entries[i + 1].file_id != entry.file_id) {
            files_.emplace_back(&entries[first], i + 1 - first);
            file_traits_.push_back(std::exchange(together, 0));
            first = i + 1;
        }
        if (output_pending(entry))
            blocked_.insert(entry.file.tgid);
        if (!entry.file.ignored_edges || !carries_data(entry.file.kind))
            continue;
        auto [at, fresh] = ignored_.try_emplace(entry.key.epoll, Files{entry.file_id, entry.file_id});
        if (!fresh && at->second.first != entry.file_id)
            at->second.second = entry.file_id;
    }
}

std::vector<const sweep_record*> Neighbours::with(uint32_t traits) const
{
    std::vector<const sweep_record*> found;
    for (size_t i = 0; i < traits_.size(); i++)
        if (traits_[i] & traits)
            found.push_back(&entries_[i]);
    return found;
}

std::vector<std::span<const sweep_record>> Neighbours::files_with(uint32_t traits) const
{
    std::vector<std::span<const sweep_record>> found;
    for (size_t i = 0; i < file_traits_.size(); i++)
        if (file_traits_[i] & traits)
            found.push_back(files_[i]);
    return found;
}

std::span<const Neighbours::Place> Neighbours::of_file(uint64_t file) const
{
    if (!std::exchange(places_are_sorted_, true))
        std::sort(places_.begin(), places_.end(),
                  [](const Place& a, const Place& b) { return std::pair(a.file, a.at) < std::pair(b.file, b.at); });
    auto before = [](const Place& place, uint64_t of) { return place.file < of; };
    const auto first = std::lower_bound(places_.begin(), places_.end(), file, before);
    auto last = first;
    while (last != places_.end() && last->file == file)
        ++last;
    return {first, last};
}

bool Neighbours::others_ignored(uint64_t epoll, uint64_t file) const
{
    auto at = ignored_.find(epoll);
    return at != ignored_.end() && (at->second.first != file || at->second.second != file);
}

}  // namespace epaudit
