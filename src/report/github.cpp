// SPDX-License-Identifier: Apache-2.0
// Workflow commands of GitHub Actions: one annotation per finding, on its line where one is known. GitHub shows
// at most ten errors and ten warnings of a step, worst first here; the rest is told in one notice.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <map>
#include <ostream>

#include "src/evidence/place.h"
#include "src/report/formats.h"
#include "src/report/markup.h"
#include "src/report/verdict.h"
#include "src/report/words.h"

namespace epaudit {
namespace {

constexpr size_t kShownPerKind = 10;

const char* command_of(Level level)
{
    switch (level) {
    case Level::kConfirmed: return "error";
    case Level::kLikely: return "warning";
    default: return "notice";
    }
}

// As actions/toolkit escapes them: what follows "::" and, with more characters, the properties before it.
std::string escaped(std::string_view text, bool property)
{
    std::string out;
    for (const char c : text) {
        const bool special = c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ','));
        out += special ? fmt::format("%{:02X}", static_cast<unsigned char>(c)) : std::string(1, c);
    }
    return out;
}

// Cleaned part by part: the line breaks between them are ours.
std::string message_of(const Finding& finding)
{
    std::string text = clean(finding.summary);
    if (const std::string where = where_text(finding); !where.empty())
        text += "\n" + where;
    for (const auto& [name, value] : numbers_of(finding))
        text += fmt::format("\n{}: {}", name, clean(value));
    if (!finding.fix.empty())
        text += "\nfix: " + clean(finding.fix);
    return text;
}

// What decided beside the rules themselves; empty when nothing did.
std::string configuration_of(const Report& report, const Verdict& verdict)
{
    std::string text;
    auto add = [&](const std::string& one) { text += (text.empty() ? "" : "\n") + clean(one); };
    if (!report.config.empty())
        add("configuration: " + report.config);
    if (const std::string off = rules_off_text(report); !off.empty())
        add("rules that are off: " + off);
    for (const std::string& program : report.unjudged)
        add("not judged: " + program);
    for (const Finding* known : verdict.known)
        add(fmt::format("known: {} {} by {}", known->rule, known->name,
                        known->suppression ? known->suppression->where : ""));
    for (const PolicyRemark& remark : report.remarks)
        add(remark.where + ": " + remark.text);
    return text;
}

}  // namespace

void write_github(const Report& report, std::ostream& out)
{
    std::map<std::string, size_t> written;
    size_t left = 0;
    const Verdict verdict = verdict_of(report);
    for (const Finding* finding : verdict.shown) {
        const char* command = command_of(finding->level);
        if (written[command]++ >= kShownPerKind) {
            left++;
            continue;
        }
        std::string properties;
        if (const Frame* frame = guilty_frame(*finding))
            properties = fmt::format("file={},line={},",
                                     escaped(clean(shown_path(frame->file, report.options.directory)), true),
                                     frame->line);
        properties += "title=" +
                      escaped(fmt::format("{} {} ({})", finding->rule, finding->name, level_name(finding->level)),
                              true);
        fmt::print(out, "::{} {}::{}\n", command, properties, escaped(message_of(*finding), false));
    }
    if (left > 0)
        fmt::print(out, "::notice title=epaudit::{} not shown here, because GitHub shows {} of a kind per step\n",
                   plural(left, "more finding"), kShownPerKind);
    if (const std::string about = configuration_of(report, verdict); !about.empty())
        fmt::print(out, "::notice title=epaudit configuration::{}\n", escaped(about, false));
    const bool unsure = !verdict.sound() || !verdict.reasons.empty();
    fmt::print(out, "::{} title=epaudit ({})::{}\n", unsure ? "error" : "notice", state_name(verdict.state),
               escaped(clean(verdict.words()), false));
}

}  // namespace epaudit
