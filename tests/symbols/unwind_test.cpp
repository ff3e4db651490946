// SPDX-License-Identifier: Apache-2.0
// Unwinding and symbolising this very process: it takes its own registers and a slice of its own stack, as the
// probes would. Built with -O2 -g -fomit-frame-pointer.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "src/evidence/place.h"
#include "src/symbols/process_image.h"
#include "src/symbols/stack_book.h"

namespace epaudit {
namespace {

constexpr size_t kPage = 4096;

// Registers and the stack from the page of the stack pointer upwards, at most `size` bytes of it.
__attribute__((noinline)) StackSlice own_slice(size_t size)
{
    ucontext_t context;
    getcontext(&context);
    StackSlice slice;
    slice.pid = static_cast<uint32_t>(getpid());
#if defined(__aarch64__)
    for (unsigned i = 0; i < 31; i++)
        slice.registers[i] = context.uc_mcontext.regs[i];
    slice.registers[31] = context.uc_mcontext.sp;
    slice.pc = context.uc_mcontext.pc;
    uint64_t sp = context.uc_mcontext.sp;
#else
    constexpr int kPlace[kDwarfRegisters] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                             REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                             REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
    for (unsigned i = 0; i < kDwarfRegisters; i++)
        slice.registers[i] = static_cast<uint64_t>(context.uc_mcontext.gregs[kPlace[i]]);
    slice.pc = slice.registers[16];
    uint64_t sp = slice.registers[7];
#endif
    slice.start = sp & ~(kPage - 1);
    slice.bytes.resize(size);
    iovec into{slice.bytes.data(), size};
    iovec from{reinterpret_cast<void*>(slice.start), size};
    // By the kernel, as the probes do it: to the sanitizer a stack is no array.
    slice.bytes.resize(static_cast<size_t>(std::max<ssize_t>(process_vm_readv(getpid(), &into, 1, &from, 1, 0), 0)));
    return slice;
}

constexpr int kCallLine = __LINE__ + 3;
__attribute__((noinline)) StackSlice called_here(size_t size)
{
    StackSlice slice = own_slice(size);
    asm volatile("" ::: "memory");  // no tail call
    return slice;
}

inline __attribute__((always_inline)) StackSlice inlined_here(size_t size) { return called_here(size); }

constexpr int kInlinedLine = __LINE__ + 3;
__attribute__((noinline)) StackSlice outermost(size_t size)
{
    StackSlice slice = inlined_here(size);
    asm volatile("" ::: "memory");
    return slice;
}

std::string describe(const std::vector<Frame>& frames)
{
    std::string text;
    for (const Frame& frame : frames)
        text += frame.function + " " + frame.file + ":" + std::to_string(frame.line) + " " + frame.module + "+" +
                std::to_string(frame.offset) + (frame.inlined ? " inlined\n" : "\n");
    return text;
}

const Frame* frame_of(const std::vector<Frame>& frames, const std::string& function)
{
    auto at = std::find_if(frames.begin(), frames.end(),
                           [&](const Frame& frame) { return frame.function.find(function) != std::string::npos; });
    return at == frames.end() ? nullptr : &*at;
}

std::unique_ptr<ProcessImage> own_image()
{
    int why = 0;
    auto image = ProcessImage::open(static_cast<uint32_t>(getpid()), why);
    EXPECT_TRUE(image) << strerror(why);
    return image;
}

TEST(Unwind, NamesCallersAndLinesWithoutFramePointers)
{
    auto image = own_image();
    ASSERT_TRUE(image);
    std::vector<Frame> frames = image->symbolise(image->unwind(outermost(2 * kPage)));
    const Frame* inner = frame_of(frames, "called_here");
    ASSERT_TRUE(inner) << describe(frames);
    EXPECT_EQ(inner->function, "epaudit::called_here") << "of an unnamed namespace";
    EXPECT_EQ(inner->line, kCallLine) << describe(frames);
    EXPECT_NE(inner->file.find("tests/symbols/unwind_test.cpp"), std::string::npos) << inner->file;
    EXPECT_FALSE(inner->inlined);
    EXPECT_FALSE(inner->module.empty());
    const Frame* outer = frame_of(frames, "outermost");
    ASSERT_TRUE(outer) << describe(frames);
    EXPECT_EQ(outer->line, kInlinedLine) << describe(frames);
}

TEST(Unwind, ShowsInlinedFunctionsBetweenTheirCallers)
{
    auto image = own_image();
    ASSERT_TRUE(image);
    std::vector<Frame> frames = image->symbolise(image->unwind(outermost(2 * kPage)));
    const Frame* inlined = frame_of(frames, "inlined_here");
    ASSERT_TRUE(inlined) << describe(frames);
    EXPECT_TRUE(inlined->inlined);
    EXPECT_EQ(frame_of(frames, "outermost"), inlined + 1) << describe(frames);
    EXPECT_EQ(inlined->offset, (inlined + 1)->offset) << "one address";
}

TEST(Unwind, ShortSliceKeepsTheInnermostFrames)
{
    auto image = own_image();
    ASSERT_TRUE(image);
    StackSlice slice = outermost(2 * kPage);
    slice.bytes.clear();
    std::vector<CodeAddress> addresses = image->unwind(slice);
    ASSERT_EQ(addresses.size(), 1u) << "nothing of the stack is known";
    EXPECT_EQ(addresses[0].pc, slice.pc);
    EXPECT_TRUE(addresses[0].exact);
}

// Run-times unmap code, and the unwinder was told of the machine by the first module of the map.
TEST(Unwind, GoesOnWhenTheFirstModuleIsGone)
{
    const int file = open("/bin/true", O_RDONLY | O_CLOEXEC);
    void* low = mmap(reinterpret_cast<void*>(0x200000), kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED_NOREPLACE,
                     file, 0);
    close(file);
    ASSERT_NE(low, MAP_FAILED);
    auto image = own_image();
    ASSERT_TRUE(image);
    EXPECT_TRUE(frame_of(image->symbolise(image->unwind(outermost(2 * kPage))), "called_here"));
    munmap(low, kPage);
    StackSlice elsewhere = outermost(kPage);
    elsewhere.pc = 0x400010;  // of no module: the map is read again
    image->unwind(elsewhere);
    for (int i = 0; i < 3; i++) {
        std::vector<Frame> frames = image->symbolise(image->unwind(outermost(2 * kPage)));
        EXPECT_TRUE(frame_of(frames, "called_here")) << describe(frames);
    }
}

TEST(Unwind, UnknownCodeIsAnAddressAndNothingElse)
{
    auto image = own_image();
    ASSERT_TRUE(image);
    std::vector<Frame> frames = image->symbolise({{16, true}});
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].function, "");
    EXPECT_EQ(frames[0].module, "");
    EXPECT_EQ(frames[0].offset, 16u);
}

