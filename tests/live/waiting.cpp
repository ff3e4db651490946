// SPDX-License-Identifier: Apache-2.0
// One process in which something waits: each role is a mistake, or a pause that is right and looks like one. The peer
// is the same process, by sockets that no epoll knows.
//
//   waiting end-with-data       data and FIN in one read, then parked with mask 0: the end is never learnt (EP301)
//   waiting end-under-edge      the same, a short read under EPOLLET (EP301)
//   waiting blocked-first       send() until EAGAIN, epoll_ctl(ADD) afterwards; the client half-closes and reads nothing
//   waiting chunks              chunks that each go out whole, until EPOLLOUT stops coming; the client as above
//   waiting lowat               the same with TCP_NOTSENT_LOWAT: there is room in the buffer, and no EPOLLOUT (trio)
//   waiting unix-chunks         the same over a Unix socket
//   waiting pool                told of input, mask 0, queued for a thread that is busy; the client gives up
//   waiting greeting            another thread answers, keeps the connection passive for three seconds and closes it
//   waiting wake-eventfd        ONESHOT fires once, is never re-armed, and others go on writing (EP104); wake-pipe
//   waiting dropped             a MOD refused because of EPOLLEXCLUSIVE, and the client is closed, five times (EP403)
//   waiting ghost               a duplicate keeps a closed fd registered: it is reported, and epoll_ctl(DEL) fails (EP303)
//   waiting ghost-ignored       the same, and nothing is ever done about it; ghost-child: a forked child has the duplicate
//   waiting loop-in-handler     waits in another epoll for what one client asked for, 400 ms each time, while two others ask (EP404)
//   waiting brief-loop-in-handler   the same for 20 ms
//   waiting stalls              told of one client it sleeps in recv() for good, while two others ask (EP404)
//   waiting not-polled          the same before the observation begins
//   waiting cut-before          its answer fills the buffer and is forgotten; the client reads it upon SIGUSR1 (EP105)
//   waiting left-unread         a short read under EPOLLET (EP101); left-in-backlog: one accept() under EPOLLET (EP102)
//   waiting fired               ONESHOT fired, input waits (EP104); fired-end: the client has left
//   waiting deaf                mask 0, input waits (EP106)
//   waiting hangs               in recv() on an edge-triggered socket without O_NONBLOCK (EP103)
//   waiting reads-elsewhere     the same in a thread of its own, while the loop waits
//   waiting connect-untold      EPOLLOUT is taken out before the connection stands (EP106)
//   waiting connect-told        it is taken out when it was reported, and the server is slow to greet
//   waiting no-room             answers until there is no room, and is asked again meanwhile: back-pressure
//   waiting rate-limit          every client is paused for a while after each answer
//   waiting queue-unread        a message queue is reported and never read: a spin that epaudit cannot tell from its right use
//   waiting inner-unread        an epoll in an epoll: the outer tells of the inner, and nobody asks the inner
//   waiting inner-read          the same, and the inner is asked and its pipe read, each ten milliseconds
//   waiting inner-direct        the inner is not asked, its only pipe is read at once: thousands of times per s
//   waiting raw-unread          a packet socket gets what its owner sends over loopback, and is never read
//   waiting queue-read          a message each ten milliseconds, and each is read
//   waiting in-vain             epoll_wait() of an epoll that was closed, again and again; in-vain-for-none: with maxevents 0
//   waiting brief-threads       threads that live for less than a look takes, each with an epoll of its own
#include <fcntl.h>
#include <mqueue.h>
#include <net/ethernet.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/live/roles.h"
#include "tests/live/sockets.h"

