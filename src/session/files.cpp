// SPDX-License-Identifier: Apache-2.0
#include "src/session/files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <tuple>
#include <vector>

#include "src/support/new_file.h"

namespace epaudit {
namespace {

// A file that is there, by its inode; one that is not, by its name in a directory that is.
using Identity = std::tuple<dev_t, ino_t, std::string>;

struct Use {
    std::string path;  // as it was given
    const char* what;  // "the baseline"
    bool written;
    std::optional<Identity> identity;  // none: a device, a pipe, nothing
};

std::optional<Identity> identity_of(const struct stat& info)
{
    return S_ISREG(info.st_mode) ? std::optional(Identity{info.st_dev, info.st_ino, ""}) : std::nullopt;
}

Result<std::optional<Identity>> identity_of(const std::string& path, bool written)
{
    struct stat info {};
    if (path == "-" || (written && is_standard_output(path)))
        return fstat(written ? STDOUT_FILENO : STDIN_FILENO, &info) ? std::nullopt : identity_of(info);
    if (stat(path.c_str(), &info) == 0)
        return identity_of(info);
    auto target = resolve_links(path);
    if (!target)
        return target.error();
    const std::filesystem::path name(*target);
    const std::string parent = name.parent_path().string();
    if (stat(parent.empty() ? "." : parent.c_str(), &info))
        return std::optional<Identity>();
    return std::optional(Identity{info.st_dev, info.st_ino, name.filename().string()});
}

std::vector<Use> uses_of(const AuditOptions& options)
{
    std::string config = options.config;
    if (config.empty() && !options.no_config && access("epaudit.toml", F_OK) == 0)  // or a report may become it
        config = "epaudit.toml";
    std::vector<Use> uses{{options.input, "what is read", false, {}},
                          {config, "the configuration", false, {}},
                          {options.baseline, "the baseline", false, {}},
                          {options.record, "the recording", true, {}},
                          {options.write_baseline, "the baseline that is written", true, {}},
                          {options.ready_file, "the ready file", true, {}}};
    std::erase_if(uses, [](const Use& use) { return use.path.empty(); });
    for (const Output& output : options.outputs)
        uses.push_back({output.path.empty() ? "-" : output.path, "a report", true, {}});
    if (options.outputs.empty())
        uses.push_back({"-", "a report", true, {}});
    return uses;
}

bool is_report(const Use& use) { return use.what == std::string_view("a report"); }

Error conflict(const Use& one, const Use& other)
{
    if (is_report(one) && is_report(other))
        return usage_error(fmt::format("two formats are to be written to {}", other.path), "give each its own file");
    const std::string path = other.path == "-" ? "where standard output leads" : other.path;
    return usage_error(fmt::format("{} is {}: {} would overwrite it", path, one.what, other.what),
                       fmt::format("give {} another file", is_report(other) ? "the report" : other.what));
}

// Formats that are one document each: two in one file are none.
bool is_document(const std::string& format)
{
    return format != "text" && format != "github" && format != "suppressions";
}

Result<> check_standard_output(const AuditOptions& options)
{
    std::vector<std::string> there;
    bool document = false;
    auto add = [&](const std::string& what, const std::string& path, bool whole) {
        if (!is_standard_output(path))
            return;
        there.push_back(what);
        document |= whole;
    };
    for (const Output& output : options.outputs)
        add(output.format, output.path.empty() ? "-" : output.path, is_document(output.format));
    if (options.outputs.empty())
        add("text", "-", false);
    add("the recording", options.record, true);
    add("the baseline", options.write_baseline, true);
    if (!document || there.size() < 2)
        return Done{};
    return usage_error(fmt::format("{} cannot share standard output", fmt::join(there, " and ")),
                       options.outputs.empty() ? "give the report a file: --format text=FILE"
                                               : fmt::format("give one a file: --format {}=FILE", there.front()));
}

}  // namespace

Result<> check_files(const AuditOptions& options)
{
    if (auto ok = check_standard_output(options); !ok)
        return ok;
    std::vector<Use> uses = uses_of(options);
    for (Use& use : uses) {
        auto identity = identity_of(use.path, use.written);
        if (!identity)
            return identity.error();
        use.identity = std::move(*identity);
    }
    for (size_t i = 0; i < uses.size(); i++)
        for (size_t j = i + 1; j < uses.size(); j++) {
            const Use &one = uses[i], &other = uses[j];
            const bool same = one.identity && one.identity == other.identity;
            const bool renewed = one.what == std::string_view("the baseline") &&
                                 other.what == std::string_view("the baseline that is written");
            const bool text = is_report(one) && is_report(other) && one.path == "-" && other.path == "-";
            if (same && other.written && !renewed && !text)
                return conflict(one, other);
        }
    return Done{};
}

}  // namespace epaudit
