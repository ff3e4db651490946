// SPDX-License-Identifier: Apache-2.0
#include "src/cli/outputs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "src/audit/nearest.h"

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

Result<Outputs> Outputs::open(const AuditOptions& options)
{
    Outputs outputs;
    outputs.colour_ = wants_colour(options);
    std::vector<Output> wanted = options.outputs;
    if (wanted.empty())
        wanted.push_back({"text", ""});
    for (const Output& output : wanted) {
        Target target{find_format(output.format), output.path, {}, nullptr, false};
        if (output.format == "ndjson")
            target.stream = std::make_unique<NdjsonStream>();
        for (const Target& other : outputs.targets_)
            if (!output.path.empty() && other.path == output.path)
                return usage_error(fmt::format("two formats are to be written to {}", output.path),
                                   "give each its own file");
        if (!output.path.empty()) {
            target.file = Descriptor(::open(output.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
            if (!target.file)
                return usage_error(fmt::format("cannot write {}: {}", output.path, strerror(errno)));
        }
        outputs.targets_.push_back(std::move(target));
    }
    return outputs;
}

Outputs::~Outputs()
{
    std::error_code ignored;
    for (const Target& target : targets_)
        if (!target.path.empty() && !target.written && std::filesystem::is_regular_file(target.path, ignored))
            std::filesystem::remove(target.path, ignored);
}

bool Outputs::to_stdout() const
{
    return std::any_of(targets_.begin(), targets_.end(), [](const Target& target) { return target.path.empty(); });
}

Result<> Outputs::put(Target& target, const std::string& text)
{
    const int fd = target.path.empty() ? STDOUT_FILENO : target.file.get();
    target.written = true;
    for (size_t at = 0; at < text.size();) {
        const ssize_t wrote = ::write(fd, text.data() + at, text.size() - at);
        if (wrote < 0 && errno != EINTR)
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

int exit_code(const Report& report)
{
    if (fails(report))
        return static_cast<int>(Exit::kFindings);
    if (!report.observation.complete)
        return static_cast<int>(Exit::kIncomplete);
    if (!report.child)
        return static_cast<int>(Exit::kClean);
    return report.child->signal ? 128 + report.child->signal : report.child->exit_status;
}

}  // namespace epaudit