namespace {

int watched_ms = 4000;  // or the second argument
constexpr int kPassiveMs = 3000;

using Clock = std::chrono::steady_clock;

// Whoever is stopped and goes on finds itself interrupted.
int wait_for_one(int epoll, epoll_event& got, int timeout_ms)
{
    for (;;) {
        int found = epoll_wait(epoll, &got, 1, timeout_ms);
        if (found >= 0 || errno != EINTR)
            return must(found, "epoll_wait");
    }
}

epoll_event told(int epoll)
{
    epoll_event got{};
    if (wait_for_one(epoll, got, 2000) != 1) {
        fprintf(stderr, "waiting: nothing was reported\n");
        exit(3);
    }
    return got;
}

// The loop waits as a loop without timers does, for so long; a descriptor of its own ends it.
void sleep_in_loop(
    int epoll, int ms = watched_ms, const std::function<void()>& told = [] {})
{
    int end = must(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    watch(epoll, end, EPOLLIN);
    puts("waits");
    fflush(stdout);
    std::thread clock([end, ms] {
        std::this_thread::sleep_for(std::chrono::milliseconds(ms));
        uint64_t one = 1;
        if (write(end, &one, sizeof(one)) != sizeof(one))
            exit(3);
    });
    for (epoll_event got{}; got.data.fd != end;) {
        wait_for_one(epoll, got, -1);
        if (got.data.fd != end)
            told();
    }
    clock.join();
    close(end);
}

// Both ends of a TCP connection: ours does not block.
struct Pair {
    int ours = -1;
    int theirs = -1;

    explicit Pair(int small_buffers = 0)
    {
        int listener = new_listener();
        theirs = new_tcp();
        if (small_buffers)
            must(setsockopt(theirs, SOL_SOCKET, SO_RCVBUF, &small_buffers, sizeof(small_buffers)), "setsockopt");
        dial(theirs, listener);
        ours = must(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC), "accept4");
        if (small_buffers)
            must(setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &small_buffers, sizeof(small_buffers)), "setsockopt");
        close(listener);
    }

    Pair(int our_end, int their_end) : ours(our_end), theirs(their_end) {}

    void ask(std::string_view bytes = "request\n") const
    {
        must(send(theirs, bytes.data(), bytes.size(), MSG_NOSIGNAL), "send");
    }

    int take() const
    {
        char bytes[256];
        return static_cast<int>(recv(ours, bytes, sizeof(bytes), 0));
    }

    void answer(std::string_view bytes = "answer\n") const
    {
        must(send(ours, bytes.data(), bytes.size(), MSG_NOSIGNAL), "send");
    }

    void hear() const
    {
        char bytes[256];
        must(recv(theirs, bytes, sizeof(bytes), 0), "recv");
    }

    void give_up() const { must(shutdown(theirs, SHUT_WR), "shutdown"); }
};

int end_with_data(uint32_t mask, bool park)
{
    int epoll = new_epoll();
    Pair pair;
    pair.ask();
    pair.give_up();
    // The loop is busy elsewhere until both have come: poll() says so without taking anything.
    watch(epoll, pair.ours, mask);
    told(epoll);
    if (pair.take() != 8)
        return 3;
    if (park)
        arm(epoll, pair.ours, 0);
    sleep_in_loop(epoll);
    return 0;
}

// All that the socket takes, in chunks of this size; the last one only as far as there is room.
void fill(int fd, size_t chunk)
{
    std::string bytes(chunk, 'x');
    while (send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0)
        ;
    if (errno != EAGAIN)
        must(-1, "send");
}

int blocked_first()
{
    int epoll = new_epoll();
    Pair pair(4096);
    pair.ask();
    pair.take();
    fill(pair.ours, 65536);
    watch(epoll, pair.ours, EPOLLOUT);
    pair.give_up();
    sleep_in_loop(epoll);
    return 0;
}

int chunks(Pair pair)
{
    int epoll = new_epoll();
    watch(epoll, pair.ours, EPOLLIN);
    pair.ask();
    told(epoll);
    pair.take();
    arm(epoll, pair.ours, EPOLLOUT);
    std::string bytes(512, 'x');
    auto chunk = [&] {
        if (send(pair.ours, bytes.data(), bytes.size(), MSG_NOSIGNAL) != 512)
            exit(3);
    };
    epoll_event got{};
    while (wait_for_one(epoll, got, 100) == 1)
        chunk();
    pair.give_up();
    sleep_in_loop(epoll, watched_ms, chunk);  // the client's kernel may still make room for some
    return 0;
}

// What the kernel would take is far from what it asks for.
Pair with_lowat()
{
    Pair pair;
    int small = 4096;
    must(setsockopt(pair.theirs, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), "setsockopt");
    must(setsockopt(pair.ours, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &small, sizeof(small)), "setsockopt");
    return pair;
}

