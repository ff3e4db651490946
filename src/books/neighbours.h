// SPDX-License-Identifier: Apache-2.0
// What rules ask of one entry about all others of the same file, epoll or process. Of a server with 20,000 connections that
// hang it is asked 20,000 times a look, so all of it is found in one pass.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "bpf/probes.h"
#include "src/books/traits.h"

namespace epaudit {

// The mask as the kernel has it now, or as it was when the registration died.
uint32_t present_mask(const sweep_record& entry);
// Output of this file waits for room, seen cut short or not: who sent it before epoll_ctl(ADD), before we looked, or in
// chunks that each went out whole, waits for EPOLLOUT like any other.
bool output_pending(const sweep_record& entry);

// So that the entries of each file stand next to each other, as rules expect: the last `late` of them came another way, and
// are registrations of files that are there already.
void bring_together(std::vector<sweep_record>& entries, size_t late);

class Neighbours {
public:
    explicit Neighbours(const std::vector<sweep_record>& entries);

    struct Place {
        uint64_t file;
        uint32_t at;
    };
    // Where the entries of this file stand.
    std::span<const Place> of_file(uint64_t file) const;
    // The entries, file by file: capture lists the registrations of one file next to each other.
    const std::vector<std::span<const sweep_record>>& files() const { return files_; }
    // Those that have one of these traits (src/books/traits.h), and the files of which one has.
    std::vector<const sweep_record*> with(uint32_t traits) const;
    std::vector<std::span<const sweep_record>> files_with(uint32_t traits) const;
    // Another file of this epoll has edges that nobody answered on purpose.
    bool others_ignored(uint64_t epoll, uint64_t file) const;
    // Output of some file of this process waits for room.
    bool output_pending_in(uint32_t tgid) const { return blocked_.count(tgid) != 0; }

private:
    // Two are enough: one of them is another one.
    struct Files {
        uint64_t first = 0;
        uint64_t second = 0;
    };
    const std::vector<sweep_record>& entries_;
    std::vector<uint32_t> traits_;  // of each entry
    std::vector<std::span<const sweep_record>> files_;
    std::vector<uint32_t> file_traits_;  // of each file
    mutable std::vector<Place> places_;  // by file, then in their order: sorted when they are first asked for
    mutable bool places_are_sorted_ = false;
    std::unordered_map<uint64_t, Files> ignored_;  // by epoll
    std::unordered_set<uint32_t> blocked_;         // processes
};

}  // namespace epaudit
