// SPDX-License-Identifier: Apache-2.0
#include "src/strace/values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "src/books/epoll_bits.h"
#include "src/strace/arguments.h"

namespace epaudit {
namespace {

// Comparing the first characters saves most calls of memcmp().
bool starts_with(std::string_view text, std::string_view head)
{
    return text.size() >= head.size() && text.front() == head.front() && text.substr(0, head.size()) == head;
}

bool parse_bit(std::string_view word, uint32_t& mask)
{
    while (!word.empty() && word.back() == ' ')
        word.remove_suffix(1);
    int64_t number = 0;
    if (parse_number(word, number)) {
        mask |= static_cast<uint32_t>(number);
        return true;
    }
    if (size_t shift = word.find("<<"); shift != std::string_view::npos) {
        int64_t base = 0, by = 0;
        if (!parse_number(word.substr(0, shift), base) || !parse_number(word.substr(shift + 2), by) || by < 0 ||
            by > 31)
            return false;
        mask |= static_cast<uint32_t>(base) << by;
        return true;
    }
    if (!starts_with(word, "EPOLL"))
        return false;
    for (const auto& [bit, name] : kEpollBits) {
        if (name.size() != word.size() || name[5] != word[5] || name != word)
            continue;
        mask |= bit;
        return true;
    }
    return false;
}

// "{u32=5, u64=5}", "0x5", "5"
bool parse_data(std::string_view text, uint64_t& data)
{
    int64_t number = 0;
    std::string_view value = text;
    if (!text.empty() && text.front() == '{') {
        value = field(text, "u64");
        if (value.empty())
            value = field(text, "ptr");
    }
    if (!parse_number(value, number))
        return false;
    data = static_cast<uint64_t>(number);
    return true;
}

bool parse_port(std::string_view text, uint16_t& port)
{
    int64_t number = 0;
    if (!parse_number(text, number) || number < 0 || number > 65535)
        return false;
    port = static_cast<uint16_t>(number);
    return true;
}

// "127.0.0.1:80", "[::1]:80"
bool parse_address(std::string_view text, uint16_t family, uint8_t (&address)[16], uint16_t& port)
{
    size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || !parse_port(text.substr(colon + 1), port))
        return false;
    std::string_view host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    char buffer[INET6_ADDRSTRLEN];
    if (host.size() >= sizeof buffer)
        return false;
    memcpy(buffer, host.data(), host.size());
    buffer[host.size()] = 0;
    memset(address, 0, sizeof address);
    return inet_pton(family, buffer, address) == 1;
}

// The text between the first pair of quotes.
std::string_view quoted(std::string_view text)
{
    size_t open = text.find('"');
    size_t close = open == std::string_view::npos ? open : text.find('"', open + 1);
    return close == std::string_view::npos ? std::string_view() : text.substr(open + 1, close - open - 1);
}

}  // namespace

std::string printed_bytes(std::string_view inside)
{
    constexpr std::string_view kLetters = "abtnvfr", kMeant = "\a\b\t\n\v\f\r";
    std::string bytes;
    auto digits = [&](size_t from, size_t most, int base) {
        unsigned value = 0;
        const char* begin = inside.data() + from;
        const auto end = std::from_chars(begin, begin + std::min(most, inside.size() - from), value, base).ptr;
        if (end != begin)
            bytes += static_cast<char>(value);
        return static_cast<size_t>(end - begin);
    };
    for (size_t at = 0; at < inside.size(); at++) {
        if (inside[at] != '\\' || at + 1 == inside.size()) {
            bytes += inside[at];
            continue;
        }
        const char c = inside[++at];
        if (c >= '0' && c <= '7')
            at += digits(at, 3, 8) - 1;
        else if (c == 'x')
            at += digits(at + 1, 2, 16);
        else if (const size_t letter = kLetters.find(c); letter != std::string_view::npos)
            bytes += kMeant[letter];
        else
            bytes += c;
    }
    return bytes;
}

bool parse_epoll_mask(std::string_view text, uint32_t& mask)
{
    mask = 0;
    if (size_t comment = text.find("/*"); comment != std::string_view::npos && comment > 0)  // -X verbose
        text = text.substr(0, comment);
    while (!text.empty()) {
        size_t bar = text.find('|');
        if (!parse_bit(text.substr(0, bar), mask))
            return false;
        if (bar == std::string_view::npos)
            return true;
        text = text.substr(bar + 1);
    }
    return false;
}

bool parse_event(std::string_view text, PrintedEvent& event)
{
    event = {};
    if (text.empty() || text.front() != '{')
        return false;
    unsigned index = 0;
    bool good = false;
    for_elements(text, [&](std::string_view element) {
        if (starts_with(element, "events="))
            element.remove_prefix(7);
        else if (starts_with(element, "data="))
            element.remove_prefix(5);
        if (index == 0)
            good = parse_epoll_mask(element, event.events);
        else if (index == 1)
            event.data_known = parse_data(element, event.data);
        return ++index < 2 && good;
    });
    return good;
}

