// SPDX-License-Identifier: Apache-2.0
#include "src/report/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "src/report/report.h"
#include "src/support/terminal.h"
#include "src/support/utf8.h"

namespace epaudit {

namespace {

bool is_control(std::string_view sequence)
{
    const auto lead = static_cast<unsigned char>(sequence[0]);
    if (sequence.size() == 1)
        return lead < 0x20 || lead == 0x7f;
    return sequence.size() == 2 && lead == 0xc2 && static_cast<unsigned char>(sequence[1]) < 0xa0;  // C1
}

// Bytes of a word that is too long for a line: as many as fit, but never none.
size_t piece_of(std::string_view word, size_t room)
{
    return std::max(cut_to_columns(word, room).size(), first_glyph(word).bytes);
}

void wrap_paragraph(const std::string& text, size_t width, std::vector<std::string>& out)
{
    const size_t first = std::min(text.find_first_not_of(' '), text.size());
    const std::string indent(first < width / 2 ? first : 0, ' ');
    std::string line = indent;
    for (size_t at = first; at < text.size();) {
        const size_t end = std::min(text.find(' ', at), text.size());
        std::string word = text.substr(at, end - at);
        at = std::min(text.find_first_not_of(' ', end), text.size());
        const bool fresh = line.size() == indent.size();
        if (!fresh && columns(line) + 1 + columns(word) > width) {
            out.push_back(line);
            line = indent;
        } else if (!fresh) {
            line += ' ';
        }
        while (columns(line) + columns(word) > width) {
            const size_t cut = piece_of(word, width - columns(line));
            out.push_back(line + word.substr(0, cut));
            word.erase(0, cut);
            line = indent;
        }
        line += word;
    }
    out.push_back(line.size() == indent.size() ? "" : line);
}

std::string label_of(std::string stem)
{
    if (stem == "cpu")
        return "CPU";
    if (stem == "wakeups")
        return "wake-ups";
    return spaced(std::move(stem));
}

std::string trimmed(std::string number)
{
    if (number.find('.') != std::string::npos && number.find('e') == std::string::npos) {
        number.erase(number.find_last_not_of('0') + 1);
        if (number.back() == '.')
            number.pop_back();
    }
    return number;
}

}  // namespace

std::string spaced(std::string name)
{
    std::replace(name.begin(), name.end(), '_', ' ');
    return name;
}

std::string clean(std::string_view raw)
{
    std::string out;
    while (!raw.empty()) {
        const size_t length = utf8_length(raw);
        if (length == 0) {
            out += kNoText;
            raw.remove_prefix(1);
            continue;
        }
        const std::string_view sequence = raw.substr(0, length);
        if (is_control(sequence))
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(sequence.back()));
        else
            out += sequence;
        raw.remove_prefix(length);
    }
    return out;
}

std::string untabbed(std::string_view line)
{
    std::string out;
    for (const char c : line) {
        if (c == '\t')
            out.append(4 - out.size() % 4, ' ');
        else if (c != '\r')
            out += c;
    }
    return out;
}

size_t columns(std::string_view text)
{
    size_t sum = 0;
    while (!text.empty()) {
        const Glyph glyph = first_glyph(text);
        sum += glyph.columns;
        text.remove_prefix(glyph.bytes);
    }
    return sum;
}

std::string padded(std::string_view text, size_t width)
{
    const size_t used = columns(text);
    return std::string(text) + std::string(used < width ? width - used : 0, ' ');
}

std::vector<std::string> wrap(std::string_view text, size_t width)
{
    width = std::max<size_t>(width, 20);
    std::vector<std::string> out;
    for (;;) {
        const size_t end = text.find('\n');
        wrap_paragraph(clean(text.substr(0, end)), width, out);
        if (end == std::string_view::npos)
            break;
        text.remove_prefix(end + 1);
    }
    while (out.size() > 1 && out.back().empty())
        out.pop_back();
    return out;
}

std::string beside(std::string head, std::string_view text, size_t width)
{
    const size_t margin = columns(head);
    std::string lines;
    for (const std::string& line : wrap(text, width - margin)) {
        lines += head + line + '\n';
        head.assign(margin, ' ');
    }
    return lines;
}

