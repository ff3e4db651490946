// SPDX-License-Identifier: Apache-2.0
// What came between the returns of a run, in words.
#include <fmt/format.h>

#include <utility>

#include "rules/spin.h"
#include "src/books/describe.h"

namespace epaudit {
namespace {

constexpr std::pair<uint32_t, const char*> kBetweenNames[] = {{BETWEEN_READ_EOF, "read = 0"},
                                                              {BETWEEN_READ_EAGAIN, "read = EAGAIN"},
                                                              {BETWEEN_READ_ERROR, "read failed"},
                                                              {BETWEEN_WRITE, "write"},
                                                              {BETWEEN_WRITE_EAGAIN, "write = EAGAIN"},
                                                              {BETWEEN_WRITE_ERROR, "write failed"},
                                                              {BETWEEN_ACCEPT_ERROR, "accept failed"},
                                                              {BETWEEN_OTHER_ERROR, "a call failed"},
                                                              {BETWEEN_IN_VAIN, "a call that changes nothing"},
                                                              {BETWEEN_PEEK, "MSG_PEEK or FIONREAD"},
                                                              {BETWEEN_MOD, "epoll_ctl(MOD)"},
                                                              {BETWEEN_MOD_SAME, "epoll_ctl(MOD) to the same mask"},
                                                              {BETWEEN_DEL_FAILED, "epoll_ctl(DEL) failed"},
                                                              {BETWEEN_URING, "io_uring_enter"}};

// Those that such a bit stands for; NULL where no error was kept (the file has several registrations).
const failed_calls* failed_by(const run_calls& calls, uint32_t bit)
{
    const failed_calls* failed = bit == BETWEEN_READ_ERROR    ? &calls.failed[FAILED_READ]
                                 : bit == BETWEEN_WRITE_ERROR ? &calls.failed[FAILED_WRITE]
                                 : bit == BETWEEN_OTHER_ERROR ? &calls.failed[FAILED_OTHER]
                                                              : nullptr;
    return failed && failed->count ? failed : nullptr;
}

std::string failed_text(const failed_calls& failed)
{
    const char* call = failed.kind == POSTING_READ      ? "read"
                       : failed.kind == POSTING_WRITE   ? "write"
                       : failed.kind == POSTING_ACCEPT  ? "accept"
                       : failed.kind == POSTING_CONNECT ? "connect"
                                                        : "shutdown";
    return fmt::format("{} = {}", call, errno_text(failed.error));
}

// `calls`: names the errors; NULL where they are not known.
std::string between_text(uint32_t between, const run_calls* calls)
{
    std::string text;
    for (const auto& [bit, name] : kBetweenNames) {
        if (!(between & bit))
            continue;
        const failed_calls* failed = calls ? failed_by(*calls, bit) : nullptr;
        text += (text.empty() ? "" : ", ") + (failed ? failed_text(*failed) : std::string(name));
    }
    return text.empty() ? "nothing between returns" : text + " between returns";
}

}  // namespace

uint32_t usual_calls(const run_calls& calls)
{
    uint32_t usual = 0;
    for (uint32_t bit = 0; bit < BETWEEN_KINDS; bit++) {
        if (calls.after[bit] && calls.after[bit] * 10U >= calls.returns)
            usual |= 1U << bit;
    }
    return usual;
}

std::string between_text(uint32_t between) { return between_text(between, nullptr); }

std::string between_text(const run_calls& calls) { return between_text(usual_calls(calls), &calls); }

std::string answer_text(const run_calls& calls)
{
    std::string text;
    uint32_t usual = usual_calls(calls);
    for (uint32_t bit : {BETWEEN_READ_ERROR, BETWEEN_WRITE_ERROR, BETWEEN_OTHER_ERROR}) {
        const failed_calls* failed = usual & bit ? failed_by(calls, bit) : nullptr;
        if (failed)
            text += fmt::format("{}{}, {} times", text.empty() ? "" : "; ", failed_text(*failed), failed->count);
    }
    return text;
}

}  // namespace epaudit
