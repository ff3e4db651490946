// SPDX-License-Identifier: Apache-2.0
#include "src/session/unjudged.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "src/books/duration.h"
#include "src/support/proc.h"

namespace epaudit {
namespace {

constexpr uint64_t kReportsPerSecond = 1000;  // a device or a queue that is served seldom reports so often
constexpr uint64_t kLongEnoughNs = NSEC_PER_SEC;

bool may_spin(const Entry& entry)
{
    return entry.file.kind == FILE_OTHER && !(entry.registration.mask & (EV_ET | EV_ONESHOT));
}

uint32_t calls_on(const file_row& f) { return f.moves + f.reads + f.read_eagain + f.eofs + f.writes + f.write_eagain; }

}  // namespace

Unjudged::Unjudged(LeadsTo leads_to) : leads_to_(std::move(leads_to)) {}

void Unjudged::look(const Snapshot& books)
{
    std::map<std::pair<uint64_t, uint64_t>, Seen> now;
    for (const Entry* one : books.neighbours().with(kTraitOther)) {
        const Entry& entry = *one;
        if (!may_spin(entry))
            continue;
        const std::pair key{entry.key.epoll, entry.file_id};
        const auto before = seen_.find(key);
        Seen seen = before == seen_.end() ? Seen{} : before->second;
        measure(books, entry, seen);
        now[key] = seen;
    }
    seen_ = std::move(now);
}

void Unjudged::measure(const Snapshot& books, const Entry& entry, Seen& seen)
{
    const uint32_t deliveries = entry.registration.deliveries, calls = calls_on(entry.file);
    const uint64_t ns = books.time - seen.at, reported = deliveries - seen.deliveries;
    const bool often = reported * NSEC_PER_SEC >= kReportsPerSecond * ns;
    // Fewer than before: the books began anew.
    if (seen.at && deliveries >= seen.deliveries && often && calls == seen.calls) {
        seen.ns += ns;
        seen.reported += reported;
    } else {
        seen.ns = seen.reported = 0;
    }
    seen.at = books.time;
    seen.deliveries = deliveries;
    seen.calls = calls;
    if (seen.ns < kLongEnoughNs || seen.ns <= worst_.ns)
        return;
    // Rings in shared memory (anon_inode:[io_uring], [perf_event], bpf maps) are read without a call: nothing to be suspected.
    if (!seen.path)
        seen.path = leads_to_(entry.file.tgid, entry.key.fd);
    if (seen.path->starts_with('/') || seen.path->starts_with("socket:"))
        worst_ = {seen.ns, seen.reported, entry.key.fd, entry.file.tgid, *seen.path};
}

std::optional<InconclusiveReason> Unjudged::reason() const
{
    if (worst_.path.empty())
        return std::nullopt;
    const double seconds = seconds_of(worst_.ns);
    return InconclusiveReason{
        Inconclusive::kUnjudged,
        fmt::format(
            "fd {} of pid {} ({}) was reported {:.0f} times per s for {:.1f} s, and epaudit does not see what is "
            "taken from a file of that kind",
            worst_.fd, worst_.pid, worst_.path, static_cast<double>(worst_.reported) / seconds, seconds),
        "strace -f -o FILE shows the calls, and `epaudit strace FILE` judges them"};
}

namespace {

// Of a socket that a ring in shared memory belongs to (PACKET_RX_RING, AF_XDP) the map names it.
bool is_mapped(uint32_t thread, const std::string& path)
{
    std::ifstream maps(fmt::format("/proc/{}/maps", thread));
    for (std::string line; std::getline(maps, line);)
        if (line.ends_with(path))
            return true;
    return false;
}

}  // namespace

std::string path_of_descriptor(uint32_t pid, int fd)
{
    const uint32_t thread = living_thread(pid);
    std::error_code ignored;
    std::string path = std::filesystem::read_symlink(fmt::format("/proc/{}/fd/{}", thread, fd), ignored).string();
    constexpr std::string_view kUnlinked = " (deleted)";
    if (path.ends_with(kUnlinked))
        path.resize(path.size() - kUnlinked.size());
    return is_mapped(thread, path) ? std::string() : path;
}

}  // namespace epaudit
