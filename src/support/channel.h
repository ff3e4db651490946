// SPDX-License-Identifier: Apache-2.0
// Messages between our own processes, with descriptors. Whoever is at the other end may have been taken over by what it
// read: no message is longer than asked for, and none is waited for longer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "src/support/descriptor.h"

namespace epaudit {

// Words and texts, one behind the other.
class Packer {
public:
    Packer& word(uint64_t value)
    {
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
        return *this;
    }
    Packer& text(std::string_view text)
    {
        word(text.size());
        bytes_.append(text);
        return *this;
    }
    const std::string& bytes() const { return bytes_; }

private:
    std::string bytes_;
};

// Reads them back. What is not there is 0 or empty, and ok() says so.
class Unpacker {
public:
    explicit Unpacker(std::string_view bytes) : left_(bytes) {}

    uint64_t word();
    std::string_view text();
    bool ok() const { return ok_; }
    // Of things that take at least so many bytes each, as many as a count says: never more than there can be.
    uint64_t count(size_t bytes_each);

private:
    std::string_view left_;
    bool ok_ = true;
};

class Channel {
public:
    static constexpr int kForEver = -1;

    explicit Channel(Descriptor socket) : socket_(std::move(socket)) {}
    // Both ends; neither on failure.
    static std::pair<Descriptor, Descriptor> pair();

    explicit operator bool() const { return static_cast<bool>(socket_); }
    int fd() const { return socket_.get(); }
    void close() { socket_.reset(); }
    // False: the other end is gone, or does not take it in time. `file`: -1: none goes with it.
    bool send(std::string_view message, int file = -1, int timeout_ms = kForEver);
    bool receive(std::string& message, Descriptor* file, size_t longest, int timeout_ms = kForEver);

private:
    bool ready(short events, uint64_t deadline) const;
    Descriptor socket_;
};

}  // namespace epaudit