TEST(Unwind, LibraryFunctionHasModuleAndOffset)
{
    auto image = own_image();
    ASSERT_TRUE(image);
    std::vector<Frame> frames = image->symbolise({{reinterpret_cast<uint64_t>(&getpid), true}});
    ASSERT_FALSE(frames.empty());
    EXPECT_NE(frames.back().module.find("libc"), std::string::npos) << describe(frames);
    EXPECT_GT(frames.back().offset, 0u);
    EXPECT_NE(frames.back().function.find("getpid"), std::string::npos) << describe(frames);
}

TEST(Unwind, NoSuchProcess)
{
    int why = 0;
    EXPECT_FALSE(ProcessImage::open(0x7ffffff0, why));
    EXPECT_EQ(why, ENOENT);
}

TEST(GuiltyFrame, IsTheInnermostOfTheProgramNotOfTheLibrary)
{
    auto image = own_image();
    ASSERT_TRUE(image);
    std::vector<CodeAddress> addresses = image->unwind(outermost(2 * kPage));
    addresses.insert(addresses.begin(), {reinterpret_cast<uint64_t>(&getpid), true});  // as if libc had made the call
    Finding finding;
    finding.stacks.push_back({"armed here", image->symbolise(addresses)});
    const Frame* guilty = guilty_frame(finding);
    ASSERT_TRUE(guilty) << describe(finding.stacks[0].frames);
    EXPECT_NE(guilty->file.find("unwind_test.cpp"), std::string::npos) << describe(finding.stacks[0].frames);
}

// --- the book -----------------------------------------------------------------------------------------

sweep_record entry_of(uint64_t file, uint64_t epoll, uint64_t site, uint64_t added_at)
{
    sweep_record entry{};
    entry.file_id = file;
    entry.key.file = file;
    entry.key.epoll = epoll;
    entry.registration.armed_site = site;
    entry.registration.added_at = added_at;
    return entry;
}

