// What every demo server needs and no demo is about: options, a deadline, a listener on the
// loopback, and a forked client that drives the server. In: argv. Out: the exit status.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace demo {

// Ends the process with "what: reason".
[[noreturn]] void die(const char* what);

// Passes the result of a system call through, or ends the process if it failed.
int check(int result, const char* what);

class Deadline {
public:
    explicit Deadline(int seconds);
    bool passed() const;
    // A timeout for epoll_wait or poll; never 0, so that the last millisecond is not a busy loop.
    int remaining_ms() const;

private:
    std::chrono::steady_clock::time_point end_;
};

// The peers of the server. They live in one child process, use blocking sockets and poll, and
// never epoll, so that whatever is found is the server's doing.
class Client {
public:
    Client(int port, Deadline deadline, std::string ready_file);

    bool running() const { return !deadline_.passed(); }
    int connect() const;
    void send(int fd, std::string_view bytes) const;
    // What arrives within the time (a negative one: until the deadline); empty if nothing came or
    // the server has closed.
    std::string receive(int fd, int timeout_ms = -1) const;
    // Reads and forgets whatever arrives on any of them until the deadline.
    void receive_all(const std::vector<int>& fds) const;
    void close(int fd) const;
    void half_close(int fd) const;  // sends FIN, goes on reading
    void reset(int fd) const;       // closes with RST instead of FIN
    void pause(int milliseconds) const;
    // From here on the server is being driven. Writes the server's pid to --ready-file, once.
    void ready();

private:
    int port_;
    Deadline deadline_;
    std::string ready_file_;
};

// One run of a demo. Order matters: listen(), start_client(), and only then epoll_create1(), so
// that the client holds neither the server's epoll nor its connections.
class Run {
public:
    Run(int argc, char** argv, int default_seconds = 5);
    ~Run();
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    const Deadline& deadline() const { return deadline_; }
    int listen();            // non-blocking, 127.0.0.1, a free port
    int listen_reuseport();  // the same; others may bind to that port too
    void start_client(void (*drive)(Client&));
    // Ends and reaps the client. The exit status of the demo: not 0 if the client failed.
    int finish();

private:
    struct Options {
        int seconds;
        std::string ready_file;
    };
    static Options parse(int argc, char** argv, int default_seconds);
    int open_listener(bool shared_port);

    Options options_;
    Deadline deadline_;
    int listener_ = -1;
    int port_ = 0;
    pid_t client_ = -1;
};

}  // namespace demo
