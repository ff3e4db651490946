// SPDX-License-Identifier: Apache-2.0
#include "src/session/outputs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "src/report/verdict.h"
#include "src/session/files.h"
#include "src/session/judge.h"
#include "src/support/nearest.h"
#include "src/support/terminal.h"

namespace epaudit {
namespace {

Error cannot_write(const NewFile& file, int error)
{
    return usage_error(fmt::format("cannot write {}: {}",
                                   is_standard_output(file.path()) ? "standard output" : file.path(), strerror(error)));
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
    if (is_standard_output(output.path))
        output.path.clear();
    return output;
}

Result<Outputs> Outputs::open(const AuditOptions& options)
{
    Outputs outputs;
    outputs.colour_ = wants_colour(options.color, STDOUT_FILENO);
    std::vector<Output> wanted = options.outputs;
    if (wanted.empty())
        wanted.push_back({"text", ""});
    if (auto ok = check_files(options); !ok)
        return ok.error();
    for (const Output& output : wanted) {
        Target target{find_format(output.format), {}, nullptr};
        if (output.format == "ndjson")
            target.stream = std::make_unique<NdjsonStream>();
        auto file = NewFile::open(output.path.empty() ? "-" : output.path);
        if (!file)
            return file.error();
        target.file = std::move(*file);
        outputs.targets_.push_back(std::move(target));
    }
    for (Target& target : outputs.targets_) {
        target.file.remove_old();  // a report of an earlier run is never taken for this one's
        if (target.stream)         // that is read while it grows
            if (int error = target.file.publish())
                return cannot_write(target.file, error);
    }
    return outputs;
}

Result<> Outputs::put(Target& target, const std::string& text)
{
    if (target.stream)
        target.file.keep();  // what there is of it is of use
    if (int error = target.file.write(text))
        return cannot_write(target.file, error);
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
        const bool shown = is_standard_output(target.file.path());
        report.options.colour = shown && colour_;
        report.options.width = shown ? static_cast<unsigned>(text_width(STDOUT_FILENO)) : Options().width;
        std::ostringstream text;
        if (target.stream)
            text << target.stream->end(report);
        else
            target.format->write(report, text);
        if (auto ok = put(target, text.str()); !ok)
            return ok;
        if (int error = target.file.finish())
            return cannot_write(target.file, error);
    }
    return Done{};
}

Result<> announce_ready(const AuditOptions& options)
{
    if (options.ready_file.empty())
        return Done{};
    auto ready = NewFile::open(options.ready_file);
    if (!ready)
        return ready.error();
    int error = ready->write(fmt::format("{}\n", getpid()));
    if (!error)
        error = ready->finish();
    return error ? Result<>(cannot_write(*ready, error)) : Done{};
}

Result<int> conclude(Judge& judge, Outputs& outputs, Report& report)
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
