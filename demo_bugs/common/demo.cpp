#include "common/demo.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

namespace demo {
namespace {

// A demo that does not end by itself is killed this long after its time.
constexpr int kGraceSeconds = 5;
constexpr int kMaxSeconds = 3600;

[[noreturn]] void usage(const char* program)
{
    fprintf(stderr, "usage: %s [--seconds N]   (1 <= N <= %d)\n", program, kMaxSeconds);
    exit(2);
}

sockaddr_in loopback(int port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    return address;
}

}  // namespace

void die(const char* what)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_name, what, strerror(errno));
    exit(1);
}

int check(int result, const char* what)
{
    if (result < 0)
        die(what);
    return result;
}

Deadline::Deadline(int seconds) : end_(std::chrono::steady_clock::now() + std::chrono::seconds(seconds)) {}

bool Deadline::passed() const { return std::chrono::steady_clock::now() >= end_; }

int Deadline::remaining_ms() const
{
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now());
    return std::max(1, static_cast<int>(left.count()));
}

Client::Client(int port, Deadline deadline, std::string ready_file)
    : port_(port), deadline_(deadline), ready_file_(std::move(ready_file))
{
}

int Client::connect() const
{
    const int fd = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "client: socket");
    const sockaddr_in address = loopback(port_);
    check(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "client: connect");
    return fd;
}

void Client::send(int fd, std::string_view bytes) const
{
    while (!bytes.empty()) {
        const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n < 0)
            die("client: send");
        bytes.remove_prefix(static_cast<size_t>(n));
    }
}

std::string Client::receive(int fd, int timeout_ms) const
{
    pollfd entry{fd, POLLIN, 0};
    const int limit = deadline_.remaining_ms();
    if (check(poll(&entry, 1, timeout_ms < 0 ? limit : std::min(timeout_ms, limit)), "client: poll") == 0) {
        return {};
    }
    char buffer[4096];
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : std::string();
}

void Client::receive_all(const std::vector<int>& fds) const
{
    std::vector<pollfd> entries;
    for (const int fd : fds)
        entries.push_back({fd, POLLIN, 0});
    while (running()) {
        check(poll(entries.data(), entries.size(), deadline_.remaining_ms()), "client: poll");
        for (pollfd& entry : entries) {
            // A negative fd is skipped by poll: the server has closed this one.
            if (entry.revents != 0 && receive(entry.fd, 0).empty())
                entry.fd = -1;
        }
    }
}

void Client::close(int fd) const { check(::close(fd), "client: close"); }

void Client::half_close(int fd) const { check(shutdown(fd, SHUT_WR), "client: shutdown"); }

void Client::reset(int fd) const
{
    const linger at_once{1, 0};
    check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), "client: SO_LINGER");
    close(fd);
}

void Client::pause(int milliseconds) const
{
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(milliseconds, deadline_.remaining_ms())));
}

void Client::ready()
{
    if (ready_file_.empty())
        return;
    // Renamed into place: whoever waits for the file never sees it half written.
    const std::string unfinished = ready_file_ + ".tmp";
    FILE* file = fopen(unfinished.c_str(), "we");
    if (file == nullptr)
        die(unfinished.c_str());
    fprintf(file, "%d\n", static_cast<int>(getppid()));
    if (fclose(file) != 0)
        die(unfinished.c_str());
    check(rename(unfinished.c_str(), ready_file_.c_str()), ready_file_.c_str());
    ready_file_.clear();
}

Run::Options Run::parse(int argc, char** argv, int default_seconds)
{
    Options options{default_seconds, ""};
    for (int i = 1; i < argc; i += 2) {
        const std::string_view name = argv[i];
        if (i + 1 == argc)
            usage(argv[0]);
        if (name == "--seconds") {
            char* end = nullptr;
            const long seconds = strtol(argv[i + 1], &end, 10);
            if (*end != '\0' || seconds < 1 || seconds > kMaxSeconds)
                usage(argv[0]);
            options.seconds = static_cast<int>(seconds);
        } else if (name == "--ready-file") {
            options.ready_file = argv[i + 1];
        } else {
            usage(argv[0]);
        }
    }
    return options;
}

Run::Run(int argc, char** argv, int default_seconds)
    : options_(parse(argc, argv, default_seconds)), deadline_(options_.seconds)
{
    alarm(static_cast<unsigned>(options_.seconds + kGraceSeconds));
}

Run::~Run() { finish(); }

int Run::listen() { return open_listener(false); }

int Run::listen_reuseport() { return open_listener(true); }

int Run::open_listener(bool shared_port)
{
    listener_ = check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    const int on = 1;
    if (shared_port)
        check(setsockopt(listener_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), "SO_REUSEPORT");
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    check(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), "bind");
    check(::listen(listener_, SOMAXCONN), "listen");
    check(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    port_ = ntohs(address.sin_port);
    fprintf(stderr, "listening on 127.0.0.1:%d for %d s\n", port_, options_.seconds);
    return listener_;
}

void Run::start_client(void (*drive)(Client&))
{
    const pid_t server = getpid();
    client_ = check(fork(), "fork");
    if (client_ != 0)
        return;

    check(prctl(PR_SET_PDEATHSIG, SIGKILL), "client: prctl");
    if (getppid() != server)
        _exit(0);  // the server was gone before prctl
    ::close(listener_);
    Client client(port_, deadline_, options_.ready_file);
    drive(client);
    _exit(0);
}

int Run::finish()
{
    if (client_ <= 0)
        return 0;
    kill(client_, SIGKILL);
    int status = 0;
    check(waitpid(client_, &status, 0), "waitpid");
    client_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

}  // namespace demo
