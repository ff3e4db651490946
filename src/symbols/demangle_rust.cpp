// SPDX-License-Identifier: Apache-2.0
// Rust RFC 2603. One function for each rule of its grammar; each says whether the text was as the rule wants it.
#include "src/symbols/demangle_rust.h"

#include <cstdint>
#include <utility>

#include "src/symbols/rust_text.h"

namespace epaudit {
namespace {

constexpr size_t kLongestMangled = 16384;
constexpr int kDeepest = 100;
constexpr int kMostReferences = 20000;  // back references may say the same again and again

constexpr std::pair<char, std::string_view> kBasicTypes[] = {
    {'a', "i8"},    {'b', "bool"},  {'c', "char"}, {'d', "f64"}, {'e', "str"},  {'f', "f32"},  {'h', "u8"},
    {'i', "isize"}, {'j', "usize"}, {'l', "i32"},  {'m', "u32"}, {'n', "i128"}, {'o', "u128"}, {'p', "_"},
    {'s', "i16"},   {'t', "u16"},   {'u', "()"},   {'v', "..."}, {'x', "i64"},  {'y', "u64"},  {'z', "!"},
};

class Reader : private RustText {
public:
    explicit Reader(std::string_view text) : RustText(text) {}

    std::optional<std::string> name()
    {
        if (!path(true) || out_.empty())
            return std::nullopt;
        if (at_ < text_.size() && text_[at_] >= 'A' && text_[at_] <= 'Z') {  // the crate it was instantiated in
            quiet_++;
            if (!path(false))
                return std::nullopt;
        }
        return at_ == text_.size() ? std::optional(out_) : std::nullopt;
    }

private:
    // Counts nesting and steps as long as a rule is being read.
    struct Rule {
        explicit Rule(Reader& r) : reader(r), good(++r.depth_ <= kDeepest && ++r.steps_ <= kMostReferences) {}
        ~Rule() { reader.depth_--; }
        Reader& reader;
        bool good;
    };

    bool impl_path()
    {
        uint64_t ignored = 0;
        quiet_++;
        const bool good = number_behind('s', ignored) && path(false);
        quiet_--;
        return good;
    }

    bool nested()
    {
        const char space = next();
        std::string_view name;
        uint64_t number = 0;
        at_++;
        if (!((space >= 'a' && space <= 'z') || (space >= 'A' && space <= 'Z')) || !path(value_) ||
            !identifier(name, number))
            return false;
        if (space >= 'a')
            return name.empty() || (say("::") && say(name));
        return say("::{") &&
               say(space == 'C'   ? "closure"
                   : space == 'S' ? "shim"
                                  : std::string_view(&space, 1)) &&
               (name.empty() || (say(":") && say(name))) && say("#" + std::to_string(number)) && say("}");
    }

    bool path(bool value)
    {
        const Rule rule(*this);
        if (!rule.good)
            return false;
        const bool outer = std::exchange(value_, value);
        const bool good = path_of(value);
        value_ = outer;
        return good;
    }

    bool path_of(bool value)
    {
        std::string_view name;
        uint64_t number = 0;
        switch (const char tag = next(); at_++, tag) {
        case 'C': return identifier(name, number) && say(name);
        case 'M': return impl_path() && say("<") && type() && say(">");
        case 'X': return impl_path() && say("<") && type() && say(" as ") && path(false) && say(">");
        case 'Y': return say("<") && type() && say(" as ") && path(false) && say(">");
        case 'N': return nested();
        case 'I': return path(value) && say(value ? "::<" : "<") && list([&] { return argument(); }) && say(">");
        case 'B': return back_reference([&] { return path(value); });
        default: return false;
        }
    }

    template <typename Read>
    bool list(Read read, std::string_view between = ", ")
    {
        for (bool first = true; !take('E'); first = false)
            if ((!first && !say(between)) || !read())
                return false;
        return true;
    }

