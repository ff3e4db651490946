// SPDX-License-Identifier: Apache-2.0
// Where the rows that the sweep shows stay. Of thousands of connections they are tens of megabytes, several times a second.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "src/books/snapshot.h"
#include "src/capture/sink.h"

namespace epaudit {

// Rules go through all of it: a page of the usual size has room for three entries.
inline void ask_for_large_pages(const std::vector<Entry>& entries)
{
    constexpr uintptr_t kLarge = 2 << 20;
    const auto from = reinterpret_cast<uintptr_t>(entries.data());
    const uintptr_t first = (from + kLarge - 1) & ~(kLarge - 1);
    const uintptr_t end = (from + entries.capacity() * sizeof(Entry)) & ~(kLarge - 1);
    if (end > first)
        madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
}

// Whole records in a stream, or records one by one that end where nothing but zeros would follow (struct sweep_record).
// What `out` has is written over.
class EntriesSink : public Sink {
public:
    explicit EntriesSink(std::vector<Entry>& out, size_t expected = 0) : out_(out)
    {
        out.reserve(expected);
        ask_for_large_pages(out);
    }
    char* room(size_t bytes) override
    {
        out_.resize(std::max(out_.size(), (filled_ + bytes) / sizeof(Entry) + 1));
        return reinterpret_cast<char*>(out_.data()) + filled_;
    }
    void filled(size_t bytes) override { filled_ += bytes; }
    void add(const void* bytes, size_t size) override
    {
        char* to = room(sizeof(Entry));
        const size_t before = sweep_record_bytes(reinterpret_cast<const Entry*>(to));  // behind that it has zeros now
        size = std::min(size, sizeof(Entry));
        memcpy(to, bytes, size);
        if (before > size)
            memset(to + size, 0, before - size);
        filled_ += sizeof(Entry);
        expect(to + 2 * sizeof(Entry));
    }
    void end() { out_.resize(filled_ / sizeof(Entry)); }

private:
    // Where the one after the next will go: by then it is at hand. Where there is no memory, nothing happens.
    static void expect(const char* to)
    {
        constexpr size_t kLine = 64;
        for (size_t at = 0; at < offsetof(Entry, fault); at += kLine)
            __builtin_prefetch(to + at, 1);
    }

    std::vector<Entry>& out_;
    size_t filled_ = 0;
};

}  // namespace epaudit
