// SPDX-License-Identifier: Apache-2.0
// Properties of the importer: what a printer writes the parser reads back, and descriptors that are copied,
// inherited and closed in any order leave the interest lists that the kernel's rules leave.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "rules/catalogue.h"
#include "src/strace/import.h"

namespace epaudit {
namespace {

std::string pick_leader(uint32_t pid, uint64_t us)
{
    uint64_t day = us % 86400000000ULL;
    std::string of_day = fmt::format("{:02}:{:02}:{:02}.{:06}", day / 3600000000, day / 60000000 % 60,
                                     day / 1000000 % 60, day % 1000000);
    switch (*rc::gen::inRange(0, 5)) {
    case 0: return fmt::format("{} ", pid);
    case 1: return fmt::format("[pid {:5}] ", pid);
    case 2: return fmt::format("{:<5} {} ", pid, of_day);
    case 3: return fmt::format("[pid {}] {}.{:06} ", pid, us / 1000000, us % 1000000);
    default: return fmt::format("{}<{}> {}.{:06} ", pid, "a b", us / 1000000, us % 1000000);
    }
}

std::string print_event(uint32_t mask, uint64_t data)
{
    static const std::pair<uint32_t, const char*> kNames[] = {{EV_IN, "EPOLLIN"},
                                                              {EV_OUT, "EPOLLOUT"},
                                                              {EV_RDHUP, "EPOLLRDHUP"},
                                                              {EV_ET, "EPOLLET"},
                                                              {EV_ONESHOT, "EPOLLONESHOT"}};
    std::string names;
    for (const auto& [bit, name] : kNames)
        if (mask & bit)
            names += (names.empty() ? "" : "|") + std::string(name);
    if (names.empty())
        names = "0";
    switch (*rc::gen::inRange(0, 3)) {
    case 0: return fmt::format("{{{}, {{u32={}, u64={}}}}}", names, static_cast<uint32_t>(data), data);
    case 1: return fmt::format("{{events={}, data={{u32={}, u64={}}}}}", names, static_cast<uint32_t>(data), data);
    default: return fmt::format("{{events={}, data={:#x}}}", names, data);
    }
}

uint32_t any_mask()
{
    uint32_t mask = 0;
    for (uint32_t bit : {uint32_t{EV_IN}, uint32_t{EV_OUT}, uint32_t{EV_RDHUP}, EV_ET, EV_ONESHOT})
        mask |= *rc::gen::arbitrary<bool>() ? bit : 0;
    return mask;
}

RC_GTEST_PROP(StraceProperty, WhatIsPrintedIsReadBack, ())
{
    auto pid = *rc::gen::inRange<uint32_t>(1, 4194304);
    auto us = *rc::gen::inRange<uint64_t>(1'000'000'000ULL * 1000000, 2'000'000'000ULL * 1000000);
    auto fd = *rc::gen::inRange(0, 1 << 20);
    auto data = *rc::gen::arbitrary<uint64_t>();
    uint32_t mask = any_mask();
    auto duration_us = *rc::gen::inRange(0, 999999);
    auto text = *rc::gen::string<std::string>();
    std::string quoted;
    for (char c : text)  // as strace quotes
        quoted += c == '"' || c == '\\' ? fmt::format("\\{}", c)
                  : c >= ' ' && c < 127 ? std::string(1, c)
                                        : fmt::format("\\{:o}", static_cast<unsigned char>(c));
    std::string leader = pick_leader(pid, us);
    std::string printed = fmt::format("{}epoll_ctl(4, EPOLL_CTL_ADD, {}, {}) = 0 <0.{:06}>", leader, fd,
                                      print_event(mask, data), duration_us);
    LogLine line = parse_line(printed);
    RC_ASSERT(line.kind == LogLine::Kind::kCall);
    RC_ASSERT(line.pid == pid);
    RC_ASSERT(line.name == "epoll_ctl");
    Arguments arguments(line.rest);
    PrintedFd epfd, target;
    PrintedEvent event;
    PrintedResult result;
    RC_ASSERT(arguments.fd(epfd));
    RC_ASSERT(arguments.raw() == "EPOLL_CTL_ADD");
    RC_ASSERT(arguments.fd(target));
    RC_ASSERT(parse_event(arguments.raw(), event));
    RC_ASSERT(arguments.result(result));
    RC_ASSERT(target.number == fd);
    RC_ASSERT(event.events == mask);
    RC_ASSERT(event.data_known && event.data == data);
    RC_ASSERT(result.value == 0);
    RC_ASSERT(result.duration == duration_us * 1000LL);

    printed = fmt::format("{}write({}, \"{}\"..., {}) = -1 EAGAIN (Resource temporarily unavailable)", leader, fd,
                          quoted, text.size() + 1);
    line = parse_line(printed);
    Arguments write(line.rest);
    int64_t size = 0;
    RC_ASSERT(write.fd(target));
    RC_ASSERT(write.raw() == fmt::format("\"{}\"...", quoted));
    RC_ASSERT(write.number(size));
    RC_ASSERT(size == static_cast<int64_t>(text.size()) + 1);
    RC_ASSERT(write.result(result));
    RC_ASSERT(result.value == -11);
}

// The naive model: tables of numbers, sets of (file, number), the errors of epoll_ctl(2).
struct Model {
    using Item = std::pair<int, int>;  // file, number
    struct Epoll {
        std::map<Item, std::pair<uint32_t, uint64_t>> items;  // mask, data
    };
    std::map<uint32_t, std::map<int, int>> processes;  // pid -> number -> file
    std::map<int, int> references;
    std::map<int, Epoll> epolls;  // by file
    int next_file = 1;

