// SPDX-License-Identifier: Apache-2.0
#include "src/strace/sources.h"

#include <algorithm>
#include <cstring>

#include "src/strace/characters.h"

namespace epaudit {
namespace {

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool file_char(char c) { return letter(c) || digit(c) || (c && std::strchr("._-/+@%~", c)); }

// "x.4242" of strace -ff -o x. A rotated log's number is smaller.
bool ends_in_pid(std::string_view name, uint32_t& pid, std::string_view& stem)
{
    const size_t point = name.rfind('.');
    if (point == std::string_view::npos || point == 0 || name.size() - point < 3 || name.size() - point > 8)
        return false;
    stem = name.substr(0, point);
    pid = 0;
    for (char c : name.substr(point + 1)) {
        if (!digit(c))
            return false;
        pid = pid * 10 + static_cast<uint32_t>(c - '0');
    }
    return pid >= 10 && std::any_of(stem.begin(), stem.end(), letter);
}

std::string_view trimmed(std::string_view text, const char* what)
{
    const size_t begin = text.find_first_not_of(what);
    return begin == std::string_view::npos ? std::string_view()
                                           : text.substr(begin, text.find_last_not_of(what) - begin + 1);
}

bool pod_name(std::string_view name)
{
    return std::any_of(name.begin(), name.end(), letter) &&
           std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || digit(c) || c == '-'; });
}

// "<30>1 2026-03-01T08:00:00Z host service 4242 - - " (RFC 5424): the host, the service and its pid.
NamedPrefix syslog(std::string_view prefix)
{
    if (prefix.empty() || prefix.front() != '<')
        return {};
    size_t at = 1;
    while (at < prefix.size() && digit(prefix[at]))
        at++;
    if (at == 1 || prefix.substr(at, 3) != ">1 ")
        return {};
    auto behind_word = [&](size_t from) { return std::min(prefix.find(' ', from), prefix.size() - 1) + 1; };
    const size_t begin = behind_word(at + 3);
    const size_t end = behind_word(behind_word(behind_word(begin)));
    return end < prefix.size() ? NamedPrefix{begin, end - 1} : NamedPrefix{};
}

// "name:" as grep has it, with or without the line's number; "name  |" of docker compose.
NamedPrefix at_begin(std::string_view prefix)
{
    size_t end = 0;
    while (end < prefix.size() && file_char(prefix[end]))
        end++;
    const std::string_view name = prefix.substr(0, end);
    const auto letters = std::count_if(name.begin(), name.end(), letter);
    const bool dated = name.size() >= 5 && name[4] == '-' && std::all_of(name.begin(), name.begin() + 4, digit);
    if (!letters || dated || end >= prefix.size())
        return {};
    const size_t next = prefix.find_first_not_of(' ', end);
    if (next != std::string_view::npos && prefix[next] == '|')
        return {0, end};
    // "web-7d4b9c-x2x9z web": a pod and its container.
    if (next != std::string_view::npos && next == end + 1 && pod_name(name) &&
        name.find('-') != std::string_view::npos) {
        const size_t second = std::min(prefix.find(' ', next), prefix.size());
        if (second < prefix.size() && pod_name(prefix.substr(next, second - next)))
            return {0, second};
    }
    // A word alone may be a level or a channel.
    const bool file = std::any_of(name.begin(), name.end(), [](char c) { return !letter(c); });
    return file && prefix[end] == ':' ? NamedPrefix{0, end} : NamedPrefix{};
}

}  // namespace

NamedPrefix find_source(std::string_view prefix)
{
    if (NamedPrefix found = syslog(prefix); found.end)
        return found;
    if (NamedPrefix found = at_begin(prefix); found.end)
        return found;
    constexpr std::string_view kPod = "[pod/";
    if (prefix.substr(0, kPod.size()) == kPod)
        if (const size_t end = prefix.find(']'); end != std::string_view::npos)
            return {0, end + 1};
    // "host service[4242]: "
    for (size_t at = prefix.find("]:"); at != std::string_view::npos; at = prefix.find("]:", at + 1)) {
        size_t begin = at;
        while (begin > 0 && digit(prefix[begin - 1]))
            begin--;
        if (begin == at || begin < 2 || prefix[begin - 1] != '[' || !file_char(prefix[begin - 2]))
            continue;
        begin--;
        while (begin > 0 && file_char(prefix[begin - 1]))
            begin--;
        return {begin, at + 1};
    }
    return {};
}

std::string_view tail_heading(std::string_view text)
{
    constexpr std::string_view kBegin = "==> ", kEnd = " <==";
    constexpr size_t kMostBefore = 40;  // quoted, numbered
    while (!text.empty() && (text.back() == '\r' || text.back() == ' '))
        text.remove_suffix(1);
    if (text.empty() || text.back() != '=' || text.size() < kEnd.size() ||
        text.substr(text.size() - kEnd.size()) != kEnd)
        return {};
    text.remove_suffix(kEnd.size());
    const size_t begin = text.find(kBegin);
    if (begin > kMostBefore || text.substr(0, begin).find_first_of("(\"") != std::string_view::npos)
        return {};
    return text.substr(begin + kBegin.size());
}

bool LogSources::heading(std::string_view text, bool first)
{
    if (const std::string_view name = tail_heading(text); !name.empty())
        return select(name);
    text = trimmed(text, " \t\r");
    if (text.size() >= 8 && text.find_first_not_of(':') == std::string_view::npos) {
        ruled_ = true;
        return true;
    }
    if (ruled_) {
        ruled_ = false;
        return !text.empty() && select(text);
    }
    // "x.4242", "# x.4242", "--- x.4242 ---", "x.4242:". What a program writes may look so too: the log begins with one,
    // or it is none.
    const std::string_view name = trimmed(text, " \t#=*-<>:");
    uint32_t pid = 0;
    std::string_view stem;
    if (name.empty() || !std::all_of(name.begin(), name.end(), file_char) || !ends_in_pid(name, pid, stem))
        return false;
    if (stem_.empty() && first)
        stem_ = stem;
    return stem_ == stem && select(name);
}

bool LogSources::select(std::string_view name)
{
    if (!all_.empty() && all_[current_].name == name)
        return true;
    std::string key(name);
    if (auto at = by_name_.find(key); at != by_name_.end()) {
        current_ = at->second;
        return true;
    }
    if (all_.size() >= kMost)
        return false;
    LogSource source;
    source.group = static_cast<uint32_t>(all_.size());
    std::string_view stem;
    if (ends_in_pid(name, source.pid, stem))
        source.group = groups_.try_emplace(std::string(stem), source.group).first->second;
    else
        source.pid = 0;
    source.name = key;
    current_ = static_cast<uint32_t>(all_.size());
    by_name_.emplace(std::move(key), current_);
    all_.push_back(std::move(source));
    return true;
}

}  // namespace epaudit
