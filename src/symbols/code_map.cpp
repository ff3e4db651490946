// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/code_map.h"

#include <algorithm>
#include <charconv>

namespace epaudit {
namespace {

// A process may have 65,530 mappings by default; with code in each it would be no program we know.
constexpr size_t kMostRanges = 65536;

// The word before the next space; `text` begins behind it afterwards.
std::string_view word(std::string_view& text)
{
    const size_t end = std::min(text.find(' '), text.size());
    std::string_view found = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return found;
}

bool hexadecimal(std::string_view text, uint64_t& number)
{
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
    return error == std::errc() && end == text.data() + text.size();
}

// [anon:...] is prctl(PR_SET_VMA_ANON_NAME); .NET and the JVM may map their code from a memfd.
bool is_anonymous(std::string_view name)
{
    return name.empty() || name.starts_with("[anon") || name.starts_with("/memfd:") || name.starts_with("//anon");
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// start-end perms offset device inode   name
bool parse_line(std::string_view line, CodeRange& range)
{
    std::string_view addresses = word(line);
    const std::string_view permissions = word(line);
    const size_t dash = addresses.find('-');
    if (dash == std::string_view::npos || permissions.size() < 3 || permissions[2] != 'x' ||
        !hexadecimal(addresses.substr(0, dash), range.start) || !hexadecimal(addresses.substr(dash + 1), range.end) ||
        range.start >= range.end)
        return false;
    for (int skipped = 0; skipped < 3; skipped++)
        word(line);
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    range.name = line;
    range.anonymous = is_anonymous(line);
    return true;
}

}  // namespace

Runtime runtime_of_file(std::string_view path)
{
    const std::string_view file = last_part(path);
    if (file == "node" || file == "nodejs" || file.starts_with("libnode.so"))
        return Runtime::kNode;
    if (file == "libjvm.so")
        return Runtime::kJava;
    if (file == "libcoreclr.so")
        return Runtime::kDotnet;
    if (file == "beam.smp")
        return Runtime::kErlang;
    if (file.starts_with("python3") || file.starts_with("libpython3"))
        return Runtime::kPython;
    return Runtime::kNone;
}

CodeMap::CodeMap(std::string_view maps)
{
    while (!maps.empty() && ranges_.size() < kMostRanges) {
        const size_t end = std::min(maps.find('\n'), maps.size());
        CodeRange range;
        if (parse_line(maps.substr(0, end), range) && (ranges_.empty() || ranges_.back().end <= range.start)) {
            // A JVM or node that Python or C embeds is what makes the code.
            const Runtime here = range.anonymous ? Runtime::kNone : runtime_of_file(range.name);
            python_ |= here == Runtime::kPython;
            if (here != Runtime::kNone && (runtime_ == Runtime::kNone || runtime_ == Runtime::kPython))
                runtime_ = here;
            ranges_.push_back(std::move(range));
        }
        maps.remove_prefix(std::min(end + 1, maps.size()));
    }
}

const CodeRange* CodeMap::find(uint64_t address) const
{
    auto after = std::upper_bound(ranges_.begin(), ranges_.end(), address,
                                  [](uint64_t wanted, const CodeRange& range) { return wanted < range.start; });
    if (after == ranges_.begin() || address >= (after - 1)->end)
        return nullptr;
    return &*(after - 1);
}

std::string missing_names(Runtime runtime, const std::vector<Frame>& frames)
{
    auto any = [&](auto test) { return std::any_of(frames.begin(), frames.end(), test); };
    // What is on the stack may be the interpreter, which has a name, and not what it interprets.
    const bool interpreted = any([](const Frame& f) {
        return f.function.starts_with("_PyEval_EvalFrame") || f.function.starts_with("Builtins_InterpreterEntry");
    });
    const bool nameless = any([](const Frame& f) { return f.function.empty() && (f.module.empty() || f.guessed); });
    const bool scripts = any([](const Frame& f) { return f.file.ends_with(".py"); });
    const bool missing = runtime == Runtime::kPython ? interpreted && !scripts : nameless || interpreted;
    if (!missing)
        return {};
    switch (runtime) {
    case Runtime::kNode:
        return "To name the JavaScript frames, start node with --perf-basic-prof --interpreted-frames-native-stack.";
    case Runtime::kJava:
        return "To name the Java frames, start java with -XX:+PreserveFramePointer, and run jcmd PID Compiler.perfmap "
               "(JDK 17 or later) while epaudit watches.";
    case Runtime::kDotnet: return "To name the .NET frames, start the program with DOTNET_PerfMapEnabled=1.";
    case Runtime::kErlang: return "To name the Erlang frames, start erl with +JPperf true.";
    case Runtime::kPython: return "Python frames are named for CPython 3.11 to 3.14, but not for this interpreter.";
    case Runtime::kNone: break;
    }
    return {};
}

}  // namespace epaudit