    int free_number(uint32_t pid) const
    {
        int fd = 3;
        while (processes.at(pid).count(fd))
            fd++;
        return fd;
    }
    void put(uint32_t pid, int fd, int file)
    {
        processes[pid][fd] = file;
        references[file]++;
    }
    void drop(int file)
    {
        if (--references[file])
            return;
        for (auto& [id, epoll] : epolls)
            std::erase_if(epoll.items, [&](const auto& item) { return item.first.first == file; });
        epolls.erase(file);
    }
    void take(uint32_t pid, int fd)
    {
        auto at = processes[pid].find(fd);
        if (at == processes[pid].end())
            return;
        int file = at->second;
        processes[pid].erase(at);
        drop(file);
    }
};

class Story {
public:
    Story() : auditor_(Profile::kTest, make_rules()), log(auditor_, 65536)
    {
        model.processes[100];
        line(100, "brk(NULL) = 0x55d0c1a6f000");
    }

    void line(uint32_t pid, const std::string& call)
    {
        us_ += 100;
        std::string text = fmt::format("{} {}.{:06} {}", pid, us_ / 1000000, us_ % 1000000, call);
        told += text + "\n";
        log.line(text);
    }

    uint32_t any_process()
    {
        std::vector<uint32_t> pids;
        for (const auto& [pid, fds] : model.processes)
            pids.push_back(pid);
        return *rc::gen::elementOf(pids);
    }

    // A number that is open, or just one.
    int any_number(uint32_t pid)
    {
        std::vector<int> numbers{3, 4, 5, 6, 7, 8, 9, 10};
        for (const auto& [fd, file] : model.processes[pid])
            numbers.insert(numbers.end(), 3, fd);
        return *rc::gen::elementOf(numbers);
    }

    void step()
    {
        uint32_t pid = any_process();
        auto& fds = model.processes[pid];
        switch (*rc::gen::inRange(0, 14)) {
        case 0:
        case 1: return open(pid, false);
        case 2: return open(pid, true);
        case 3: {
            int fd = any_number(pid), to = model.free_number(pid);
            if (!fds.count(fd))
                return line(pid, fmt::format("dup({}) = -1 EBADF (Bad file descriptor)", fd));
            model.put(pid, to, fds[fd]);
            return line(pid, fmt::format("dup({}) = {}", fd, to));
        }
        case 4: {
            int fd = any_number(pid), to = any_number(pid);
            if (!fds.count(fd))
                return line(pid, fmt::format("dup2({}, {}) = -1 EBADF (Bad file descriptor)", fd, to));
            if (fd != to) {
                int file = fds[fd];
                model.take(pid, to);
                model.put(pid, to, file);
            }
            return line(pid, fmt::format("dup2({}, {}) = {}", fd, to, to));
        }
        case 5: return fork(pid);
        case 6: return leave(pid);
        case 7:
        case 8: {
            int fd = any_number(pid);
            bool good = fds.count(fd) != 0;
            model.take(pid, fd);
            return line(pid, fmt::format("close({}) = {}", fd, good ? "0" : "-1 EBADF (Bad file descriptor)"));
        }
        default: return ctl(pid);
        }
    }

    void open(uint32_t pid, bool epoll)
    {
        int fd = model.free_number(pid), file = model.next_file++;
        model.put(pid, fd, file);
        if (epoll)
            model.epolls[file];
        line(pid, epoll ? fmt::format("epoll_create1(0) = {}", fd)
                        : fmt::format("socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_IP) = {}", fd));
    }

