// SPDX-License-Identifier: Apache-2.0
#include "src/evidence/place.h"

#include <algorithm>
#include <filesystem>
#include <istream>
#include <iterator>

namespace epaudit {
namespace {

// Sources nobody who reads the report can fix: headers and libraries of the system, glibc's own relative
// paths, the run-times of Go and Rust.
constexpr std::string_view kForeignSources[] = {"/usr/include/", "/usr/lib/",  "/usr/src/", "/usr/local/go/src/",
                                                "../sysdeps/",   "./sysdeps/", "/rustc/"};
constexpr std::string_view kForeignModules[] = {"/lib/",       "/lib64/",     "/lib32/", "/usr/lib/",
                                                "/usr/lib64/", "/usr/lib32/", "[vdso]",  "linux-vdso"};
// Generated code and minified sources have lines no report can hold.
constexpr size_t kLongestLine = 400;

template <typename List>
bool starts_with_any(const std::string& text, const List& prefixes)
{
    return std::any_of(std::begin(prefixes), std::end(prefixes),
                       [&](std::string_view p) { return text.starts_with(p); });
}

}  // namespace

bool is_project_frame(const Frame& frame, const std::string& exe)
{
    if (frame.file.empty() || frame.line <= 0 || starts_with_any(frame.file, kForeignSources))
        return false;
    return frame.module == exe || !starts_with_any(frame.module, kForeignModules);
}

const Frame* guilty_frame(const Finding& finding)
{
    for (const Stack& stack : finding.stacks)
        for (const Frame& frame : stack.frames)
            if (is_project_frame(frame, finding.exe))
                return &frame;
    return nullptr;
}

std::string shown_path(const std::string& path, const std::string& directory)
{
    namespace fs = std::filesystem;
    const fs::path file = fs::path(path).lexically_normal();
    if (file.is_relative() || directory.empty() || directory == "/")
        return file.string();
    const fs::path below = file.lexically_relative(fs::path(directory).lexically_normal());
    if (below.empty() || below == "." || *below.begin() == "..")
        return file.string();
    return below.string();
}

std::optional<SourceExcerpt> excerpt_of(const Frame& frame, std::istream& in, int neighbours)
{
    SourceExcerpt excerpt{frame.file, frame.line, std::max(1, frame.line - neighbours), {}};
    int number = 1;
    for (std::string line; number <= frame.line + neighbours && std::getline(in, line); number++) {
        if (line.find('\0') != std::string::npos)
            return std::nullopt;
        if (line.size() > kLongestLine)
            line.resize(kLongestLine);
        if (number >= excerpt.first)
            excerpt.lines.push_back(line);
    }
    if (excerpt.first + static_cast<int>(excerpt.lines.size()) <= frame.line)
        return std::nullopt;  // the file has changed: it is shorter than the line
    return excerpt;
}

}  // namespace epaudit
