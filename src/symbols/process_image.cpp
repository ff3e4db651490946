// SPDX-License-Identifier: Apache-2.0
// The map of a process; what is in its files, the symbols child says.
#include "src/symbols/process_image.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>

#include "src/support/clock.h"
#include "src/support/proc.h"
#include "src/symbols/mapped_files.h"
#include "src/symbols/module_files.h"
#include "src/symbols/perf_map_file.h"
#include "src/symbols/python_code.h"
#include "src/symbols/symbols_child.h"

namespace epaudit {
namespace {

// A child may end over what another process has made; over that of one process it does so twice at most.
constexpr unsigned kMostDeaths = 2;
// Run-times map more code as they go, and then the map is read again; but an address may be one of no code at all, and a map
// may be long: so much at once, and no more than this share of the time.
constexpr uint64_t kFreeReadingNs = 50000000;
constexpr uint64_t kShareOfReading = 20;

// In ticks since boot; 0 when it is gone.
uint64_t start_time(uint32_t pid)
{
    const auto stat = read_proc_stat(pid);
    return stat ? stat->started_ticks : 0;
}

}  // namespace

ProcessUser user_of_process(uint32_t pid)
{
    ProcessUser user{kNobody, kNobody};
    const std::string status = read_proc_file(fmt::format("/proc/{}/status", pid));
    auto effective = [&](const char* name, uint32_t& id) {
        unsigned real = 0, own = 0;
        const size_t at = status.find(name);
        if (at != std::string::npos && sscanf(status.c_str() + at, "%*s %u %u", &real, &own) == 2)
            id = own;
    };
    effective("\nUid:", user.uid);
    effective("\nGid:", user.gid);
    if (user.uid == 0)
        user = {kNobody, kNobody};
    return user;
}

struct ProcessImage::Impl : ModuleFiles {
    explicit Impl(uint32_t process) : pid(process), files(process) {}

    uint32_t pid;
    uint64_t started = 0;  // by /proc/PID/stat; with the executable's inode it tells processes and programs apart
    dev_t device = 0;
    ino_t inode = 0;
    MappedFiles files;
    uint64_t read_took = 0;  // ns, in all
    uint64_t opened_at = monotonic_ns();
    std::shared_ptr<SymbolsChild> child;  // that knows the map
    uint64_t number = 0;                  // by which it does
    unsigned deaths = 0;                  // of children, over this image
    int not_that_user = 0;                // errno of those that could not become `user`
    ProcessUser user{};
    std::map<uint64_t, std::vector<Frame>> known;  // by address looked up
    std::optional<PythonCode> python;              // once its interpreter is known

    int read_map()
    {
        const uint64_t began = monotonic_ns();
        const int error = files.read();
        read_took += monotonic_ns() - began;
        return error;
    }

    // False: it cannot be, or was read often enough.
    bool read_map_again()
    {
        return read_took <= kFreeReadingNs + (monotonic_ns() - opened_at) / kShareOfReading && read_map() == 0;
    }

    // What the child asks for.
    Descriptor open(uint64_t base, std::string& path) override { return files.open(base, path); }
    Descriptor root() override { return files.root(); }
    Descriptor perf_map() override { return open_perf_map(pid); }
    std::string maps() override { return read_map_again() ? files.text() : std::string(); }
    bool read_code(uint64_t address, void* into, size_t size) override { return files.read_code(address, into, size); }

    // A child that knows the map as it is; nothing: there is none to be had.
    bool find_child()
    {
        if (child && child->alive())
            return true;
        static uint64_t numbers = 0;
        child = deaths < kMostDeaths ? SymbolsChild::of_user(user.uid, user.gid) : nullptr;
        number = ++numbers;
        return tell(child && child->set_map(number, pid, files.text()));
    }

    bool tell(bool answered)
    {
        deaths += !answered;
        if (!answered && child && child->not_that_user())
            not_that_user = child->not_that_user();
        return answered;
    }