    bool lifetime()
    {
        uint64_t ignored = 0;
        return base62(ignored) && say("'_");
    }

    bool argument()
    {
        if (take('L'))
            return lifetime();
        return take('K') ? constant() : type();
    }

    bool reference(std::string_view text)
    {
        uint64_t ignored = 0;
        return (!take('L') || base62(ignored)) && say(text) && type();
    }

    bool tuple()
    {
        int count = 0;
        return say("(") && list([&] { return count++, type(); }) && say(count == 1 ? ",)" : ")");
    }

    bool function_type()
    {
        std::string_view abi;
        uint64_t ignored = 0;
        if (!number_behind('G', ignored) || (take('U') && !say("unsafe ")))
            return false;
        if (take('K') && (take('C') ? !say("extern \"C\" ")
                                    : !identifier(abi, ignored) || !say("extern \"") || !say(abi) || !say("\" ")))
            return false;
        if (!say("fn(") || !list([&] { return type(); }) || !say(")"))
            return false;
        return take('u') || (say(" -> ") && type());
    }

    bool bound()
    {
        if (!path(false))
            return false;
        std::string_view name;
        uint64_t ignored = 0;
        bool first = true;
        for (; take('p'); first = false) {
            const bool more = !first || (!quiet_ && out_.ends_with('>'));  // those of the path itself go on
            if (first && more)
                out_.pop_back();
            if (!identifier(name, ignored) || !say(more ? ", " : "<") || !say(name) || !say(" = ") || !type())
                return false;
        }
        return first || say(">");
    }

    bool dynamic()
    {
        uint64_t ignored = 0;
        return number_behind('G', ignored) && say("dyn ") && list([&] { return bound(); }, " + ") && take('L') &&
               base62(ignored);
    }

    bool type()
    {
        const Rule rule(*this);
        if (!rule.good)
            return false;
        for (const auto& [letter, text] : kBasicTypes)
            if (take(letter))
                return say(text);
        switch (const char tag = next(); at_++, tag) {
        case 'A': return say("[") && type() && say("; ") && constant() && say("]");
        case 'S': return say("[") && type() && say("]");
        case 'T': return tuple();
        case 'R': return reference("&");
        case 'Q': return reference("&mut ");
        case 'P': return say("*const ") && type();
        case 'O': return say("*mut ") && type();
        case 'F': return function_type();
        case 'D': return dynamic();
        case 'B': return back_reference([&] { return type(); });
        default: at_--; return path(false);
        }
    }

    // Of numbers, truth values and characters; hexadecimal as it stands.
    bool constant()
    {
        const Rule rule(*this);
        if (!rule.good)
            return false;
        if (take('B'))
            return back_reference([&] { return constant(); });
        if (take('p'))
            return say("_");
        const char kind = next();
        at_++;
        if (std::string_view("abchijlmnostxy").find(kind) == std::string_view::npos)
            return false;
        if (take('n') && !say("-"))
            return false;
        const size_t start = at_;
        while ((next() >= '0' && next() <= '9') || (next() >= 'a' && next() <= 'f'))
            at_++;
        const std::string_view digits = text_.substr(start, at_ - start);
        if (!take('_'))
            return false;
        if (kind == 'b')
            return say(digits == "1" ? "true" : "false");
        return digits.size() > 1 ? say("0x") && say(digits) : say(digits.empty() ? "0" : digits);
    }

    bool value_ = true;  // generic arguments are told with "::<" in a value's path
    int depth_ = 0;
    int steps_ = 0;
};

}  // namespace

std::optional<std::string> rust_v0_name(std::string_view symbol)
{
    if (!symbol.starts_with("_R") || symbol.size() > kLongestMangled)
        return std::nullopt;
    symbol.remove_prefix(2);
    symbol = symbol.substr(0, symbol.find_first_of(".$"));  // what LLVM adds
    return Reader(symbol).name();
}

}  // namespace epaudit
