// SPDX-License-Identifier: Apache-2.0
// Where what the kernel hands over is to go: it is written where it stays.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>

namespace epaudit {

class Sink {
public:
    virtual ~Sink() = default;
    // After what has come so far; until the next call.
    virtual char* room(size_t bytes) = 0;
    // So much of it came.
    virtual void filled(size_t bytes) = 0;
    // A record that came by itself.
    virtual void add(const void* bytes, size_t size)
    {
        memcpy(room(size), bytes, size);
        filled(size);
    }
};

class TextSink : public Sink {
public:
    explicit TextSink(std::string& out) : out_(out) { out.clear(); }
    char* room(size_t bytes) override
    {
        out_.resize(filled_ + bytes);
        return out_.data() + filled_;
    }
    void filled(size_t bytes) override
    {
        filled_ += bytes;
        out_.resize(filled_);
    }

private:
    std::string& out_;
    size_t filled_ = 0;
};

}  // namespace epaudit
