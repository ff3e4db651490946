// SPDX-License-Identifier: Apache-2.0
// A log, undone by whatever carried it, is read as what it was.
#pragma once

#include "tests/unit/pasted.h"

namespace epaudit {

inline const std::string kHup = "epoll_wait(9, [{EPOLLIN|EPOLLHUP, {u32=31, u64=31}}], 512, -1) = 1\n";
inline const std::string kFull =
    "epoll_wait(9, [{EPOLLIN, {u32=5, u64=5}}], 512, -1) = 1\n"
    "accept4(5, NULL, NULL, SOCK_CLOEXEC) = -1 EMFILE (Too many open files)\n";

// What is read and written has escapes of strace's own.
inline const std::string kLines =
    "epoll_wait(9, [{EPOLLIN, {u32=31, u64=31}}], 512, -1) = 1\nread(31, \"PING\\r\\n\", 4096) = 6\n"
    "write(31, \"PONG\\r\\n\", 6) = 6\n";

inline std::string replaced(std::string text, const std::string& what, const std::string& by)
{
    for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
        text.replace(at, what.size(), by);
    return text;
}

// The same log, undone by `spoil`: what must be found is found, and healthy work stays silent.
inline void stays_readable(const char* name, const std::function<std::string(std::string)>& spoil)
{
    for (const auto& [rule, loop] :
         {std::pair("EP203", kEndSpin), std::pair("EP204", kHup), std::pair("EP205", kFull)}) {
        PastedAnswer judged = judge(spoil(times(150, loop)));
        EXPECT_GE(judged.level(rule), Level::kLikely) << name << ", " << rule << "\n" << judged.told;
        EXPECT_EQ(judged.lost, 0U) << name << ", " << rule;
    }
    for (const std::string& work : {kWork, kLines}) {
        PastedAnswer healthy = judge(spoil(times(150, work)));
        EXPECT_TRUE(healthy.quiet()) << name << "\n" << healthy.told;
        EXPECT_EQ(healthy.lost, 0U) << name;
    }
}

inline std::string lines_of(const std::string& text, const std::function<std::string(const std::string&)>& each)
{
    std::string all;
    for (const std::string& line : split(text))
        all += each(line) + "\n";
    return all;
}

inline std::string escaped(const std::string& text)
{
    return replaced(replaced(replaced(text, "\\", "\\\\"), "\"", "\\\""), "\n", "\\n");
}

}  // namespace epaudit
