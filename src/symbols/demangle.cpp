// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/demangle.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "src/symbols/demangle_rust.h"

namespace epaudit {
namespace {

// A legacy Rust name is a C++ one whose last part is 'h' and 16 hexadecimal digits.
constexpr std::string_view kHashSeparator = "::h";
constexpr size_t kHashDigits = 16;

constexpr std::pair<std::string_view, std::string_view> kRustEscapes[] = {
    {"$SP$", "@"},  {"$BP$", "*"},  {"$RF$", "&"},  {"$LT$", "<"},   {"$GT$", ">"},  {"$LP$", "("},  {"$RP$", ")"},
    {"$C$", ","},   {"$u7e$", "~"}, {"$u20$", " "}, {"$u27$", "'"},  {"$u5b$", "["}, {"$u5d$", "]"}, {"$u7b$", "{"},
    {"$u7d$", "}"}, {"$u3b$", ";"}, {"$u2b$", "+"}, {"$u22$", "\""}, {"..", "::"},
};

bool is_hash(std::string_view digits)
{
    return std::all_of(digits.begin(), digits.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_rust(std::string_view name)
{
    size_t length = kHashSeparator.size() + kHashDigits;
    return name.size() > length && name.substr(name.size() - length, kHashSeparator.size()) == kHashSeparator &&
           is_hash(name.substr(name.size() - kHashDigits));
}

std::string rust_name(std::string name)
{
    name.resize(name.size() - kHashSeparator.size() - kHashDigits);
    for (const auto& [escape, text] : kRustEscapes)
        for (size_t at = 0; (at = name.find(escape, at)) != std::string::npos; at += text.size())
            name.replace(at, escape.size(), text);
    // "_<impl": the underscore only makes it an identifier.
    for (size_t at = 0; (at = name.find("_<", at)) != std::string::npos; at++)
        if (at == 0 || name[at - 1] == ':')
            name.erase(at, 1);
    return name;
}

}  // namespace

std::string demangled(const std::string& symbol)
{
    if (symbol.compare(0, 2, "_R") == 0)
        return rust_v0_name(symbol).value_or(symbol);
    if (symbol.compare(0, 2, "_Z") != 0)
        return symbol;
    int status = 0;
    std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), free);
    if (status || !text)
        return symbol;
    std::string name = text.get();
    return is_rust(name) ? rust_name(std::move(name)) : name;
}

}  // namespace epaudit
