// SPDX-License-Identifier: Apache-2.0
#include "src/report/markup.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "src/books/describe.h"
#include "src/evidence/place.h"
#include "src/report/words.h"

namespace epaudit {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Do these rows hold this number, with or without commas? One of a digit may stand for anything.
bool hold(const Rows& rows, const std::string& number)
{
    constexpr size_t kShortest = 2;
    if (number.size() < kShortest)
        return false;
    for (const auto& [name, value] : rows) {
        std::string plain = value;
        std::erase(plain, ',');
        for (size_t at = 0; (at = plain.find(number, at)) != std::string::npos; at++) {
            const size_t end = at + number.size();
            const bool begins = !at || (!is_digit(plain[at - 1]) && plain[at - 1] != '.');
            const bool ends = end == plain.size() || (!is_digit(plain[end]) && plain[end] != '.');
            if (begins && ends)
                return true;
        }
    }
    return false;
}

// A row of nothing but a number that other rows tell already.
bool is_told(const Rows& rows, std::string value)
{
    std::erase(value, ',');
    return std::all_of(value.begin(), value.end(), is_digit) && hold(rows, value);
}

// The name of the program where the comm does not already say it.
bool exe_says_more(const Finding& finding)
{
    const std::string base = finding.exe.substr(finding.exe.rfind('/') + 1);
    return !base.empty() && base.substr(0, 15) != finding.comm;
}

std::string fd_text(const FdInfo& fd)
{
    if (fd.number < 0)
        return fd.kind;
    return fmt::format("{}fd {}", fd.kind.empty() || fd.kind == "unknown" ? "" : fd.kind + " ", fd.number);
}

std::string address_text(const FdInfo& fd)
{
    if (fd.peer.empty())
        return fd.local;
    return (fd.local.empty() ? "?" : fd.local) + " -> " + fd.peer;
}

bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~/!$&'()*+,;=@").find(c) != std::string_view::npos;
}

}  // namespace

std::string xml_escaped(std::string_view text)
{
    std::string out;
    for (size_t at = 0; at < text.size(); at++) {
        const char c = text[at];
        const std::string_view here = text.substr(at, 3);
        switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '"': out += "&quot;"; break;
        case '\'': out += "&#39;"; break;
        default:
            if (here == "\xef\xbf\xbe" || here == "\xef\xbf\xbf") {  // U+FFFE, U+FFFF
                out += "\xef\xbf\xbd";
                at += 2;
            } else if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') {
                out += "\xef\xbf\xbd";
            } else {
                out += c;
            }
        }
    }
    return out;
}

std::string uri_of(const std::string& path, const std::string& directory)
{
    const std::string shown = shown_path(path, directory);
    std::string uri = shown.starts_with('/') ? "file://" : "";
    for (const char c : shown) {
        if (is_unreserved(c))
            uri += c;
        else
            uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return uri;
}

std::string iso_time(int64_t seconds)
{
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<time_t>(seconds)));
}

std::vector<std::string> where_parts(const Finding& finding)
{
    std::vector<std::string> parts;
    if (const uint32_t pid = known_pid(finding.pid))
        parts.push_back(fmt::format("{}[{}]", finding.comm.empty() ? "?" : finding.comm, pid));
    else if (!finding.comm.empty())
        parts.push_back(finding.comm);
    if (finding.epoll_fd >= 0)
        parts.push_back(fmt::format("epoll fd {}", finding.epoll_fd));
    for (const std::string& part : {fd_text(finding.fd), address_text(finding.fd)})
        if (!part.empty())
            parts.push_back(part);
    return parts;
}

std::string where_text(const Finding& finding)
{
    std::string text;
    for (const std::string& part : where_parts(finding))
        text += (text.empty() ? "" : ", ") + clean(part);
    return text;
}

std::vector<std::pair<std::string, std::string>> workload_rows(const Workload& workload)
{
    std::vector<std::pair<std::string, std::string>> rows;
    if (workload.unit.ends_with(".service") && !workload.unit.starts_with("user@"))  // sessions say nothing
        rows.emplace_back("unit", workload.unit);
    if (workload.in_container())
        rows.emplace_back("container", container_text(workload.container));
    if (!workload.pod.empty())
        rows.emplace_back("pod", workload.pod);
    return rows;
}

std::vector<std::pair<std::string, std::string>> numbers_of(const Finding& finding)
{
    Rows rows;
    if (exe_says_more(finding))
        rows.emplace_back("program", finding.exe);
    for (auto& row : workload_rows(finding.workload))
        rows.push_back(std::move(row));
    for (const auto& [name, value] : finding.facts)
        rows.emplace_back(clean(name), value);
    if (!finding.shape.empty())
        rows.emplace_back("pattern", finding.shape);
    if (finding.count > 0 && !hold(rows, std::to_string(finding.count)))
        rows.emplace_back("seen", plural(finding.count, "time"));
    if (finding.fds > 1)
        rows.emplace_back("fds", fmt::format("{} show the same; one of them is shown here", grouped(finding.fds)));
    for (const Measure& measure : finding.cost)
        if (auto told = measure_text(measure); !is_told(rows, told.second))
            rows.push_back(std::move(told));
    return rows;
}

std::pair<std::string, std::string> frame_text(const Frame& frame, const std::string& directory)
{
    std::string where = frame.file.empty() ? "" : clean(shown_path(frame.file, directory));
    if (!where.empty() && frame.line > 0)
        where += fmt::format(":{}", frame.line);
    if (where.empty() && !frame.module.empty())
        where = fmt::format("{}+{:#x}", clean(shown_path(frame.module, directory)), frame.offset);
    std::string function = clean(frame.function.empty() ? "?" : frame.function);
    if (frame.inlined)
        function += " (inlined)";
    if (frame.at_start && frame.line > 0)
        where += " (start of the function)";
    if (frame.guessed)
        where += where.empty() ? "(by frame pointer)" : " (by frame pointer)";
    return {std::move(function), std::move(where)};
}

}  // namespace epaudit
