// SPDX-License-Identifier: Apache-2.0
#include "src/support/apart.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <optional>
#include <set>

#include "src/support/capabilities.h"

namespace epaudit {
namespace {

enum class Order : uint64_t { kStart, kOutput, kSeal, kRename, kUnlink, kMeasure };

constexpr size_t kLongestOrder = 3 * 4096;
// Orders take no time; a broker that does not answer was stopped by somebody.
constexpr int kPatienceMs = 10000;
constexpr uint64_t kOfBroker = capability_bit(kCapSetuid) | capability_bit(kCapSetgid) | capability_bit(kCapSysAdmin) |
                               capability_bit(kCapDacOverride) | capability_bit(kCapFowner);

std::array<Worker, 2>& workers()
{
    static std::array<Worker, 2> all{};
    return all;
}

struct Broker {
    std::mutex mutex;
    Channel channel{Descriptor()};
};

// Not destroyed: threads may still be there.
Broker& broker()
{
    static Broker* one = new Broker;
    return *one;
}

// What the kernel shares with us belongs to whoever holds the probes.
void unmap_bpf()
{
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        unsigned long from = 0, to = 0;
        if (line.find("bpf-map") != std::string::npos && sscanf(line.c_str(), "%lx-%lx", &from, &to) == 2)
            munmap(reinterpret_cast<void*>(from), to - from);
    }
}

// Of all that a fork inherits, this socket is left, as number 3; Ctrl-C is not for us.
Descriptor leave_all_but(int socket)
{
    for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE})
        signal(number, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (socket != 3 && dup3(socket, 3, O_CLOEXEC) < 0)
        _exit(1);
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    for (int fd = 0; fd < 3; fd++)
        if (open("/dev/null", O_RDWR) != fd)
            _exit(1);
    if (syscall(SYS_close_range, 4U, ~0U, 0U)) {  // since 5.9
        rlimit limit{};
        getrlimit(RLIMIT_NOFILE, &limit);
        for (int fd = 4; fd < static_cast<int>(limit.rlim_cur); fd++)
            close(fd);
    }
    return Descriptor(3);
}

// Source text is just missing then; of symbols the report says why.
[[noreturn]] void refuse(ApartWork work, Channel channel, int error)
{
    keep_capabilities(0);
    if (work == ApartWork::kSymbols)
        channel.send(Packer().word(kNotThatUser).word(static_cast<uint64_t>(error)).bytes(), -1, kPatienceMs);
    // Who leaves with questions unread makes the other end lose the answer.
    for (std::string unread; channel.receive(unread, nullptr, kLongestOrder);) {}
    _exit(1);
}

// `parent`: it ends with that one; 0: with whoever has the other end of its socket, alone.
[[noreturn]] void work_apart(ApartWork work, uid_t uid, gid_t gid, int socket, pid_t parent)
{
    Channel channel(leave_all_but(socket));
    unmap_bpf();
    std::ofstream("/proc/self/oom_score_adj") << 1000;  // rather than what is watched
    if (geteuid() == 0 && (setgroups(0, nullptr) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid)))
        refuse(work, std::move(channel), errno);
    keep_capabilities(0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (parent) {  // only now: who changes his user loses this wish
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != parent)
            _exit(1);
    }
    workers()[static_cast<size_t>(work)](std::move(channel));
    _exit(0);
}

bool is_work(uint64_t number) { return number < workers().size() && workers()[number]; }

// The broker's own process.
class Orders {
public:
    explicit Orders(Descriptor socket) : channel_(std::move(socket)) {}

    [[noreturn]] void serve()
    {
        std::string message;
        Descriptor file;
        while (channel_.receive(message, &file, kLongestOrder)) {
            Unpacker order(message);
            obey(static_cast<Order>(order.word()), order, file);
            file.reset();
        }
        _exit(0);
    }

private:
    void obey(Order order, Unpacker& words, const Descriptor& file)
    {
        switch (order) {
        case Order::kStart: start(words, file); return;
        case Order::kOutput: {
            std::string beside(words.text()), target(words.text());
            if (!sealed_)
                outputs_.emplace(std::move(beside), std::move(target));
            return;
        }
        case Order::kSeal: sealed_ = true; return;
        case Order::kRename: {
            const std::string beside(words.text()), target(words.text());
            if (!outputs_.count({beside, target}))
                return answer(EPERM);
            return answer(rename(beside.c_str(), target.c_str()) ? errno : 0);
        }
        case Order::kUnlink: {
            const std::string path(words.text());
            for (const auto& [beside, target] : outputs_)
                if (path == beside || path == target)
                    return answer(unlink(path.c_str()) ? errno : 0);
            return answer(EPERM);
        }
        case Order::kMeasure: {
            bpf_attr attributes{};
            attributes.enable_stats.type = BPF_STATS_RUN_TIME;
            const Descriptor measuring(
                static_cast<int>(syscall(SYS_bpf, BPF_ENABLE_STATS, &attributes, sizeof(attributes))));
            return answer(measuring ? 0 : errno, measuring.get());
        }
        }
    }