    // Asked twice, of two children: the first may have ended over what it did for another.
    template <typename Ask>
    void ask(Ask question)
    {
        for (unsigned i = 0; i < kMostDeaths; i++)
            if (find_child() && tell(question(*child)))
                return;
    }
};

ProcessImage::ProcessImage(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ProcessImage::~ProcessImage()
{
    if (impl_->child)
        impl_->child->forget(impl_->number);
}

std::unique_ptr<ProcessImage> ProcessImage::open(uint32_t pid, int& why)
{
    pid = living_thread(pid);
    auto impl = std::make_unique<Impl>(pid);
    impl->started = start_time(pid);
    struct stat exe {};
    if (stat(fmt::format("/proc/{}/exe", pid).c_str(), &exe)) {
        why = errno;
        return nullptr;
    }
    impl->device = exe.st_dev;
    impl->inode = exe.st_ino;
    impl->user = user_of_process(pid);
    why = impl->read_map();
    if (why)
        return nullptr;
    return std::unique_ptr<ProcessImage>(new ProcessImage(std::move(impl)));
}

bool ProcessImage::current() const
{
    struct stat exe {};
    return !stat(fmt::format("/proc/{}/exe", impl_->pid).c_str(), &exe) && exe.st_dev == impl_->device &&
           exe.st_ino == impl_->inode && start_time(impl_->pid) == impl_->started;
}

bool ProcessImage::given_up() const { return impl_->deaths >= kMostDeaths; }

int ProcessImage::not_that_user() const { return impl_->not_that_user; }

std::vector<CodeAddress> ProcessImage::unwind(const StackSlice& slice)
{
    Impl& impl = *impl_;
    // Libraries may have been loaded, and code made, since.
    if (!impl.files.code().find(slice.pc) && impl.read_map_again() && impl.child && impl.child->alive())
        impl.tell(impl.child->set_map(impl.number, impl.pid, impl.files.text()));
    std::vector<CodeAddress> addresses;
    impl.ask([&](SymbolsChild& child) { return child.unwind(impl.number, slice, impl, addresses); });
    if (addresses.empty())
        addresses.push_back({slice.pc, true});
    if (!slice.python.empty())
        name_python(slice, addresses);
    return addresses;
}

const python_offsets* ProcessImage::python()
{
    Impl& impl = *impl_;
    if (impl.python)
        return &impl.python->layout().probe;
    // A program of that name may have its interpreter in a library, which is mapped a moment later.
    if (impl.read_map_again() && impl.child && impl.child->alive())
        impl.tell(impl.child->set_map(impl.number, impl.pid, impl.files.text()));
    if (impl.files.code().python()) {
        std::optional<PythonInterpreter> found;
        impl.ask([&](SymbolsChild& child) { return child.python(impl.number, impl, found); });
        if (const auto layout = found ? python_layout(*found) : std::nullopt)
            impl.python.emplace(*layout);
    }
    return impl.python ? &impl.python->layout().probe : nullptr;
}

// Each call of the interpreter gives way to the Python frames that it runs. Its own frame is not always found (it may have none
// where a compiler made it a part of its caller); what is left over belongs further out.
void ProcessImage::name_python(const StackSlice& slice, std::vector<CodeAddress>& addresses)
{
    if (!python())
        return;
    const ReadMemory read = [&](uint64_t address, void* into, size_t size) {
        return impl_->files.read_memory(address, into, size);
    };
    std::vector<CodeAddress> merged;
    size_t next = 0;
    auto take_one = [&] {
        const python_frame& frame = slice.python[next++];
        if (std::optional<Frame> named = impl_->python->frame_of(frame, read))
            merged.push_back({0, true, false, std::make_shared<const Frame>(std::move(*named))});
        return (frame.code & 1) == 0 && next < slice.python.size();
    };
    for (CodeAddress& address : addresses) {
        if (address.named && address.named->file.ends_with(".py"))
            continue;  // python -X perf has a function for each, by its perf map
        if (!impl_->python->layout().in_eval(address.pc - (address.exact ? 0 : 1)) || next == slice.python.size()) {
            merged.push_back(std::move(address));
            continue;
        }
        while (take_one())
            ;
    }
    while (next < slice.python.size())
        take_one();
    addresses = std::move(merged);
}

std::vector<Frame> ProcessImage::symbolise(const std::vector<CodeAddress>& addresses)
{
    std::vector<Frame> frames;
    for (const CodeAddress& address : addresses) {
        if (address.named) {
            frames.push_back(*address.named);
            frames.back().guessed = address.guessed;
            continue;
        }
        const uint64_t at = address.pc - (address.exact ? 0 : 1);
        const auto place = impl_->known.try_emplace(at);
        std::vector<Frame>& known = place.first->second;
        if (place.second)
            impl_->ask([&](SymbolsChild& child) { return child.symbolise(impl_->number, address, *impl_, known); });
        if (known.empty()) {
            known.emplace_back();
            known.back().offset = at;
        }
        for (const Frame& frame : known) {
            frames.push_back(frame);
            frames.back().guessed = address.guessed;
        }
    }
    return frames;
}

bool ProcessImage::name_late(std::vector<CodeAddress>& addresses)
{
    bool more = false;
    impl_->ask([&](SymbolsChild& child) { return child.name_late(impl_->number, *impl_, addresses, more); });
    return more;
}

std::string ProcessImage::hint(const std::vector<Frame>& frames) const
{
    return missing_names(impl_->files.code().runtime(), frames);
}

}  // namespace epaudit