std::vector<std::string> fill(const std::vector<std::string>& parts, size_t width, size_t indent)
{
    std::vector<std::string> out;
    for (const std::string& part : parts) {
        const std::string text = clean(part);
        if (!out.empty() && columns(out.back()) + 2 + columns(text) <= width) {
            out.back() += "  " + text;
            continue;
        }
        const bool fits = columns(text) <= width;  // the first line has no margin
        for (const std::string& line : wrap(text, out.empty() && fits ? width : width - indent))
            out.push_back(std::string(out.empty() ? 0 : indent, ' ') + line);
    }
    return out;
}

std::string grouped(uint64_t number)
{
    std::string digits = std::to_string(number);
    for (size_t at = digits.size(); at > 3;) {
        at -= 3;
        digits.insert(at, ",");
    }
    return digits;
}

std::string plural(uint64_t number, std::string_view noun)
{
    return fmt::format("{} {}{}", grouped(number), noun, number == 1 ? "" : "s");
}

std::string number_text(double number)
{
    if (!std::isfinite(number))
        return "?";
    if (number < 0)
        return "-" + number_text(-number);
    if (number >= 99.95)
        return number < 1e18 ? grouped(static_cast<uint64_t>(std::llround(number))) : fmt::format("{:.3g}", number);
    if (number >= 9.995)
        return trimmed(fmt::format("{:.1f}", number));
    return trimmed(number >= 0.1 ? fmt::format("{:.2f}", number) : fmt::format("{:.2g}", number));
}

std::pair<std::string, std::string> measure_text(const Measure& measure)
{
    const auto& [name, value] = measure;
    if (const size_t per = name.find("_per_"); per != std::string::npos)
        return {label_of(name.substr(0, per)), number_text(value) + " per " + spaced(name.substr(per + 5))};

    auto stem_of = [&name = name](std::string_view suffix) {
        return name.size() > suffix.size() && name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size())
                                                                     : std::string();
    };
    if (name == "cpu_share")
        return {"CPU", number_text(value * 100) + " % of a core"};
    if (const std::string stem = stem_of("_share"); !stem.empty())
        return {label_of(stem), number_text(value * 100) + " %"};
    static constexpr std::array<std::pair<const char*, const char*>, 6> kUnits{
        {{"_bytes", "bytes"}, {"_s", "s"}, {"_seconds", "s"}, {"_ms", "ms"}, {"_us", "µs"}, {"_ns", "ns"}}};
    for (const auto& [suffix, unit] : kUnits)
        if (const std::string stem = stem_of(suffix); !stem.empty())
            return {label_of(stem), number_text(value) + " " + unit};
    return {label_of(name), number_text(value)};
}

namespace {

// Ticks of /proc are too coarse for processes that do nearly nothing.
bool uses_cpu(const WatchingCost& cost) { return cost.watched >= 0.01; }

std::string percent_text(double share) { return fmt::format("{:.{}f} %", share * 100, share < 0.1 ? 1 : 0); }

}  // namespace

std::string cost_text(const WatchingCost& cost)
{
    std::string text = fmt::format("{} of a core: probes {}, epaudit itself {}", percent_text(cost.probes + cost.own),
                                   percent_text(cost.probes), percent_text(cost.own));
    if (uses_cpu(cost))
        text += fmt::format("; what is watched uses {}: {} of that", percent_text(cost.watched),
                            percent_text(cost.share()));
    return text;
}

std::string short_cost_text(const WatchingCost& cost)
{
    return uses_cpu(cost) ? percent_text(cost.share()) + " of what is watched"
                          : percent_text(cost.probes + cost.own) + " of a core";
}

std::string budget_text(const WatchingBudget& budget)
{
    const std::string share = fmt::format("{:.3g} %", budget.share * 100);
    if (budget.attached_share >= 1)
        return share + ": the probes were attached all the time";
    return fmt::format(
        "{}: the probes were attached {:.2g} % of the time, with gaps of up to {:.1f} s (--budget none: all "
        "the time)",
        share, budget.attached_share * 100, budget.longest_gap_s);
}

const char* status_name(Status status)
{
    switch (status) {
    case Status::kAvailable: return "available";
    case Status::kDegraded: return "degraded";
    case Status::kUnavailable: return "unavailable";
    }
    return "?";
}

}  // namespace epaudit