Pair over_unix()
{
    int ends[2];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
    must(fcntl(ends[0], F_SETFL, O_NONBLOCK), "fcntl");
    return {ends[0], ends[1]};
}

int no_room()
{
    int epoll = new_epoll();
    Pair pair(4096);
    watch(epoll, pair.ours, EPOLLIN);
    pair.ask();
    told(epoll);
    pair.take();
    arm(epoll, pair.ours, EPOLLOUT);
    told(epoll);
    fill(pair.ours, 65536);
    pair.ask();
    sleep_in_loop(epoll);
    return 0;
}

// One thread that takes the work of the loop, one piece after another.
class Worker {
public:
    ~Worker()
    {
        give(-1);
        thread_.join();
    }

    void give(int ms)
    {
        std::lock_guard lock(mutex_);
        queue_.push_back(ms);
        changed_.notify_one();
    }

private:
    void work()
    {
        for (;;) {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return !queue_.empty(); });
            int ms = queue_.front();
            queue_.erase(queue_.begin());
            lock.unlock();
            if (ms < 0)
                return;
            std::this_thread::sleep_for(std::chrono::milliseconds(ms));
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<int> queue_;
    std::thread thread_{[this] { work(); }};
};

int pool()
{
    int epoll = new_epoll();
    Pair first, second, third;
    Worker worker;
    for (const Pair* pair : {&first, &second, &third}) {
        watch(epoll, pair->ours, EPOLLIN);
        if (pair != &third)
            pair->ask();
        else
            pair->give_up();  // nothing but the end
        told(epoll);
        arm(epoll, pair->ours, 0);
        worker.give(watched_ms / 2);
        pair->give_up();
    }
    sleep_in_loop(epoll);
    return 0;
}

int greeting()
{
    int epoll = new_epoll();
    Pair pair;
    watch(epoll, pair.ours, EPOLLIN);
    pair.ask("GET / HTTP/1.1\r\n");
    told(epoll);
    std::thread scheduler([&] {
        pair.take();
        pair.answer("AMQP");
        arm(epoll, pair.ours, 0);
        pair.give_up();
        std::this_thread::sleep_for(std::chrono::milliseconds(kPassiveMs));
        close(pair.ours);
    });
    sleep_in_loop(epoll);
    scheduler.join();
    return 0;
}

