// SPDX-License-Identifier: Apache-2.0
#include "src/workload/process_scan.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "bpf/types.h"
#include "src/support/clock.h"
#include "src/support/proc.h"
#include "src/workload/cgroup.h"

namespace epaudit {
namespace {

namespace fs = std::filesystem;

// A process gets its cgroup, its user and its sockets just before or just after exec.
constexpr uint64_t kYoungNs = 5 * NSEC_PER_SEC;
// Where changes are told, all are read again so often: a process may give itself another name, or get another user.
constexpr uint64_t kCompleteNs = 5 * NSEC_PER_SEC;
// A process that has had no epoll for long is asked again less often: looking through its descriptors may take a hundredth
// of the time, but is never put off for long.
constexpr uint64_t kThrift = 100;
constexpr uint64_t kCalmNs = 5 * NSEC_PER_SEC;
constexpr uint64_t kSoonNs = 500 * NSEC_PER_MSEC;  // where few are meant
constexpr uint64_t kLongestNs = 30 * NSEC_PER_SEC;

std::string target_of(const std::string& link)
{
    char text[4096];
    const ssize_t length = readlink(link.c_str(), text, sizeof(text));
    return length > 0 ? std::string(text, static_cast<size_t>(length)) : "";
}

constexpr const char* kEpoll = "anon_inode:[eventpoll]";

// Calls `each` with what the descriptors lead to; false: they may not be looked at.
template <typename Each>
bool each_descriptor(const std::string& directory, Each each)
{
    std::error_code error;
    fs::directory_iterator entries(directory, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error))
        each(entries->path(), target_of(entries->path()));
    return !error;
}

uint32_t user_of(const std::string& status)
{
    const size_t at = status.find("\nUid:");
    uint32_t real = 0, effective = 0;
    if (at != std::string::npos)
        std::istringstream(status.substr(at + 5)) >> real >> effective;
    return effective;
}

// Sockets of /proc/PID/net/tcp and its like that are bound to one of the ports. The kernel lists those that listen first:
// there may be a hundred thousand others, at which the walk over TCP ends.
void read_sockets(const std::string& file, bool tcp, const std::set<uint64_t>& ports,
                  std::map<uint64_t, uint64_t>& sockets)
{
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    while (std::getline(in, line)) {
        std::istringstream words(line);
        std::string slot, local, peer, state, skip;
        uint64_t inode = 0;
        words >> slot >> local >> peer >> state >> skip >> skip >> skip >> skip >> skip >> inode;
        if (tcp && state != "0A")
            return;
        uint64_t port = 0;
        const size_t colon = local.find(':');
        if (colon == std::string::npos)
            continue;
        std::from_chars(local.data() + colon + 1, local.data() + local.size(), port, 16);
        if (ports.count(port) && inode)
            sockets[inode] = port;
    }
}

}  // namespace

ProcessScan::ProcessScan(Selection selection, const std::string& proc)
    : selection_(std::move(selection)), proc_(proc), workloads_(proc), self_(static_cast<uint32_t>(getpid()))
{
}

ProcessScan::ProcessScan(Selection selection, const std::string& proc, const std::string& machine_root, uint32_t self)
    : selection_(std::move(selection)), proc_(proc), workloads_(proc, machine_root), self_(self)
{
}

std::string ProcessScan::path(uint32_t pid, const char* what) const
{
    return fmt::format("{}/{}/{}", proc_, pid, what);
}

void ProcessScan::fill(Known& known, bool everything)
{
    SeenProcess& seen = known.seen;
    auto wanted = [&](By by) { return everything || selection_.asks_for(by); };
    if (wanted(By::kExe) || wanted(By::kComm))
        seen.exe = target_of(path(seen.pid, "exe"));
    if (wanted(By::kUser))
        seen.uid = user_of(read_proc_file(path(seen.pid, "status")));
    if (wanted(By::kUnit) || wanted(By::kContainer) || wanted(By::kPod))
        seen.workload = workloads_.of(seen.pid);
    if (wanted(By::kCgroup))
        seen.cgroups = parse_cgroups(read_proc_file(path(seen.pid, "cgroup"))).paths;
    if (wanted(By::kPort))
        known.network = target_of(path(seen.pid, "ns/net"));
}

// Which sockets are bound to the ports is read once for each network; who has them, only of processes that are new and when
// there are other sockets than before.
void ProcessScan::look_at_ports(uint64_t now)
{
    std::set<uint64_t> ports;
    for (const auto* selectors : {&selection_.wanted, &selection_.excluded})
        for (const Selector& one : *selectors)
            if (one.by == By::kPort)
                ports.insert(one.number);
    std::map<std::string, Network> networks;
    for (auto& [pid, known] : known_) {
        auto [at, fresh] = networks.try_emplace(known.network);
        Network& network = at->second;
        if (fresh) {
            for (const char* name : {"net/tcp", "net/tcp6"})
                read_sockets(path(pid, name), true, ports, network.sockets);
            for (const char* name : {"net/udp", "net/udp6"})
                read_sockets(path(pid, name), false, ports, network.sockets);
            network.changed = network.sockets != networks_[known.network].sockets;
        }
        if (!network.changed && now - known.changed_at >= kYoungNs)
            continue;
        std::set<uint64_t> bound;
        if (!network.sockets.empty())
            each_descriptor(path(pid, "fd"), [&](const std::string&, const std::string& target) {
                uint64_t inode = 0;
                if (target.starts_with("socket:["))
                    std::from_chars(target.data() + 8, target.data() + target.size(), inode);
                if (auto socket = network.sockets.find(inode); socket != network.sockets.end())
                    bound.insert(socket->second);
            });
        known.seen.ports.assign(bound.begin(), bound.end());
    }
    networks_ = std::move(networks);
}

