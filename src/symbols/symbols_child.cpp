// SPDX-License-Identifier: Apache-2.0
// The side that asks.
#include "src/symbols/symbols_child.h"

#include <algorithm>
#include <map>

#include "src/support/apart.h"
#include "src/support/clock.h"
#include "src/symbols/symbols_wire.h"

namespace epaudit {
namespace {

constexpr int kGraceMs = 2000;  // it ends by itself when it takes too long
// A question leads to the modules and the code of one stack; one that asks on and on was taken over.
constexpr unsigned kMostNeeds = 4096;

SymbolLimits limits;
uint64_t all_cpu_ns = 0;

const bool kHasWorker = set_worker(ApartWork::kSymbols, symbols_worker());

Packer packed(Question question) { return Packer().word(static_cast<uint64_t>(question)); }

}  // namespace

void set_symbol_limits(const SymbolLimits& given) { limits = given; }

uint64_t symbols_cpu_ns() { return all_cpu_ns; }

std::shared_ptr<SymbolsChild> SymbolsChild::of_user(uid_t uid, gid_t gid)
{
    static std::map<uid_t, std::weak_ptr<SymbolsChild>> all;
    std::erase_if(all, [](const auto& known) { return known.second.expired(); });
    if (auto known = all[uid].lock(); known && known->alive())
        return known;
    auto child = std::make_shared<SymbolsChild>(kHasWorker ? start_apart(ApartWork::kSymbols, uid, gid) : Descriptor());
    all[uid] = child;
    return child->alive() ? child : nullptr;
}

SymbolsChild::SymbolsChild(Descriptor socket) : channel_(std::move(socket))
{
    const Packer words = Packer().word(static_cast<uint64_t>(limits.seconds)).word(limits.memory_bytes);
    if (channel_ && !channel_.send(words.bytes(), -1, kGraceMs))
        channel_.close();
}

SymbolsChild::~SymbolsChild() = default;

// What it needs for an answer. False: it asks for what nobody needs.
static bool give(Reply need, Unpacker& words, ModuleFiles& files, Packer& given, Descriptor& opened)
{
    auto answer = [&](Reply reply) -> Packer& { return given.word(static_cast<uint64_t>(reply)); };
    switch (need) {
    case Reply::kNeedFile: {
        std::string path;
        const uint64_t base = words.word();
        opened = base == kRootDirectory ? files.root() : base == kPerfMap ? files.perf_map() : files.open(base, path);
        answer(Reply::kFile).text(path);
        return true;
    }
    case Reply::kNeedCode: {
        char code[kMostCodeBytes];
        const uint64_t address = words.word(), size = std::min<uint64_t>(words.word(), sizeof(code));
        const bool read = files.read_code(address, code, size);
        answer(Reply::kCode).text(read ? std::string_view(code, size) : std::string_view());
        return true;
    }
    case Reply::kNeedMap: answer(Reply::kMap).text(files.maps()); return true;
    default: return false;
    }
}

bool SymbolsChild::ask(const Packer& question, int file, ModuleFiles* files, std::string& answer)
{
    // However many files it asks for meanwhile.
    const uint64_t deadline = monotonic_ns() + (static_cast<uint64_t>(limits.seconds) * 1000 + kGraceMs) * 1000000;
    auto patience_ms = [&] {
        const uint64_t now = monotonic_ns();
        return now < deadline ? static_cast<int>((deadline - now) / 1000000) : 0;
    };
    unsigned needs = 0;
    if (!channel_ || !channel_.send(question.bytes(), file, patience_ms())) {
        channel_.close();
        return false;
    }
    while (channel_.receive(answer, nullptr, kLongestAnswer, patience_ms())) {
        Unpacker words(answer);
        const uint64_t said = words.word();
        if (said == kNotThatUser) {
            not_that_user_ = static_cast<int>(words.word());
            break;
        }
        const auto reply = static_cast<Reply>(said);
        if (reply == Reply::kDone) {
            const uint64_t cpu_ns = words.word();
            if (cpu_ns >= cpu_ns_) {
                all_cpu_ns += cpu_ns - cpu_ns_;
                cpu_ns_ = cpu_ns;
            }
            answer.erase(0, 2 * sizeof(uint64_t));
            return true;
        }
        Descriptor opened;
        Packer given;
        if (!files || needs++ == kMostNeeds || !give(reply, words, *files, given, opened) ||
            !channel_.send(given.bytes(), opened.get(), patience_ms()))
            break;
    }
    channel_.close();
    return false;
}

bool SymbolsChild::set_map(uint64_t image, uint32_t pid, const std::string& maps)
{
    std::string answer;
    return ask(packed(Question::kMap).word(image).word(pid).text(maps), -1, nullptr, answer);
}

bool SymbolsChild::unwind(uint64_t image, const StackSlice& slice, ModuleFiles& files,
                          std::vector<CodeAddress>& addresses)
{
    Packer question = packed(Question::kUnwind).word(image).word(slice.pid).word(slice.pc).word(slice.start);
    for (uint64_t value : slice.registers)
        question.word(value);
    question.text({reinterpret_cast<const char*>(slice.bytes.data()), slice.bytes.size()});
    std::string answer;
    if (!ask(question, -1, &files, answer))
        return false;
    Unpacker words(answer);
    for (uint64_t left = words.count(4 * sizeof(uint64_t)); left && words.ok(); left--) {
        CodeAddress address;
        address.pc = words.word();
        address.exact = words.word() != 0;
        address.guessed = words.word() != 0;
        if (words.word())
            address.named = std::make_shared<const Frame>(unpack_frame(words));
        addresses.push_back(std::move(address));
    }
    return true;
}

bool SymbolsChild::symbolise(uint64_t image, const CodeAddress& address, ModuleFiles& files, std::vector<Frame>& frames)
{
    std::string answer;
    if (!ask(packed(Question::kSymbolise).word(image).word(address.pc).word(address.exact), -1, &files, answer))
        return false;
    Unpacker words(answer);
    for (uint64_t left = words.count(kLeastFrameBytes); left && words.ok(); left--)
        frames.push_back(unpack_frame(words));
    return true;
}

bool SymbolsChild::name_late(uint64_t image, ModuleFiles& files, std::vector<CodeAddress>& addresses, bool& more)
{
    std::vector<CodeAddress*> nameless;
    for (CodeAddress& address : addresses)
        if (!address.named)
            nameless.push_back(&address);
    Packer question = packed(Question::kNameLate).word(image).word(nameless.size());
    for (const CodeAddress* one : nameless)
        question.word(one->pc).word(one->exact);
    std::string answer;
    if (!ask(question, -1, &files, answer))
        return false;
    Unpacker words(answer);
    for (CodeAddress* one : nameless)
        if (words.word()) {
            one->named = std::make_shared<const Frame>(unpack_frame(words));
            more = true;
        }
    return true;
}

bool SymbolsChild::python(uint64_t image, ModuleFiles& files, std::optional<PythonInterpreter>& python)
{
    std::string answer;
    if (!ask(packed(Question::kPython).word(image), -1, &files, answer))
        return false;
    Unpacker words(answer);
    if (words.word())
        python = unpack_python(words);
    return true;
}

bool SymbolsChild::build_id(int file, std::string& hex)
{
    std::string answer;
    if (!ask(packed(Question::kBuildId), file, nullptr, answer))
        return false;
    hex = Unpacker(answer).text();
    return true;
}

void SymbolsChild::forget(uint64_t image)
{
    std::string answer;
    if (channel_)
        ask(packed(Question::kForget).word(image), -1, nullptr, answer);
}

}  // namespace epaudit