// A loop that is woken once. `wake` is written to, `woken` is registered.
int wake_up(int woken, int wake, size_t bytes)
{
    int epoll = new_epoll();
    watch(epoll, woken, EPOLLIN | EPOLLONESHOT);
    std::thread others([=] {
        const std::array<uint64_t, 1> one{1};
        for (int at = 0; at < watched_ms; at += 100) {
            if (write(wake, one.data(), bytes) != static_cast<ssize_t>(bytes))
                exit(3);
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
    });
    told(epoll);
    uint64_t taken = 0;
    if (read(woken, &taken, sizeof(taken)) <= 0)
        return 3;
    sleep_in_loop(epoll);
    others.join();
    return 0;
}

int wake_eventfd()
{
    int fd = must(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    return wake_up(fd, fd, sizeof(uint64_t));
}

int wake_pipe()
{
    int ends[2];
    must(pipe2(ends, O_NONBLOCK | O_CLOEXEC), "pipe2");
    return wake_up(ends[0], ends[1], 1);
}

int dropped()
{
    int epoll = new_epoll();
    for (int i = 0; i < 5; i++) {
        Pair pair;
        watch(epoll, pair.ours, EPOLLIN | EPOLLEXCLUSIVE);
        pair.ask();
        told(epoll);
        pair.take();
        epoll_event want{};
        want.events = EPOLLOUT;
        want.data.fd = pair.ours;
        if (epoll_ctl(epoll, EPOLL_CTL_MOD, pair.ours, &want) == 0 || errno != EINVAL)
            return 3;
        close(pair.ours);
        close(pair.theirs);
    }
    sleep_in_loop(epoll, 1000);
    return 0;
}

int ghost()
{
    int epoll = new_epoll();
    Pair pair;
    int copy = must(dup(pair.ours), "dup");
    watch(epoll, pair.ours, EPOLLIN);
    must(close(pair.ours), "close");
    pair.ask();
    puts("waits");
    fflush(stdout);
    for (auto end = Clock::now() + std::chrono::milliseconds(watched_ms); Clock::now() < end;) {
        if (epoll_ctl(epoll, EPOLL_CTL_DEL, told(epoll).data.fd, nullptr) == 0 || errno != EBADF)
            return 3;
    }
    return close(copy);
}

int told_of_a_ghost(int epoll, Pair& pair)
{
    must(close(pair.ours), "close");
    pair.ask();
    puts("waits");
    fflush(stdout);
    for (auto end = Clock::now() + std::chrono::milliseconds(watched_ms); Clock::now() < end;)
        told(epoll);
    return 0;
}

int ghost_ignored()
{
    int epoll = new_epoll();
    Pair pair;
    must(dup(pair.ours), "dup");
    watch(epoll, pair.ours, EPOLLIN);
    return told_of_a_ghost(epoll, pair);
}

int ghost_child()
{
    int epoll = new_epoll();
    Pair pair;
    watch(epoll, pair.ours, EPOLLIN);
    const pid_t parent = getpid();
    if (must(fork(), "fork") == 0) {
        must(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
        close(epoll);
        if (getppid() == parent)
            pause();
        _exit(0);
    }
    return told_of_a_ghost(epoll, pair);
}

// The loop's thread does not come back from a call that a thread of ours ends.
int stalls(bool before)
{
    int epoll = new_epoll();
    Pair first, second, third, never;
    for (int fd : {first.ours, second.ours, third.ours})
        watch(epoll, fd, EPOLLIN);
    first.ask();
    int fd = told(epoll).data.fd;
    char bytes[64];
    must(recv(fd, bytes, sizeof(bytes), 0), "recv");
    second.ask();
    third.ask();
    if (before) {
        puts("waits");
        fflush(stdout);
    }
    std::thread end([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(watched_ms));
        never.ask();
    });
    fcntl(never.ours, F_SETFL, 0);
    must(recv(never.ours, bytes, sizeof(bytes), 0), "recv");
    end.join();
    return 0;
}

// What the first client asks for is waited for in a loop of its own, within the handler.
int loop_in_handler(int requests, int each_ms)
{
    int epoll = new_epoll();
    Pair first, second, third;
    for (int fd : {first.ours, second.ours, third.ours})
        watch(epoll, fd, EPOLLIN);
    for (int i = 0; i < requests; i++) {
        first.ask();
        told(epoll);
        first.take();
        second.ask();
        third.ask();
        Pair child;
        int inner = new_epoll();
        watch(inner, child.ours, EPOLLIN);
        std::thread work([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(each_ms));
            child.ask();
        });
        told(inner);
        child.take();
        work.join();
        for (int fd : {inner, child.ours, child.theirs})
            close(fd);
        for (int others = 0; others < 2; others++) {
            char bytes[64];
            must(recv(told(epoll).data.fd, bytes, sizeof(bytes), 0), "recv");
        }
    }
    return 0;
}

int cut_before()
{
    sigset_t asked;
    sigemptyset(&asked);
    sigaddset(&asked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &asked, nullptr);
    int epoll = new_epoll();
    Pair pair(4096);
    watch(epoll, pair.ours, EPOLLIN);
    pair.ask();
    told(epoll);
    pair.take();
    fill(pair.ours, 65536);
    std::thread client([&] {
        int signal = 0;
        sigwait(&asked, &signal);
        static char bytes[65536];
        while (recv(pair.theirs, bytes, sizeof(bytes), 0) > 0)
            continue;
    });
    client.detach();
    sleep_in_loop(epoll);
    _exit(0);
}

int left_unread()
{
    int epoll = new_epoll();
    Pair pair;
    watch(epoll, pair.ours, EPOLLIN | EPOLLET);
    pair.ask();
    told(epoll);
    char some[4];
    if (recv(pair.ours, some, sizeof(some), 0) != sizeof(some))
        return 3;
    sleep_in_loop(epoll);
    return 0;
}

int left_in_backlog()
{
    int epoll = new_epoll();
    int listener = new_listener();
    for (int i = 0; i < 3; i++)
        connect_to(listener);
    watch(epoll, listener, EPOLLIN | EPOLLET);
    told(epoll);
    must(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept4");
    sleep_in_loop(epoll);
    return 0;
}

int fired(bool leaves)
{
    int epoll = new_epoll();
    Pair pair;
    watch(epoll, pair.ours, EPOLLIN | EPOLLONESHOT);
    pair.ask();
    told(epoll);
    pair.take();
    if (leaves)
        pair.give_up();
    else
        pair.ask();
    sleep_in_loop(epoll);
    return 0;
}

int deaf()
{
    int epoll = new_epoll();
    Pair pair;
    watch(epoll, pair.ours, EPOLLIN);
    pair.ask();
    told(epoll);
    pair.take();
    pair.answer();
    arm(epoll, pair.ours, 0);
    pair.ask();
    sleep_in_loop(epoll);
    return 0;
}

// `elsewhere`: a thread has the socket to itself.
int hangs(bool elsewhere)
{
    int epoll = new_epoll();
    Pair pair;
    must(fcntl(pair.ours, F_SETFL, 0), "fcntl");
    watch(epoll, pair.ours, EPOLLIN | EPOLLET);
    pair.ask();
    told(epoll);
    pair.take();
    std::thread client([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(watched_ms));
        pair.ask();
    });
    std::thread loop;
    if (elsewhere)
        loop = std::thread([=] { sleep_in_loop(epoll); });
    else
        puts("waits");
    fflush(stdout);
    int got = pair.take();
    client.join();
    if (loop.joinable())
        loop.join();
    return got == 8 ? 0 : 3;
}

int connects(bool registered_before, bool wait_for_it)
{
    int epoll = new_epoll();
    int listener = new_listener();
    sockaddr_in address = address_of(listener);
    int fd = new_tcp(SOCK_NONBLOCK);
    if (registered_before)  // armed for nothing that a socket without a peer would report for ever
        watch(epoll, fd, EPOLLIN | EPOLLONESHOT);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 || errno != EINPROGRESS)
        return 3;
    if (registered_before)
        arm(epoll, fd, EPOLLIN | EPOLLOUT);
    else
        watch(epoll, fd, EPOLLIN | EPOLLOUT);
    if (wait_for_it && !(told(epoll).events & EPOLLOUT))
        return 3;
    arm(epoll, fd, EPOLLIN);
    sleep_in_loop(epoll);
    return 0;
}

