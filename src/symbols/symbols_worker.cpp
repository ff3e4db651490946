// SPDX-License-Identifier: Apache-2.0
// The side that answers: the child itself. What it reads may crash it or take it over; nothing is trusted of it.
#include <fmt/format.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>

#include "src/support/apart.h"
#include "src/symbols/build_id.h"
#include "src/symbols/image_impl.h"
#include "src/symbols/symbols_child.h"
#include "src/symbols/symbols_filter.h"
#include "src/symbols/symbols_wire.h"

namespace epaudit {
namespace {

constexpr uint64_t kGiB = 1 << 30;
// Of processor time in all: what is taken over does not run for ever, and an honest child of weeks is made anew.
constexpr rlim_t kSeconds = 600;

uint64_t cpu_ns()
{
    timespec used{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<uint64_t>(used.tv_sec) * 1000000000 + static_cast<uint64_t>(used.tv_nsec);
}

uint64_t quarter_of_memory()
{
    const long pages = sysconf(_SC_PHYS_PAGES);
    const uint64_t all = pages > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
    return std::clamp(all / 4, kGiB, 8 * kGiB);
}

uint64_t own_address_space()
{
    uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

void set_limit(__rlimit_resource what, rlim_t most)
{
    const rlimit limit{most, most};
    setrlimit(what, &limit);
}

// Of an answer. Longer names are cut.
void pack(Packer& answer, const CodeAddress& address)
{
    answer.word(address.pc).word(address.exact).word(address.guessed).word(address.named != nullptr);
    if (address.named)
        pack(answer, *address.named);
}

class SymbolsWorker : public ModuleFiles {
public:
    explicit SymbolsWorker(Channel channel) : channel_(std::move(channel)) {}

    // What the kernel is to see to, before the filter refuses to change it.
    bool take_limits()
    {
        std::string message;
        if (!channel_.receive(message, nullptr, kLongestQuestion))
            return false;
        Unpacker words(message);
        seconds_ = static_cast<unsigned>(words.word());
        const uint64_t memory = words.word();
        set_limit(RLIMIT_AS, own_address_space() + (memory ? memory : quarter_of_memory()));
        set_limit(RLIMIT_CPU, kSeconds);
        set_limit(RLIMIT_FSIZE, 0);
        return words.ok();
    }

    void serve()
    {
        std::string message;
        Descriptor file;
        while (channel_.receive(message, &file, kLongestQuestion)) {
            alarm(seconds_);  // its default action ends us
            Unpacker words(message);
            if (!answer(static_cast<Question>(words.word()), words, file) || !words.ok())
                return;
            file.reset();
            alarm(0);
        }
    }

    Descriptor root() override
    {
        std::string ignored;
        return open(kRootDirectory, ignored);
    }

    Descriptor open(uint64_t base, std::string& path) override
    {
        Descriptor file;
        path = need(packed(Reply::kNeedFile).word(base), &file);
        return file;
    }

    Descriptor perf_map() override
    {
        std::string ignored;
        return open(kPerfMap, ignored);
    }

    bool read_code(uint64_t address, void* into, size_t size) override
    {
        const std::string code = need(packed(Reply::kNeedCode).word(address).word(size), nullptr);
        if (!size || code.size() != size)
            return false;
        memcpy(into, code.data(), size);
        return true;
    }

    std::string maps() override { return need(packed(Reply::kNeedMap), nullptr); }

private:
    static Packer packed(Reply reply) { return Packer().word(static_cast<uint64_t>(reply)); }

    // Of whoever asked us, for his question.
    std::string need(const Packer& what, Descriptor* file)
    {
        std::string message;
        if (!channel_.send(what.bytes()) || !channel_.receive(message, file, kLongestQuestion))
            _exit(1);
        Unpacker words(message);
        words.word();
        return std::string(words.text());
    }

    Packer done() const { return Packer().word(static_cast<uint64_t>(Reply::kDone)).word(cpu_ns()); }

    bool answer(Question question, Unpacker& words, const Descriptor& file)
    {
        switch (question) {
        case Question::kMap: {
            const uint64_t image = words.word();
            const auto pid = static_cast<uint32_t>(words.word());
            auto [at, fresh] = maps_.try_emplace(image);
            if (fresh)
                at->second = std::make_unique<ModuleMap>(pid, *this);
            at->second->read(std::string(words.text()));
            return channel_.send(done().bytes());
        }
        case Question::kUnwind: return unwind(words);
        case Question::kSymbolise: return symbolise(words);
        case Question::kNameLate: return name_late(words);
        case Question::kBuildId: return channel_.send(done().text(build_id_of(file.get())).bytes());
        case Question::kPython: return python(words);
        case Question::kForget: maps_.erase(words.word()); return channel_.send(done().bytes());
        }
        return false;
    }

    ModuleMap* map(Unpacker& words)
    {
        auto at = maps_.find(words.word());
        return at == maps_.end() ? nullptr : at->second.get();
    }

    bool unwind(Unpacker& words)
    {
        ModuleMap* known = map(words);
        StackSlice slice;
        slice.pid = static_cast<uint32_t>(words.word());
        slice.pc = words.word();
        slice.start = words.word();
        for (uint64_t& value : slice.registers)
            value = words.word();
        const std::string_view bytes = words.text();
        slice.bytes.assign(bytes.begin(), bytes.end());
        const auto addresses = known ? known->unwind(slice) : std::vector<CodeAddress>();
        Packer answer = done().word(addresses.size());
        for (const CodeAddress& one : addresses)
            pack(answer, one);
        return channel_.send(answer.bytes());
    }

    bool symbolise(Unpacker& words)
    {
        ModuleMap* known = map(words);
        const uint64_t pc = words.word();
        const bool exact = words.word() != 0;
        const auto frames = known ? known->frames_of({pc, exact, false}) : std::vector<Frame>();
        Packer answer = done().word(frames.size());
        for (const Frame& frame : frames)
            pack(answer, frame);
        return channel_.send(answer.bytes());
    }

    bool python(Unpacker& words)
    {
        ModuleMap* known = map(words);
        const auto found = known ? known->python() : std::nullopt;
        Packer answer = done().word(found.has_value());
        if (found)
            pack(answer, *found);
        return channel_.send(answer.bytes());
    }

    bool name_late(Unpacker& words)
    {
        ModuleMap* known = map(words);
        std::vector<CodeAddress> addresses;
        for (uint64_t left = words.count(2 * sizeof(uint64_t)); left; left--) {
            const uint64_t pc = words.word();
            addresses.push_back({pc, words.word() != 0, false});
        }
        if (known)
            known->name_made_code(addresses);
        Packer answer = done();
        for (const CodeAddress& one : addresses) {
            answer.word(one.named != nullptr);
            if (one.named)
                pack(answer, *one.named);
        }
        return channel_.send(answer.bytes());
    }

    Channel channel_;
    unsigned seconds_ = 0;
    std::map<uint64_t, std::unique_ptr<ModuleMap>> maps_;
};

void work(Channel channel)
{
    SymbolsWorker worker(std::move(channel));
    if (worker.take_limits() && filter_system_calls())
        worker.serve();
}

}  // namespace

Worker symbols_worker() { return work; }

}  // namespace epaudit