    void start(Unpacker& words, const Descriptor& socket)
    {
        const uint64_t work = words.word();
        const auto uid = static_cast<uid_t>(words.word());
        const auto gid = static_cast<gid_t>(words.word());
        const pid_t self = getpid();
        if (words.ok() && socket && is_work(work) && fork() == 0)
            work_apart(static_cast<ApartWork>(work), uid, gid, socket.get(), self);
    }

    void answer(int error, int file = -1)
    {
        channel_.send(Packer().word(static_cast<uint64_t>(error)).bytes(), file, kPatienceMs);
    }

    Channel channel_;
    std::set<std::pair<std::string, std::string>> outputs_;
    bool sealed_ = false;
};

void give_order(const Packer& order, int file = -1)
{
    const std::lock_guard<std::mutex> lock(broker().mutex);
    if (broker().channel)
        broker().channel.send(order.bytes(), file, kPatienceMs);
}

// The errno that it answers with; nothing: there is no broker, or not any more.
std::optional<int> ask(const Packer& order, Descriptor* file = nullptr)
{
    const std::lock_guard<std::mutex> lock(broker().mutex);
    std::string answer;
    Channel& channel = broker().channel;
    if (!channel || !channel.send(order.bytes(), -1, kPatienceMs) ||
        !channel.receive(answer, file, sizeof(uint64_t), kPatienceMs))
        return std::nullopt;
    return static_cast<int>(Unpacker(answer).word());
}

Packer packed(Order order) { return Packer().word(static_cast<uint64_t>(order)); }

bool is_refusal(int error) { return error == EACCES || error == EPERM; }

}  // namespace

bool set_worker(ApartWork work, Worker worker)
{
    workers()[static_cast<size_t>(work)] = worker;
    return true;
}

void start_broker()
{
    if (broker().channel || (geteuid() != 0 && !Capabilities::own().has(kCapSysAdmin)))
        return;
    auto [ours, its] = Channel::pair();
    if (!ours)
        return;
    const pid_t child = fork();
    if (child == 0) {
        Descriptor socket = leave_all_but(its.get());
        signal(SIGCHLD, SIG_IGN);  // nobody waits for children
        keep_capabilities(kOfBroker);
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        Orders(std::move(socket)).serve();
    }
    if (child > 0)
        broker().channel = Channel(std::move(ours));
}

Descriptor start_apart(ApartWork work, uid_t uid, gid_t gid)
{
    auto [ours, its] = Channel::pair();
    if (!ours || !is_work(static_cast<uint64_t>(work)))
        return {};
    if (broker().channel) {
        give_order(packed(Order::kStart).word(static_cast<uint64_t>(work)).word(uid).word(gid), its.get());
        return std::move(ours);
    }
    // Twice, so that nobody has to wait for it.
    const pid_t child = fork();
    if (child == 0) {
        if (const pid_t grandchild = fork(); grandchild == 0)
            work_apart(work, uid, gid, its.get(), 0);
        _exit(0);
    }
    if (child < 0)
        return {};
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {}
    return std::move(ours);
}

void tell_broker_of_output(const std::string& beside, const std::string& target)
{
    give_order(packed(Order::kOutput).text(beside).text(target));
}

void give_up_privileges(uint64_t kept)
{
    give_order(packed(Order::kSeal));
    keep_capabilities(kept);
}

int rename_output(const std::string& beside, const std::string& target)
{
    if (!rename(beside.c_str(), target.c_str()))
        return 0;
    const int error = errno;
    return is_refusal(error) ? ask(packed(Order::kRename).text(beside).text(target)).value_or(error) : error;
}

int unlink_output(const std::string& path)
{
    if (!unlink(path.c_str()))
        return 0;
    const int error = errno;
    return is_refusal(error) ? ask(packed(Order::kUnlink).text(path)).value_or(error) : error;
}

Descriptor measure_programs()
{
    bpf_attr attributes{};
    attributes.enable_stats.type = BPF_STATS_RUN_TIME;
    Descriptor measuring(static_cast<int>(syscall(SYS_bpf, BPF_ENABLE_STATS, &attributes, sizeof(attributes))));
    if (!measuring)
        ask(packed(Order::kMeasure), &measuring);
    return measuring;
}

}  // namespace epaudit
