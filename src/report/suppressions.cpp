// SPDX-License-Identifier: Apache-2.0
#include "src/report/suppressions.h"

#include <fmt/format.h>

#include "src/evidence/fingerprint.h"
#include "src/evidence/place.h"
#include "src/support/utf8.h"

namespace epaudit {
namespace {

// As a basic TOML string.
std::string quoted(const std::string& text)
{
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            out += '\\';
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
        else
            out += c;
    }
    return out + "\"";
}

// A text that stands for itself in a pattern. TOML holds no bytes that are not UTF-8: there, any character will do.
std::string literal(const std::string& text)
{
    std::string out;
    for (const char c : text) {
        if (c == '*' || c == '?' || c == '[' || c == '\\')
            out += '\\';
        out += c;
    }
    return with_valid_utf8(out, "?");
}

}  // namespace

std::string suppressions_text(const std::vector<const Finding*>& findings)
{
    std::string text;
    for (const Finding* finding : findings) {
        text += fmt::format("# {}\n[[suppress]]\nrule = {}\n", finding->name, quoted(finding->rule));
        if (!program_name(*finding).empty())
            text += fmt::format("exe = {}\n", quoted(literal(program_name(*finding))));
        if (!finding->fd.kind.empty())
            text += fmt::format("kind = {}\n", quoted(finding->fd.kind));
        if (const Frame* frame = guilty_frame(*finding); frame && !frame->function.empty())
            text += fmt::format("function = {}\n", quoted(literal(frame->function)));
        text += "reason = \"say here why this is accepted\"\n\n";
    }
    return text;
}

}  // namespace epaudit
