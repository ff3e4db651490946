// SPDX-License-Identifier: Apache-2.0
// Any file at all, mapped as code by a program. The child that reads it may end over it: whoever asked must not, nor wait
// without bound, nor believe what is longer than it may be. An error that a sanitizer sees in the child is one all the same.
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "src/support/channel.h"
#include "src/symbols/mapped_files.h"
#include "src/symbols/symbols_child.h"
#include "src/symbols/symbols_wire.h"

using namespace epaudit;

namespace {

constexpr uint64_t kBase = 0x400000;
constexpr const char* kMap =
    "00400000-00500000 r-xp 00000000 00:01 7                          /program\n00600000-00601000 r-xp 00000000 00:00 "
    "0 \n";
constexpr uint64_t kMadeCode = 0x600010;

// The same bytes are its code, and the names that it gives to code.
class Files : public ModuleFiles {
public:
    Files(int file, const uint8_t* data, size_t size) : file_(file), data_(data), size_(size) {}
    Descriptor open(uint64_t base, std::string& path) override
    {
        if (base != kBase)
            abort();
        path = "/program";
        return perf_map();
    }
    Descriptor root() override { return {}; }
    Descriptor perf_map() override { return Descriptor(fcntl(file_, F_DUPFD_CLOEXEC, 3)); }
    bool read_code(uint64_t, void* into, size_t size) override
    {
        if (size > kMostCodeBytes)
            abort();
        if (size > size_)
            return false;
        memcpy(into, data_, size);
        return true;
    }
    std::string maps() override { return kMap; }

private:
    int file_;
    const uint8_t* data_;
    size_t size_;
};

// What the child's sanitizers have seen, where both of us see it.
volatile int* seen = nullptr;

// False: the child has ended.
bool as_a_program(const uint8_t* data, size_t size)
{
    static uint64_t image = 0;
    const Descriptor file(memfd_create("program", MFD_CLOEXEC));
    if (!file || write(file.get(), data, size) != static_cast<ssize_t>(size))
        abort();
    auto child = SymbolsChild::of_user(65534, 65534);
    if (!child || !child->set_map(++image, 1, kMap))
        return false;
    Files files(file.get(), data, size);
    StackSlice slice;
    slice.pid = 1;
    slice.pc = kBase + 0x1000;
    slice.registers.fill(slice.start);
    slice.bytes.assign(512, 0x41);
    std::vector<CodeAddress> addresses;
    std::vector<Frame> frames;
    std::string hex;
    if (!child->unwind(image, slice, files, addresses))
        return false;
    for (uint64_t offset : {0x40ULL, 0x1000ULL, 0x1139ULL})
        if (!child->symbolise(image, {kBase + offset, true}, files, frames))
            return false;
    bool more = false;
    addresses.push_back({kMadeCode, true});
    if (!child->name_late(image, files, addresses, more))
        return false;
    if (!child->build_id(file.get(), hex))
        return false;
    for (const Frame& frame : frames)
        if (frame.function.size() > 4096 || frame.file.size() > 4096)
            abort();
    child->forget(image);
    return child->alive();
}

// What a child says that was taken over, and a map.
void as_words(std::string_view text)
{
    Unpacker words(text);
    words.word();
    for (uint64_t left = words.count(kLeastFrameBytes); left && words.ok(); left--)
        if (unpack_frame(words).function.size() > text.size())
            abort();
    MappedFiles files(0);
    files.take(text);
    if (files.text().size() > text.size() + 1)
        abort();
}

// The counters of what was run are memory that a child has in common with us: what it reads leads the search as well.
void share_counters(char* begin, const char* end)
{
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const uintptr_t from = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
    const uintptr_t to = reinterpret_cast<uintptr_t>(end) / page * page;
    if (from < to && mmap(reinterpret_cast<void*>(from), to - from, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        abort();
}

// libFuzzer's handlers are for the process that it runs in: a child ends by its signal, and by its alarm.
void forget_handlers()
{
    for (int number : {SIGALRM, SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGXCPU, SIGXFSZ})
        signal(number, SIG_DFL);
}

}  // namespace

// Where they begin and end. In C++ these names would take the place of the compiler's own, which would count nothing then.
__asm__(
    ".pushsection .data.rel.ro, \"aw\"\n"
    ".globl counters\n"
    "counters: .quad __start___sancov_cntrs, __stop___sancov_cntrs\n"
    ".popsection\n");
extern "C" char* const counters[2];

// What the sanitizers call when they have seen an error.
extern "C" void __asan_on_error() { *seen = 1; }
extern "C" void __ubsan_on_report() { *seen = 1; }

extern "C" int LLVMFuzzerInitialize(int*, char***)
{
    seen = static_cast<int*>(mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    share_counters(counters[0], counters[1]);
    pthread_atfork(nullptr, nullptr, forget_handlers);
    set_symbol_limits({3, 512 << 20});
    // One that ends whatever it is asked would never read anything.
    if (const uint8_t nothing = 0; !as_a_program(&nothing, 1) || *seen) {
        fprintf(stderr, "the child does not live under the sanitizers\n");
        abort();
    }
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    as_words({reinterpret_cast<const char*>(data), size});
    as_a_program(data, size);
    if (*seen)
        abort();
    return 0;
}
