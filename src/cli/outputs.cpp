// SPDX-License-Identifier: Apache-2.0
#include "src/cli/outputs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "src/audit/nearest.h"
#include "src/cli/judge.h"
#include "src/report/verdict.h"

namespace epaudit {
namespace {

bool wants_colour(const AuditOptions& options)
{
    if (options.color == "auto")
        return isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    return options.color == "always";
}

}  // namespace

Result<Output> parse_output(const std::string& spec)
{
    const size_t equals = spec.find('=');
    Output output{spec.substr(0, equals), equals == std::string::npos ? "" : spec.substr(equals + 1)};
    if (!find_format(output.format)) {
        const std::string near = nearest(output.format, format_names());
        return usage_error(
            fmt::format("unknown format '{}'", output.format),
            fmt::format("{}formats are: {}", near.empty() ? "" : fmt::format("did you mean '{}'? The ", near),
                        fmt::join(format_names(), ", ")));
    }
    if (equals != std::string::npos && output.path.empty())
        return usage_error(fmt::format("--format {} names no file", spec),
                           fmt::format("write --format {}=FILE", output.format));
    return output;
}

namespace {

// Formats that are one document each: two in one file are none.
bool is_document(const std::string& format)
{
    return format != "text" && format != "github" && format != "suppressions";
}

Result<> check_standard_output(const std::vector<Output>& wanted)
{
    std::vector<std::string> there;
    bool document = false;
    for (const Output& output : wanted)
        if (output.path.empty()) {
            there.push_back(output.format);
            document |= is_document(output.format);
        }
    if (!document || there.size() < 2)
        return Done{};
    return usage_error(fmt::format("{} cannot share standard output", fmt::join(there, " and ")),
                       fmt::format("give one a file: --format {}=FILE", there.front()));
}

// Under whatever names. Devices and pipes may be written to as often as one likes.
bool same_file(const std::string& one, const std::string& other)
{
    std::error_code error;
    return !one.empty() && !other.empty() && std::filesystem::is_regular_file(one, error) &&
           std::filesystem::equivalent(one, other, error) && !error;
}

// Files that a report must not be written over, and what they are.
Result<> check_overwrites(const AuditOptions& options, const std::string& path)
{
    const std::string config = !options.config.empty() || options.no_config ? options.config : "epaudit.toml";
    for (const auto& [other, what] : {std::pair<const std::string&, const char*>{options.input, "what is read"},
                                      {options.record, "the recording"},
                                      {options.baseline, "the baseline"},
                                      {options.write_baseline, "the baseline that is written"},
                                      {config, "the configuration"}})
        if (same_file(path, other))
            return usage_error(fmt::format("{} is {}: a report would overwrite it", path, what),
                               "give the report another file");
    return Done{};
}

}  // namespace

// Opened as it is: what was there is thrown away only when it is known to be ours to overwrite.
Result<> Outputs::open_file(Target& target)
{
    std::error_code ignored;
    target.made = !std::filesystem::exists(target.path, ignored);
    target.file = Descriptor(::open(target.path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    if (!target.file)
        return usage_error(fmt::format("cannot write {}: {}", target.path, strerror(errno)));
    return Done{};
}

Result<Outputs> Outputs::open(const AuditOptions& options)
{
    Outputs outputs;
    outputs.colour_ = wants_colour(options);
    std::vector<Output> wanted = options.outputs;
    if (wanted.empty())
        wanted.push_back({"text", ""});
    if (auto ok = check_standard_output(wanted); !ok)
        return ok.error();
    for (const Output& output : wanted) {
        Target target{find_format(output.format), output.path, {}, nullptr, false, false};
        if (output.format == "ndjson")
            target.stream = std::make_unique<NdjsonStream>();
        if (!output.path.empty()) {
            if (auto ok = open_file(target); !ok)
                return ok.error();
            for (const Target& other : outputs.targets_)
                if (same_file(other.path, output.path))
                    return usage_error(fmt::format("two formats are to be written to {}", output.path),
                                       "give each its own file");
        }
        outputs.targets_.push_back(std::move(target));
    }
    for (Target& target : outputs.targets_)
        if (auto ok = check_overwrites(options, target.path); !ok)
            return ok.error();
    for (Target& target : outputs.targets_) {
        if (target.file && ftruncate(target.file.get(), 0) == 0)
            target.made = true;  // its content is gone; what is left is no report
    }
    return outputs;
}

Outputs::~Outputs()
{
    std::error_code ignored;
    for (const Target& target : targets_)
        if (target.made && !target.written && std::filesystem::is_regular_file(target.path, ignored))
            std::filesystem::remove(target.path, ignored);
}

Result<> Outputs::put(Target& target, const std::string& text)
{
    const int fd = target.path.empty() ? STDOUT_FILENO : target.file.get();
    target.written = true;
    for (size_t at = 0; at < text.size();) {
        const ssize_t wrote = ::write(fd, text.data() + at, text.size() - at);
        if (wrote < 0 && errno == EAGAIN) {  // somebody else made it non-blocking
            pollfd room{fd, POLLOUT, 0};
            poll(&room, 1, -1);
        } else if (wrote < 0 && errno != EINTR)
            return usage_error(fmt::format("cannot write {}: {}", target.path.empty() ? "standard output" : target.path,
                                           strerror(errno)));
        at += wrote > 0 ? static_cast<size_t>(wrote) : 0;
    }
    return Done{};
}

bool Outputs::streams() const
{
    return std::any_of(targets_.begin(), targets_.end(), [](const Target& target) { return target.stream != nullptr; });
}

Result<> Outputs::begin(const Report& report)
{
    for (Target& target : targets_)
        if (target.stream)
            if (auto ok = put(target, target.stream->begin(report)); !ok)
                return ok;
    return Done{};
}

Result<> Outputs::progress(const RateSample* sample, const std::vector<Finding>& findings, const std::string& directory)
{
    for (Target& target : targets_) {
        if (!target.stream)
            continue;
        std::string text;
        if (sample)
            text += target.stream->sample(*sample);
        for (const Finding& finding : findings)
            text += target.stream->finding(finding, directory);
        if (auto ok = put(target, text); !ok)
            return ok;
    }
    return Done{};
}

Result<> Outputs::write(Report& report)
{
    for (Target& target : targets_) {
        report.options.colour = target.path.empty() && colour_;
        std::ostringstream text;
        if (target.stream)
            text << target.stream->end(report);
        else
            target.format->write(report, text);
        if (auto ok = put(target, text.str()); !ok)
            return ok;
    }
    return Done{};
}

Result<> announce_ready(const AuditOptions& options)
{
    if (options.ready_file.empty())
        return Done{};
    std::ofstream ready(options.ready_file);
    ready << getpid() << "\n";
    if (!ready.flush())
        return usage_error(fmt::format("cannot write {}", options.ready_file));
    return Done{};
}

Result<int> conclude(const Judge& judge, Outputs& outputs, Report& report)
{
    const Verdict first = verdict_of(report);
    if (!first.failed && (first.state == State::kNotObserved || first.state == State::kUsage))
        return Error{static_cast<Exit>(first.exit), first.text, first.remedy};
    auto kept = judge.keep_baseline(report);  // before anything says so
    if (auto ok = outputs.write(report); !ok)
        return ok.error();
    if (!kept)
        return kept.error();
    return verdict_of(report).exit;
}

}  // namespace epaudit
