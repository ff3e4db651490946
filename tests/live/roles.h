// SPDX-License-Identifier: Apache-2.0
// Programs that live tests watch play several roles; the first argument says which.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <span>
#include <string_view>
#include <utility>

// A role is played as a program is run: with its own name, and what stands behind it on the command line.
struct Role {
    const char* name;
    int least;  // so many words must follow the name
    std::function<int(char** words)> play;

    Role(const char* role, int least_words, std::function<int(char** words)> with_words)
        : name(role), least(least_words), play(std::move(with_words))
    {
    }
    Role(const char* role, int (*alone)()) : Role(role, 0, [alone](char**) { return alone(); }) {}
    Role(const char* role, void (*alone)()) : Role(role, 0, [alone](char**) { return alone(), 0; }) {}
    Role(const char* role, int (*counted)(long))
        : Role(role, 1, [counted](char** words) { return counted(atol(words[1])); })
    {
    }
    Role(const char* role, int (*timed)(double))
        : Role(role, 1, [timed](char** words) { return timed(atof(words[1])); })
    {
    }
};

// `words`: argv from the name of the role on. Returns the exit code.
inline int play_role(char** words, std::span<const Role> roles)
{
    int count = 0;
    while (words[count])
        count++;
    for (const Role& role : roles)
        if (count > role.least && std::string_view(words[0]) == role.name)
            return role.play(words);
    fprintf(stderr, "usage: %s ROLE ... (see the source), where ROLE is one of", program_invocation_short_name);
    for (const Role& role : roles)
        fprintf(stderr, " %s", role.name);
    fprintf(stderr, "\n");
    return 2;
}
