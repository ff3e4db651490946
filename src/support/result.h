// SPDX-License-Identifier: Apache-2.0
// "Cannot go on": a message that says what happened and a hint that says what to do. Never ignored
// ([[nodiscard]]), never thrown, printed once, in main.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace epaudit {

// Exit codes, the same for every output format.
enum class Exit {
    kClean = 0,
    kFindings = 1,
    kUsage = 2,
    kCannotObserve = 3,
    kIncomplete = 4,
};

struct Error {
    Exit exit = Exit::kCannotObserve;
    std::string message;
    std::string hint;
};

struct Done {};

template <typename T = Done>
class [[nodiscard]] Result {
public:
    Result(T value) : value_(std::move(value)) {}
    Result(Error error) : value_(std::move(error)) {}

    explicit operator bool() const { return std::holds_alternative<T>(value_); }
    T& operator*() { return std::get<T>(value_); }
    const T& operator*() const { return std::get<T>(value_); }
    T* operator->() { return &std::get<T>(value_); }
    const T* operator->() const { return &std::get<T>(value_); }
    const Error& error() const { return std::get<Error>(value_); }

private:
    std::variant<T, Error> value_;
};

inline Error usage_error(std::string message, std::string hint = {})
{
    return Error{Exit::kUsage, std::move(message), std::move(hint)};
}

inline Error observe_error(std::string message, std::string hint = {})
{
    return Error{Exit::kCannotObserve, std::move(message), std::move(hint)};
}

}  // namespace epaudit