bool has_flag(std::string_view flags, std::string_view name)
{
    for (size_t at = flags.find(name); at != std::string_view::npos; at = flags.find(name, at + 1)) {
        auto word = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
        size_t end = at + name.size();
        if ((at == 0 || !word(flags[at - 1])) && (end == flags.size() || !word(flags[end])))
            return true;
    }
    return false;
}

int64_t parse_timeout(std::string_view text)
{
    if (text == "NULL")
        return -1;
    int64_t seconds = 0, ns = 0;
    if (!parse_number(field(text, "tv_sec"), seconds) || !parse_number(field(text, "tv_nsec"), ns) || seconds < 0)
        return -2;
    return std::min<int64_t>(seconds, 2'000'000) * 1000 + ns / 1'000'000;
}

int64_t iov_length(std::string_view text)
{
    if (text.empty() || text.front() != '[')
        return 0;
    int64_t sum = 0;
    bool whole = true;
    for_elements(text, [&](std::string_view element) {
        int64_t length = 0;
        whole = parse_number(field(element, "iov_len"), length) && length >= 0;
        sum += whole ? std::min<int64_t>(length, 1LL << 40) : 0;
        return whole;
    });
    return whole ? sum : 0;
}

uint8_t kind_of_decoration(std::string_view text)
{
    if (text.empty() || starts_with(text, "socket:"))
        return text.empty() ? FILE_UNKNOWN : FILE_SOCKET;
    if (starts_with(text, "TCP:[") || starts_with(text, "TCPv6:["))
        return FILE_TCP;  // or a listener: accept() and listen() tell
    if (starts_with(text, "UDP:[") || starts_with(text, "UDPv6:["))
        return FILE_UDP;
    if (starts_with(text, "UNIX"))
        return FILE_UNIX;
    if (starts_with(text, "pipe:"))
        return FILE_PIPE;
    if (starts_with(text, "anon_inode:[eventfd"))
        return FILE_EVENTFD;
    if (starts_with(text, "anon_inode:[timerfd"))
        return FILE_TIMERFD;
    if (starts_with(text, "anon_inode:[signalfd") || starts_with(text, "signalfd:"))
        return FILE_SIGNALFD;
    if (starts_with(text, "anon_inode:[eventpoll"))
        return FILE_EPOLL;
    return FILE_OTHER;
}

bool name_of_decoration(std::string_view text, socket_name& name)
{
    size_t open = text.find(":[");
    if (open == std::string_view::npos || text.back() != ']')
        return false;
    std::string_view protocol = text.substr(0, open);
    if (protocol != "TCP" && protocol != "UDP" && protocol != "TCPv6" && protocol != "UDPv6")
        return false;
    uint16_t family = protocol.back() == '6' ? AF_INET6 : AF_INET;
    std::string_view pair = text.substr(open + 2, text.size() - open - 3);
    size_t arrow = pair.find("->");
    socket_name parsed{};
    parsed.family = family;
    if (!parse_address(pair.substr(0, arrow), family, parsed.local, parsed.local_port))
        return false;
    if (arrow != std::string_view::npos &&
        !parse_address(pair.substr(arrow + 2), family, parsed.peer, parsed.peer_port))
        return false;
    name = parsed;
    return true;
}

bool parse_sockaddr(std::string_view text, uint16_t& family, uint16_t& port, uint8_t (&address)[16])
{
    std::string_view named = field(text, "sa_family");
    if (size_t comment = named.find("/* "); comment != std::string_view::npos && named.size() > comment + 6)
        named = named.substr(comment + 3, named.size() - comment - 6);  // "0x2 /* AF_INET */"
    family = named == "AF_INET" ? AF_INET : named == "AF_INET6" ? AF_INET6 : named == "AF_UNIX" ? AF_UNIX : 0;
    if (family != AF_INET && family != AF_INET6)
        return family != 0;
    std::string_view number = field(text, family == AF_INET ? "sin_port" : "sin6_port");
    if (!starts_with(number, "htons(") || !parse_port(number.substr(6, number.size() - 7), port))
        return false;
    // inet_addr("..."), inet_pton(AF_INET6, "...", &sin6_addr)
    size_t from = text.find("inet_");
    if (from == std::string_view::npos)
        return false;
    std::string_view host = quoted(text.substr(from));
    char buffer[INET6_ADDRSTRLEN];
    if (host.empty() || host.size() >= sizeof buffer)
        return false;
    memcpy(buffer, host.data(), host.size());
    buffer[host.size()] = 0;
    memset(address, 0, sizeof address);
    return inet_pton(family, buffer, address) == 1;
}

}  // namespace epaudit