// On Linux a queue is a descriptor, and epoll takes it.
int queue(bool read)
{
    const std::string name = "/epaudit-waiting-" + std::to_string(getpid());
    mq_attr limits{};
    limits.mq_maxmsg = 4;
    limits.mq_msgsize = 64;
    const mqd_t jobs = must(mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &limits), "mq_open");
    mq_unlink(name.c_str());
    const int epoll = new_epoll();
    watch(epoll, jobs, EPOLLIN);
    must(mq_send(jobs, "job", 3, 0), "mq_send");
    for (const auto end = Clock::now() + std::chrono::milliseconds(watched_ms); Clock::now() < end;) {
        epoll_event got{};
        char job[64];
        wait_for_one(epoll, got, -1);
        if (!read)
            continue;
        must(mq_receive(jobs, job, sizeof(job), nullptr), "mq_receive");
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        must(mq_send(jobs, "job", 3, 0), "mq_send");
    }
    return 0;
}

// It fails at once, and nobody looks.
int in_vain(bool closed)
{
    const int epoll = new_epoll();
    if (closed)
        close(epoll);
    for (const auto end = Clock::now() + std::chrono::milliseconds(watched_ms); Clock::now() < end;) {
        epoll_event got{};
        epoll_wait(epoll, &got, closed ? 1 : 0, -1);
    }
    return 0;
}

int brief_threads()
{
    auto live = [] {
        const int epoll = new_epoll(), counter = must(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
        watch(epoll, counter, EPOLLIN);
        for (int i = 0; i < 50; i++) {
            epoll_event got{};
            wait_for_one(epoll, got, -1);
            eventfd_t count = 0;
            must(eventfd_read(counter, &count), "eventfd_read");
            must(eventfd_write(counter, 1), "eventfd_write");
        }
        close(counter);
        close(epoll);
    };
    for (const auto end = Clock::now() + std::chrono::milliseconds(watched_ms); Clock::now() < end;) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; i++)
            threads.emplace_back(live);
        for (std::thread& one : threads)
            one.join();
    }
    return 0;
}

