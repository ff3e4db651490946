// SPDX-License-Identifier: Apache-2.0
// A large server: epolls with very many registrations of as many files; on the first very many threads wait, and it is
// told of something all the time. (Several, because descriptors may be limited; in the others nobody asks for anything.)
// It measures how long a return of epoll_wait() takes after the event: the time from the write to the first
// instruction behind the wait. Each line on standard input is a question; the answer is what was measured since the last:
//
//   EVENTS MEDIAN 99.9-PERCENTILE LONGEST         (the last three in microseconds)
#include <sys/eventfd.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/live/sockets.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPause = std::chrono::microseconds(500);

std::mutex mutex;                   // guards all below
std::vector<double> microseconds;   // measured since the last question
std::vector<Clock::time_point> at;  // when an event was sent; by place in `events`

int epoll_of(const std::vector<int>& events, uint32_t mask)
{
    const int epoll = new_epoll();
    for (size_t i = 0; i < events.size(); i++) {
        epoll_event want{};
        want.events = mask;
        want.data.u32 = static_cast<uint32_t>(i);
        must(epoll_ctl(epoll, EPOLL_CTL_ADD, events[i], &want), "epoll_ctl");
    }
    return epoll;
}

void serve(int epoll, const std::vector<int>& events)
{
    for (;;) {
        epoll_event got{};
        if (epoll_wait(epoll, &got, 1, -1) != 1)
            continue;
        const auto now = Clock::now();
        uint64_t count = 0;
        must(read(events[got.data.u32], &count, sizeof(count)), "read");
        std::lock_guard lock(mutex);
        microseconds.push_back(std::chrono::duration<double, std::micro>(now - at[got.data.u32]).count());
    }
}

void tell(const std::vector<int>& events)
{
    for (size_t i = 0;; i = (i + 1) % events.size()) {
        {
            std::lock_guard lock(mutex);
            at[i] = Clock::now();
        }
        const uint64_t one = 1;
        must(write(events[i], &one, sizeof(one)), "write");
        std::this_thread::sleep_for(kPause);  // this is the load
    }
}

void answer()
{
    std::lock_guard lock(mutex);
    std::sort(microseconds.begin(), microseconds.end());
    const size_t count = microseconds.size();
    auto part = [&](double share) { return microseconds[static_cast<size_t>(static_cast<double>(count - 1) * share)]; };
    if (count)
        printf("%zu %.0f %.0f %.0f\n", count, part(0.5), part(0.999), part(1));
    else
        printf("0 0 0 0\n");
    fflush(stdout);
    microseconds.clear();
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: scale FILES EPOLLS THREADS\n");
        return 2;
    }
    std::vector<int> events(std::strtoul(argv[1], nullptr, 10));
    for (int& event : events)
        event = must(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
    at.resize(events.size());
    const int epoll = epoll_of(events, EPOLLIN | EPOLLET);
    for (unsigned long i = 1; i < std::strtoul(argv[2], nullptr, 10); i++)
        epoll_of(events, 0);
    for (unsigned long i = 0; i < std::strtoul(argv[3], nullptr, 10); i++)
        std::thread(serve, epoll, std::cref(events)).detach();
    std::thread(tell, std::cref(events)).detach();
    for (char line[16]; fgets(line, sizeof(line), stdin);)
        answer();
    _exit(0);
}