    void fork(uint32_t pid)
    {
        if (model.processes.size() >= 4)
            return;
        uint32_t child = next_pid_++;
        auto copies = model.processes[pid];
        model.processes[child];
        for (const auto& [fd, file] : copies)
            model.put(child, fd, file);
        if (*rc::gen::arbitrary<bool>()) {  // the child is faster than its parent's return
            line(pid, "clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD <unfinished ...>");
            line(child, "getpid() = 1");
            line(pid, fmt::format("<... clone resumed>, child_tidptr=0x7f62) = {}", child));
        } else {
            line(pid, fmt::format("clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f62) = {}",
                                  child));
        }
    }

    void leave(uint32_t pid)
    {
        if (model.processes.size() < 2)
            return;
        auto fds = model.processes[pid];
        for (const auto& [fd, file] : fds)
            model.take(pid, fd);
        model.processes.erase(pid);
        line(pid, "+++ exited with 0 +++");
    }

    void ctl(uint32_t pid)
    {
        auto& fds = model.processes[pid];
        std::vector<int> epolls;
        for (const auto& [fd, file] : fds)
            if (model.epolls.count(file))
                epolls.push_back(fd);
        if (epolls.empty())
            return;
        int epfd = *rc::gen::elementOf(epolls), fd = any_number(pid);
        auto& items = model.epolls[fds[epfd]].items;
        auto open = fds.find(fd);
        if (open != fds.end() && model.epolls.count(open->second))
            return;  // nested sets: another story
        uint32_t mask = any_mask();
        uint64_t data = next_data_++;
        std::string event = print_event(mask, data);
        const char* result = "0";
        Model::Item item{open == fds.end() ? 0 : open->second, fd};
        int what = *rc::gen::inRange(0, 3);
        if (open == fds.end())
            result = "-1 EBADF (Bad file descriptor)";
        else if (what == 0 && items.count(item))
            result = "-1 EEXIST (File exists)";
        else if (what > 0 && !items.count(item))
            result = "-1 ENOENT (No such file or directory)";
        else if (what == 2)
            items.erase(item);
        else
            items[item] = {mask, data};
        const char* names[] = {"EPOLL_CTL_ADD", "EPOLL_CTL_MOD", "EPOLL_CTL_DEL"};
        line(pid,
             fmt::format("epoll_ctl({}, {}, {}, {}) = {}", epfd, names[what], fd, what == 2 ? "NULL" : event, result));
    }

    void compare()
    {
        log.finish();
        Tables& tables = log.audit().tables();
        tables.snapshot(log.clock().now() + NSEC_PER_SEC);  // collects what died beside the newest registration
        for (const auto& [pid, fds] : model.processes) {
            for (const auto& [fd, file] : fds) {
                auto epoll = model.epolls.find(file);
                if (epoll == model.epolls.end())
                    continue;
                LogThread* thread = log.world().known_thread(pid);
                LogFile* known = thread ? log.world().known_file(*thread->process, fd) : nullptr;
                if (!known && epoll->second.items.empty())
                    continue;  // a child that never spoke
                RC_ASSERT(known != nullptr);
                const epoll_row* row = tables.epoll(known->id);
                RC_ASSERT((row ? row->registrations : 0U) == epoll->second.items.size());
                for (const auto& [item, wanted] : epoll->second.items) {
                    uint64_t id = tables.find_file(known->id, wanted.second);
                    const registration_row* r = tables.registration({known->id, id, item.second, 0});
                    RC_ASSERT(r != nullptr);
                    RC_ASSERT(r->mask == wanted.first);
                }
            }
        }
    }

    Model model;
    std::string told;

private:
    Auditor auditor_;
    uint64_t us_ = 1'700'000'000ULL * 1000000;
    uint32_t next_pid_ = 101;
    uint64_t next_data_ = 1 << 24;

public:
    StraceImport log;
};

RC_GTEST_PROP(StraceProperty, InterestListsAreTheKernels, ())
{
    Story story;
    auto steps = *rc::gen::inRange(1, 120);
    for (int i = 0; i < steps; i++)
        story.step();
    RC_LOG() << story.told;
    story.compare();
}

// A log may end anywhere: every prefix of it is read without harm, and none has more postings than the whole.
RC_GTEST_PROP(StraceProperty, EveryPrefixIsHarmless, ())
{
    Story story;
    for (int i = 0; i < 30; i++)
        story.step();
    auto length = *rc::gen::inRange<size_t>(0, story.told.size());
    Auditor auditor(Profile::kTest, make_rules());
    StraceImport log(auditor, 65536);
    std::string_view text = std::string_view(story.told).substr(0, length);
    while (!text.empty()) {
        size_t end = std::min(text.find('\n'), text.size());
        log.line(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    log.finish();
    story.log.finish();
    RC_ASSERT(log.lines() <= 200U);
    RC_ASSERT(log.counts().calls <= story.log.counts().calls);
}

}  // namespace
}  // namespace epaudit