TEST(StackBook, FindsByRoleAndOwner)
{
    StackBook book;
    StackSlice slice = outermost(2 * kPage);
    book.add({StackRole::kArmed, 7, 100, 1}, slice);
    book.add({StackRole::kRead, 0x10, 100, 1}, slice);
    book.add({StackRole::kWait, 0x20, 100, 1}, slice);
    sweep_record entry = entry_of(0x10, 0x20, 7, 50);
    for (StackRole role : {StackRole::kArmed, StackRole::kRead, StackRole::kWait}) {
        const Stack* stack = book.find(role, entry);
        ASSERT_TRUE(stack) << stack_role_text(role);
        EXPECT_EQ(stack->what, stack_role_text(role));
        EXPECT_TRUE(frame_of(stack->frames, "called_here")) << describe(stack->frames);
    }
    EXPECT_FALSE(book.find(StackRole::kWrite, entry));
    EXPECT_FALSE(book.find(StackRole::kRead, entry_of(0x11, 0x20, 7, 50))) << "another file";
    EXPECT_FALSE(book.find(StackRole::kArmed, entry_of(0x10, 0x20, 0, 50))) << "armed before we attached";
    EXPECT_TRUE(book.notes().empty());
}

TEST(StackBook, StackOfAnEarlierFileAtThisAddressIsNotShown)
{
    StackBook book;
    book.add({StackRole::kRead, 0x10, 100, 1}, outermost(2 * kPage));
    EXPECT_FALSE(book.find(StackRole::kRead, entry_of(0x10, 0x20, 0, 101)));
    EXPECT_TRUE(book.find(StackRole::kRead, entry_of(0x10, 0x20, 0, 99)));
}

TEST(StackBook, ReadThatStoppedEarlyIsKnownByItsPlace)
{
    StackBook book;
    constexpr uint64_t kPlace = 0x1234567;
    book.add({StackRole::kRead, kPlace, 100, 1}, outermost(2 * kPage));
    sweep_record later = entry_of(0x10, 0x20, 0, 500);  // accepted after that place was seen for the first time
    EXPECT_FALSE(book.find(StackRole::kRead, later));
    later.registration.left_site = kPlace;
    const Stack* place = book.find(StackRole::kRead, later);
    EXPECT_TRUE(place);
    book.add({StackRole::kRead, 0x10, 600, 1}, outermost(2 * kPage));
    const Stack* own = book.find(StackRole::kRead, later);
    EXPECT_TRUE(own);
    EXPECT_NE(own, place) << "its own last read tells more";
}

TEST(StackBook, SymbolisesOnce)
{
    StackBook book;
    book.add({StackRole::kRead, 0x10, 100, 1}, outermost(2 * kPage));
    sweep_record entry = entry_of(0x10, 0x20, 0, 50);
    const Stack* first = book.find(StackRole::kRead, entry);
    EXPECT_EQ(first, book.find(StackRole::kRead, entry));
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->frames.empty());
}

TEST(StackBook, ProcessThatHasEndedIsCountedInANote)
{
    StackBook book;
    StackSlice slice = outermost(kPage);
    slice.pid = 0x7ffffff0;
    book.add({StackRole::kRead, 0x10, 100, 1}, slice);
    EXPECT_FALSE(book.find(StackRole::kRead, entry_of(0x10, 0x20, 0, 50)));
    ASSERT_EQ(book.notes().size(), 1u);
    EXPECT_NE(book.notes()[0].find("1 call stack"), std::string::npos) << book.notes()[0];
    EXPECT_NE(book.notes()[0].find("had ended"), std::string::npos) << book.notes()[0];
}

// A child that has the same code and stack, once it is asked.
pid_t sleeping_child()
{
    const pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    return child;
}

void end_child(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
}

// A server runs for weeks, and its children live for a moment.
TEST(StackBook, StacksOfProcessesThatHaveEndedGoFirst)
{
    StackBook book;
    StackSlice slice = outermost(2 * kPage);
    uint64_t now = NSEC_PER_SEC;
    book.add({StackRole::kArmed, 7, now, 1}, slice);
    for (uint64_t place = 1000; place < 11000;) {
        const pid_t child = sleeping_child();
        ASSERT_GT(child, 0);
        slice.pid = static_cast<uint32_t>(child);
        for (const uint64_t last = place + 1000; place < last; place++)
            book.add({StackRole::kArmed, place, now += NSEC_PER_SEC / 10, 1}, slice);
        end_child(child);
    }
    EXPECT_TRUE(book.find(StackRole::kArmed, entry_of(0x10, 0x20, 7, 0))) << "of a process that lives";
    EXPECT_FALSE(book.find(StackRole::kArmed, entry_of(0x10, 0x20, 1000, 0))) << "it ended a quarter of an hour ago";
    EXPECT_TRUE(book.find(StackRole::kArmed, entry_of(0x10, 0x20, 10999, 0))) << "a rule may still ask for it";
    EXPECT_LE(book.size(), 4096u);
}

}  // namespace
}  // namespace epaudit