void ProcessScan::look_at_use(Known& known, uint64_t now)
{
    if (now < known.next_use)
        return;
    const uint64_t began = monotonic_ns();
    EpollUse use;
    use.readable = each_descriptor(path(known.seen.pid, "fd"), [&](const std::string&, const std::string& target) {
        use.descriptors++;
        use.epolls += target == kEpoll;
    });
    known.use = use;
    const uint64_t patience = std::min((now - known.changed_at) / 8, selection_.all ? kCalmNs : kSoonNs);
    known.next_use = now + std::min(std::max(kThrift * (monotonic_ns() - began), patience), kLongestNs);
}

bool ProcessScan::is_epaudit(uint32_t pid) const
{
    struct stat own {
    }, other{};
    if (pid == self_)
        return true;
    if (stat(path(pid, "exe").c_str(), &other))  // our children without privileges are not for everybody to look at
        return errno == EACCES && read_comm(pid) == read_comm(self_);
    return stat("/proc/self/exe", &own) == 0 && own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

bool ProcessScan::is_epaudit(Known& known, uint64_t now) const
{
    if (known.epaudit)
        return *known.epaudit;
    const bool is = is_epaudit(known.seen.pid);
    if (now - known.changed_at >= kYoungNs)
        known.epaudit = is;
    return is;
}

void ProcessScan::told_by(std::function<uint32_t(uint32_t)> changes) { changes_ = std::move(changes); }

void ProcessScan::read(uint32_t pid, uint64_t now, bool first, std::set<uint32_t>& alive)
{
    const std::optional<uint32_t> changes = changes_ ? std::optional(changes_(pid))
                                                     : std::nullopt;  // before it is read
    const auto stat = parse_proc_stat(read_proc_file(path(pid, "stat")));
    if (!stat || stat->kernel || !stat->running()) {
        if (changes)
            passed_over_[pid] = *changes;
        return;
    }
    alive.insert(pid);
    Known& known = known_[pid];
    bool fresh = false;
    if (known.seen.started != stat->started_ticks || known.seen.comm != stat->comm || known.program != stat->program) {
        known = {};
        known.seen.pid = pid;
        known.seen.started = stat->started_ticks;
        known.seen.comm = stat->comm;
        known.program = stat->program;
        known.changed_at = first ? 0 : now;
        fresh = true;
    }
    known.changes = changes;
    if (fresh || now - known.changed_at < kYoungNs)
        fill(known, false);
}

std::vector<SelectedProcess> ProcessScan::look(uint64_t now, const std::set<uint32_t>& watched)
{
    const bool first = known_.empty();  // all are there for who knows how long
    if (!changes_ || now >= next_complete_) {
        next_complete_ = now + kCompleteNs;
        passed_over_.clear();
        for (auto& [pid, known] : known_)
            known.changes.reset();
    }
    std::set<uint32_t> alive;
    for (uint32_t pid : numbers_in(proc_)) {
        const uint32_t changes = changes_ ? changes_(pid) : 0;
        if (auto over = passed_over_.find(pid); over != passed_over_.end() && over->second == changes)
            continue;
        if (auto at = known_.find(pid);
            at != known_.end() && at->second.changes == changes && now - at->second.changed_at >= kYoungNs)
            alive.insert(pid);
        else
            read(pid, now, first, alive);
    }
    std::erase_if(known_, [&](const auto& one) { return !alive.count(one.first); });
    if (selection_.asks_for(By::kPort))
        look_at_ports(now);
    std::vector<SelectedProcess> found;
    for (auto& [pid, known] : known_) {
        if (!selection_.matches(known.seen) || is_epaudit(known, now))
            continue;
        if (!watched.count(pid))
            look_at_use(known, now);
        found.push_back({&known.seen, known.use});
    }
    return found;
}

bool ProcessScan::excluded(uint32_t pid) const
{
    auto at = known_.find(pid);
    return at != known_.end() && std::any_of(selection_.excluded.begin(), selection_.excluded.end(),
                                             [&](const Selector& one) { return matches(one, at->second.seen); });
}

std::vector<SeenProcess> ProcessScan::everybody()
{
    std::vector<SeenProcess> all;
    for (auto& [pid, known] : known_) {
        fill(known, true);
        all.push_back(known.seen);
    }
    return all;
}

bool count_registrations(const std::string& proc, uint32_t pid, const EpollUse& use, unsigned& registrations)
{
    if (!use.readable || use.descriptors > kMostInFdinfo)
        return false;
    registrations = 0;
    each_descriptor(fmt::format("{}/{}/fd", proc, pid), [&](const std::string& file, const std::string& target) {
        if (target != kEpoll)
            return;
        std::ifstream in(fmt::format("{}/{}/fdinfo/{}", proc, pid, file.substr(file.rfind('/') + 1)));
        for (std::string line; std::getline(in, line);)
            registrations += line.starts_with("tfd:");
    });
    return true;
}

}  // namespace epaudit
