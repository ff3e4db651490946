// SPDX-License-Identifier: Apache-2.0
// What our own descriptors teach us about this kernel. An iterator reads, for each of our files, the poll
// function of its f_op; for an eventfd that we registered with epoll, the func of its wait-queue entry
// (which is ep_poll_callback); for an armed timerfd, its hrtimer's function. So nothing depends on
// kallsyms, and it works with CAP_BPF and CAP_PERFMON alone.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>

#include "src/capture/live_impl.h"
#include "src/support/descriptor.h"
#include "src/support/proc.h"

namespace epaudit {

bool read_iterator(const bpf_link* link, Sink& out, const std::function<void()>& after_each)
{
    Descriptor at(bpf_iter_create(bpf_link__fd(link)));
    if (!at)
        return false;
    // Iterators restart an element that does not fit, so much room only saves calls.
    constexpr size_t kRoom = 1 << 16;
    for (;;) {
        ssize_t got = read(at.get(), out.room(kRoom), kRoom);
        if (got == 0)
            return true;
        if (got < 0) {
            if (errno == EAGAIN || errno == EINTR)
                continue;
            return false;
        }
        out.filled(static_cast<size_t>(got));
        if (after_each)
            after_each();
    }
}

bool read_iterator(const bpf_link* link, std::string& out)
{
    TextSink text(out);
    return read_iterator(link, text);
}

Result<> choose_numbers(epaudit_bpf& skeleton)
{
    const PidNamespace own = own_pid_namespace();
    skeleton.rodata->in_container = own == PidNamespace::kContainer;
    if (skeleton.rodata->in_container)  // the filter asks for numbers that are not ours: all pass (bpf/tables.h)
        std::fill(std::begin(skeleton.bss->crowd), std::end(skeleton.bss->crowd), 1);
    if (own == PidNamespace::kNoProc)
        return observe_error("there is no /proc here", "mount -t proc proc /proc");
    if (own == PidNamespace::kOtherProc)
        return observe_error("/proc shows the processes of another pid namespace than epaudit's own",
                             "mount -t proc proc /proc (unshare --mount-proc does it)");
    return Done{};
}

namespace {

// One of each kind that we want to recognise.
struct Samples {
    Descriptor epoll{epoll_create1(EPOLL_CLOEXEC)};
    Descriptor event{eventfd(0, EFD_CLOEXEC)};
    Descriptor timer{timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
    Descriptor signal;
    Descriptor socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    Descriptor pipe_read, pipe_write;
    // Not everywhere: no inotify left for this user, no /dev/pts in a container. Such files are then of kind OTHER.
    Descriptor watch{inotify_init1(IN_CLOEXEC)};
    Descriptor process{static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0))};
    Descriptor terminal{open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)};

    // Each with what it is one of; -1: there is none.
    std::array<std::pair<int, file_kind>, 9> kinds() const
    {
        return {{{socket.get(), FILE_TCP},
                 {pipe_read.get(), FILE_PIPE},
                 {signal.get(), FILE_SIGNALFD},
                 {watch.get(), FILE_INOTIFY},
                 {process.get(), FILE_PIDFD},
                 {terminal.get(), FILE_TTY},
                 {epoll.get(), FILE_EPOLL},
                 {event.get(), FILE_EVENTFD},
                 {timer.get(), FILE_TIMERFD}}};
    }

    bool prepare()
    {
        sigset_t none;
        sigemptyset(&none);
        signal = Descriptor(signalfd(-1, &none, SFD_CLOEXEC));
        int ends[2] = {-1, -1};
        if (pipe2(ends, O_CLOEXEC) == 0) {
            pipe_read = Descriptor(ends[0]);
            pipe_write = Descriptor(ends[1]);
        }
        if (!epoll || !event || !timer || !signal || !socket || !pipe_read)
            return false;
        epoll_event want{};
        want.events = EPOLLIN;
        itimerspec far{};
        far.it_value.tv_sec = 3600; /* armed, so that its function is set on every kernel */
        return epoll_ctl(epoll.get(), EPOLL_CTL_ADD, event.get(), &want) == 0 &&
               timerfd_settime(timer.get(), 0, &far, nullptr) == 0;
    }
};

}  // namespace

Result<> learn_facts(epaudit_bpf& skeleton)
{
    Samples samples;
    if (!samples.prepare())
        return observe_error(fmt::format("cannot open sample descriptors: {}", strerror(errno)));
    Link link(bpf_program__attach_iter(skeleton.progs.on_learn, nullptr));
    std::string raw;
    if (!link || !read_iterator(link.get(), raw))
        return observe_error(fmt::format("cannot iterate over our own files: {}", strerror(errno)),
                             last_libbpf_message());
    probe_facts& facts = skeleton.bss->facts;
    for (size_t at = 0; at + sizeof(learn_record) <= raw.size(); at += sizeof(learn_record)) {
        learn_record record;
        memcpy(&record, raw.data() + at, sizeof(record));
        int fd = static_cast<int>(record.fd);
        for (const auto& [sample, kind] : samples.kinds())
            if (fd == sample)
                facts.poll[kind] = record.poll;
        if (fd == samples.event.get())
            facts.ep_poll_callback = record.callback;
        if (fd == samples.timer.get())
            facts.timerfd_tmrproc = record.function;
    }
    if (!facts.poll[FILE_TCP] || !facts.poll[FILE_EPOLL] || !facts.ep_poll_callback || !facts.timerfd_tmrproc)
        return observe_error("this kernel does not show how its epoll wait-queue entries look",
                             "please report the kernel version (uname -r)");
    return Done{};
}

}  // namespace epaudit