enum class Inner { kUnread, kAsked, kDirect };

int inner(Inner how)
{
    int ends[2];
    must(pipe2(ends, O_CLOEXEC | O_NONBLOCK), "pipe2");
    const int outer = new_epoll(), inner = new_epoll();
    watch(outer, inner, EPOLLIN);
    watch(inner, ends[0], EPOLLIN);
    must(write(ends[1], "x", 1), "write");
    for (const auto end = Clock::now() + std::chrono::milliseconds(watched_ms); Clock::now() < end;) {
        epoll_event got{};
        char byte;
        wait_for_one(outer, got, -1);
        if (how == Inner::kUnread)
            continue;
        if (how == Inner::kAsked) {
            wait_for_one(inner, got, 0);
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        must(read(ends[0], &byte, 1), "read");
        must(write(ends[1], "x", 1), "write");
    }
    return 0;
}

// AF_PACKET: of a kind that is not known.
int raw_unread()
{
    const int tap = must(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL)), "socket");
    const int epoll = new_epoll();
    watch(epoll, tap, EPOLLIN);
    const int from = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    const sockaddr_in to = loopback(9);
    must(sendto(from, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), "sendto");
    for (const auto end = Clock::now() + std::chrono::milliseconds(watched_ms); Clock::now() < end;) {
        epoll_event got{};
        wait_for_one(epoll, got, -1);
    }
    return 0;
}

int rate_limit()
{
    int epoll = new_epoll();
    Pair pair;
    watch(epoll, pair.ours, EPOLLIN);
    auto end = Clock::now() + std::chrono::milliseconds(2 * watched_ms);
    while (Clock::now() < end) {
        pair.ask();
        told(epoll);
        pair.take();
        pair.answer();
        arm(epoll, pair.ours, 0);
        pair.hear();
        pair.ask();
        epoll_event got{};
        wait_for_one(epoll, got, 1800);
        arm(epoll, pair.ours, EPOLLIN);
        told(epoll);
        pair.take();
        pair.answer();
        pair.hear();
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc > 2)
        watched_ms = atoi(argv[2]);
    const Role roles[] = {
        {"end-with-data", [] { return end_with_data(EPOLLIN, true); }},
        {"end-under-edge", [] { return end_with_data(EPOLLIN | EPOLLET, false); }},
        {"blocked-first", blocked_first},
        {"chunks", [] { return chunks(Pair(16384)); }},
        {"lowat", [] { return chunks(with_lowat()); }},
        {"unix-chunks", [] { return chunks(over_unix()); }},
        {"pool", pool},
        {"greeting", greeting},
        {"wake-eventfd", wake_eventfd},
        {"wake-pipe", wake_pipe},
        {"dropped", dropped},
        {"ghost", ghost},
        {"ghost-ignored", ghost_ignored},
        {"ghost-child", ghost_child},
        {"stalls", [] { return stalls(false); }},
        {"not-polled", [] { return stalls(true); }},
        {"loop-in-handler", [] { return loop_in_handler(8, 400); }},
        {"brief-loop-in-handler", [] { return loop_in_handler(100, 20); }},
        {"cut-before", cut_before},
        {"left-unread", left_unread},
        {"left-in-backlog", left_in_backlog},
        {"fired", [] { return fired(false); }},
        {"fired-end", [] { return fired(true); }},
        {"deaf", deaf},
        {"hangs", [] { return hangs(false); }},
        {"reads-elsewhere", [] { return hangs(true); }},
        {"connect-untold", [] { return connects(false, false); }},
        {"connect-told", [] { return connects(false, true); }},
        {"no-room", no_room},
        {"rate-limit", rate_limit},
        {"queue-unread", [] { return queue(false); }},
        {"queue-read", [] { return queue(true); }},
        {"inner-unread", [] { return inner(Inner::kUnread); }},
        {"inner-read", [] { return inner(Inner::kAsked); }},
        {"inner-direct", [] { return inner(Inner::kDirect); }},
        {"raw-unread", raw_unread},
        {"in-vain", [] { return in_vain(true); }},
        {"in-vain-for-none", [] { return in_vain(false); }},
        {"brief-threads", brief_threads},
    };
    return play_role(argv + 1, roles);
}
