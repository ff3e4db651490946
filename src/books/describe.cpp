// SPDX-License-Identifier: Apache-2.0
#include "src/books/describe.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "src/books/epoll_bits.h"
#include "src/support/errno_names.h"

namespace epaudit {
namespace {

constexpr const char* kKindNames[FILE_KINDS] = {"unknown", "tcp",     "listener", "udp",      "unix",   "pipe",
                                                "eventfd", "timerfd", "signalfd", "epoll",    "other",  "socket",
                                                "unknown", "inotify", "pidfd",    "terminal", "netlink"};

static_assert(SK_ESTABLISHED == TCP_ESTABLISHED && SK_SYN_SENT == TCP_SYN_SENT && SK_CLOSE == TCP_CLOSE &&
              SK_CLOSE_WAIT == TCP_CLOSE_WAIT);
// By number, as <netinet/tcp.h> has them, and one that the kernel keeps to itself.
constexpr const char* kTcpStates[] = {"",          "ESTABLISHED", "SYN_SENT",    "SYN_RECV",   "FIN_WAIT1",
                                      "FIN_WAIT2", "TIME_WAIT",   "CLOSE",       "CLOSE_WAIT", "LAST_ACK",
                                      "LISTEN",    "CLOSING",     "NEW_SYN_RECV"};

std::string address(const uint8_t* bytes, uint16_t port, uint16_t family)
{
    char text[INET6_ADDRSTRLEN];
    if (!port || (family != AF_INET && family != AF_INET6) || !inet_ntop(family, bytes, text, sizeof text))
        return {};
    return family == AF_INET ? fmt::format("{}:{}", text, port) : fmt::format("[{}]:{}", text, port);
}

std::string ctl_text(const char* operation, int32_t value)
{
    if (value < 0)
        return fmt::format("epoll_ctl({}) = {}", operation, errno_text(value));
    return fmt::format("epoll_ctl({}) {}", operation, mask_text(static_cast<uint32_t>(value)));
}

std::string call_text(const char* call, int32_t value)
{
    return fmt::format("{} = {}", call, value < 0 ? errno_text(value) : std::to_string(value));
}

std::string moved_text(const char* call, const char* verb, int32_t value)
{
    if (value > 0)  // the recorder's values saturate
        return fmt::format("{} {}{}", verb, value == FLIGHT_VALUE_MAX ? "at least " : "",
                           bytes_text(static_cast<uint64_t>(value)));
    return call_text(call, value);
}

std::string shutdown_text(int32_t how)
{
    if (how < 0)
        return call_text("shutdown", how);
    return how == 0 ? "shutdown(SHUT_RD)" : how == 1 ? "shutdown(SHUT_WR)" : "shutdown(SHUT_RDWR)";
}

}  // namespace

const char* kind_name(uint8_t file_kind) { return kKindNames[file_kind < FILE_KINDS ? file_kind : 0]; }

const char* tcp_state_name(uint8_t sk_state) { return sk_state < std::size(kTcpStates) ? kTcpStates[sk_state] : ""; }

std::string mask_text(uint32_t mask)
{
    std::string text;
    for (const auto& [bit, name] : kEpollBits) {
        if (!(mask & bit))
            continue;
        text += text.empty() ? "" : "|";
        text += name;
        mask &= ~bit;
    }
    if (mask)  // bits without a name
        text += fmt::format("{}{:#x}", text.empty() ? "" : "|", mask);
    return text.empty() ? "0" : text;
}

std::string errno_text(int64_t error)
{
    const int64_t number = error < 0 ? -error : error;
    const std::string_view name = errno_name(static_cast<int>(std::min<int64_t>(number, INT32_MAX)));
    return name.empty() ? fmt::format("errno {}", number) : std::string(name);
}

std::string trigger_text(uint32_t mask)
{
    if (mask & EV_ONESHOT)
        return mask & EV_ET ? "edge,oneshot" : "oneshot";
    return mask & EV_ET ? "edge" : "level";
}

std::string posting_text(uint8_t posting_kind, int32_t value)
{
    switch (posting_kind) {
    case POSTING_ADD: return ctl_text("ADD", value);
    case POSTING_MOD: return ctl_text("MOD", value);
    case POSTING_DEL: return value < 0 ? ctl_text("DEL", value) : "epoll_ctl(DEL)";
    case POSTING_DELIVERED: return "delivered " + mask_text(static_cast<uint32_t>(value));
    case POSTING_READ: return moved_text("read", "read", value);
    case POSTING_WRITE: return moved_text("write", "wrote", value);
    case POSTING_ACCEPT: return value < 0 ? call_text("accept", value) : fmt::format("accepted fd {}", value);
    case POSTING_CONNECT: return call_text("connect", value);
    case POSTING_SHUTDOWN: return shutdown_text(value);
    case POSTING_CLOSE: return fmt::format("close({})", value);
    case POSTING_SETTIME: return "timerfd_settime";
    case POSTING_SO_ERROR: return "getsockopt(SO_ERROR) took the error";
    case POSTING_PEEK:
        return fmt::format("looked at {} without taking it", value < 0 ? errno_text(value) : bytes_text(value));
    case POSTING_PEER_CLOSED: return "peer closed";
    case POSTING_ENTER: return "a call that may sleep begins";
    case POSTING_ERRQUEUE: return call_text("recvmsg(MSG_ERRQUEUE)", value);
    default: return fmt::format("event {} = {}", posting_kind, value);
    }
}

Lane posting_lane(uint8_t posting_kind)
{
    switch (posting_kind) {
    case POSTING_DELIVERED: return Lane::kDelivered;
    case POSTING_READ:
    case POSTING_ACCEPT:
    case POSTING_PEEK:
    case POSTING_ERRQUEUE:
    case POSTING_SO_ERROR: return Lane::kRead;
    case POSTING_WRITE:
    case POSTING_CONNECT: return Lane::kWrite;
    case POSTING_ADD:
    case POSTING_MOD:
    case POSTING_DEL: return Lane::kControl;
    default: return Lane::kOther;
    }
}

std::vector<TimelineEntry> timeline(const file_row& file, uint64_t began)
{
    std::vector<TimelineEntry> entries;
    uint32_t held = std::min<uint32_t>(file.flight_next, FLIGHT_SLOTS);
    int64_t at = static_cast<int64_t>(file.last_at - began);  // seeded files may have a past before that
    for (uint32_t back = 1; back <= held; back++) {
        uint64_t entry = file.flight[(file.flight_next - back) & (FLIGHT_SLOTS - 1)];
        entries.push_back({static_cast<double>(at) / NSEC_PER_SEC,
                           posting_text(flight_kind(entry), flight_value(entry)), flight_tid(entry),
                           posting_lane(flight_kind(entry))});
        at -= static_cast<int64_t>(flight_since_us(entry) * NSEC_PER_USEC);
    }
    std::reverse(entries.begin(), entries.end());
    return entries;
}

std::string local_address(const socket_name& name) { return address(name.local, name.local_port, name.family); }
std::string peer_address(const socket_name& name) { return address(name.peer, name.peer_port, name.family); }

std::string bytes_text(uint64_t bytes)
{
    if (bytes == 1)
        return "1 byte";
    if (bytes < 100 * 1024)
        return fmt::format("{} bytes", bytes);
    double kib = static_cast<double>(bytes) / 1024;
    return kib < 1024 ? fmt::format("{:.0f} KiB", kib) : fmt::format("{:.1f} MiB", kib / 1024);
}

}  // namespace epaudit
