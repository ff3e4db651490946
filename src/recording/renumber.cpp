// SPDX-License-Identifier: Apache-2.0
#include "src/recording/renumber.h"

#include <sys/random.h>

#include <cstring>
#include <utility>

#include "bpf/recorded.h"
#include "bpf/unregistered.h"
#include "src/support/clock.h"

namespace epaudit {
namespace {

// The upper half of the address space, without the negative numbers of errors.
bool is_kernel_address(uint64_t value) { return value >> 56 == 0xff && value < 0xffffffffffff0000ULL; }

// What the sweep and calls read of a socket's queue. Of those kinds whose progress is a number the value is none.
bool counts(uint8_t kind)
{
    return kind == FILE_TCP || kind == FILE_LISTENER || kind == FILE_PIPE || kind == FILE_EVENTFD ||
           kind == FILE_TIMERFD;
}

// And it is aligned, and lies where pages are: two numbers of TCP side by side hardly ever look like that.
bool is_buffer(uint64_t value) { return value >> 47 == 0x1ffff && value % 8 == 0 && is_kernel_address(value); }

uint32_t scrambled(uint32_t half, uint32_t key)
{
    uint64_t x = (uint64_t{half} << 32 | key) * 0x9e3779b97f4a7c15ULL;
    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ULL;
    return static_cast<uint32_t>(x >> 32);
}

constexpr uint32_t kNewestPosting = RECORD_LEFT_SITE;

bool is_posting(uint32_t type)
{
    return type == RECORD_WAITS || (type <= kNewestPosting && type != RECORD_ROW && type != RECORD_FILE_TOTALS &&
                                    type != RECORD_REGISTRATION_TOTALS);
}

bool holds_file_in_data(uint32_t type, uint8_t kind, uint8_t flags)
{
    return type == RECORD_SITE || type == RECORD_LEFT_SITE ||
           ((kind == POSTING_MOD || kind == POSTING_DEL) && (flags & POSTING_UNREACHED));
}

}  // namespace

Renumbering::Renumbering()
{
    if (getrandom(key_.data(), sizeof(key_), 0) == sizeof(key_))
        return;
    for (uint32_t& word : key_)
        word = scrambled(static_cast<uint32_t>(monotonic_ns()), word + 1);
}

// A permutation: two addresses never become one. What it makes may look like an address, and is none.
uint64_t Renumbering::of(uint64_t value) const
{
    if (!is_kernel_address(value))
        return value;
    auto left = static_cast<uint32_t>(value >> 32);
    auto right = static_cast<uint32_t>(value);
    for (uint32_t key : key_)
        left = std::exchange(right, left ^ scrambled(right, key));
    return uint64_t{left} << 32 | right;
}

void Renumbering::apply(uint32_t type, char* record, size_t size) const
{
    auto change = [&](size_t offset) {
        uint64_t value = 0;
        if (offset + sizeof(value) > size)
            return;
        memcpy(&value, record + offset, sizeof(value));
        value = of(value);
        memcpy(record + offset, &value, sizeof(value));
    };
    auto change_buffer = [&](size_t offset) {
        uint64_t value = 0;
        if (offset + sizeof(value) > size)
            return;
        memcpy(&value, record + offset, sizeof(value));
        if (is_buffer(value))
            change(offset);
    };
    if (type == RECORD_ROW) {
        change(offsetof(recorded_row, file));
        change(offsetof(recorded_row, epoll));
        change_buffer(offsetof(recorded_row, state));
    } else if (type == RECORD_FILE_TOTALS) {
        change(offsetof(file_totals, file));
    } else if (type == RECORD_REGISTRATION_TOTALS) {
        change(offsetof(registration_totals, file));
        change(offsetof(registration_totals, epoll));
    } else if (type == RECORD_UNREGISTERED) {
        for (size_t at = 0; at + sizeof(unregistered_socket) <= size; at += sizeof(unregistered_socket)) {
            change(at + offsetof(unregistered_socket, file));
            change_buffer(at + offsetof(unregistered_socket, state));
        }
    } else if (is_posting(type) && size > offsetof(posting, data)) {
        change(offsetof(posting, file));
        change(offsetof(posting, epoll));
        if (holds_file_in_data(type, static_cast<uint8_t>(record[0]), static_cast<uint8_t>(record[2])))
            change(offsetof(posting, data));
        if (!counts(static_cast<uint8_t>(record[1])))
            change_buffer(offsetof(posting, state));
    }
}

}  // namespace epaudit
