// SPDX-License-Identifier: Apache-2.0
// Any file at all, mapped as code by a program. The child that reads it may end over it: whoever asked must not, nor wait
// without bound, nor believe what is longer than it may be.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

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

void as_a_program(const uint8_t* data, size_t size)
{
    static uint64_t image = 0;
    set_symbol_limits({3, 512 << 20});
    const Descriptor file(memfd_create("program", MFD_CLOEXEC));
    if (!file || write(file.get(), data, size) != static_cast<ssize_t>(size))
        return;
    auto child = SymbolsChild::of_user(65534, 65534);
    if (!child || !child->set_map(++image, 1, kMap))
        return;
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
        return;
    for (uint64_t offset : {0x40ULL, 0x1000ULL, 0x1139ULL})
        if (!child->symbolise(image, {kBase + offset, true}, files, frames))
            return;
    bool more = false;
    addresses.push_back({kMadeCode, true});
    if (!child->name_late(image, files, addresses, more))
        return;
    child->build_id(file.get(), hex);
    for (const Frame& frame : frames)
        if (frame.function.size() > 4096 || frame.file.size() > 4096)
            abort();
    child->forget(image);
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    as_words({reinterpret_cast<const char*>(data), size});
    as_a_program(data, size);
    return 0;
}
