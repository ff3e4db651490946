// SPDX-License-Identifier: Apache-2.0
#include "src/evidence/place.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <istream>
#include <iterator>

namespace epaudit {
namespace {

// Sources nobody who reads the report can fix: headers and libraries of the system, glibc's own relative
// paths, the run-times of Go and Rust.
constexpr std::string_view kForeignSources[] = {
    "/usr/include/", "/usr/lib/", "/usr/src/", "/usr/local/go/src/", "../sysdeps/", "./sysdeps/",
    "/rustc/",       "node:",     "<"};
// The same wherever they were installed: what a package manager of the language fetched.
constexpr std::string_view kForeignFolders[] = {"/node_modules/",    "/lib/python3.",        "/site-packages/",
                                                "/.cargo/registry/", "/.rustup/toolchains/", "/pkg/mod/"};
// Packages of Go's own library: with -trimpath, and with Go below some home, their path does not tell.
constexpr std::string_view kGoPackages[] = {"runtime", "syscall", "internal", "net", "os",
                                            "io",      "bufio",   "sync",     "time"};
// Functions that only pass epoll_ctl on: whoever calls them made the mistake. Beginnings of names in event libraries that are
// compiled into programs, and whole names, in small letters without underscores, that people give their own.
constexpr std::string_view kLibraryWrappers[] = {
    "uv__",        "aeApi",     "aeCreateFileEvent", "evmap_",     "epoll_apply_", "epoll_nochangelist_",
    "ev_io_start", "ev_epoll_", "epoll_modify",      "ngx_epoll_", "fdevent_"};
constexpr std::string_view kOwnWrappers[] = {"ctl",      "epctl",       "epadd",         "epmod",    "epdel",
                                             "epset",    "epollctl",    "epolladd",      "epollmod", "epollmodify",
                                             "epollset", "epollupdate", "epollregister", "eventadd", "eventaddnolock"};
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

// What runs a program of another language is not that program, though it is what was executed.
bool is_runtime(const std::string& module)
{
    constexpr std::string_view kRuntimes[] = {"node", "nodejs", "java", "beam.smp", "dotnet", "ruby", "php", "perl"};
    const std::string_view file = std::string_view(module).substr(module.rfind('/') + 1);
    return (file.starts_with("python") && file.find_first_not_of("0123456789.", 6) == std::string_view::npos) ||
           file.starts_with("libpython") || module.find("/lib/python3.") != std::string::npos ||
           std::find(std::begin(kRuntimes), std::end(kRuntimes), file) != std::end(kRuntimes);
}

bool of_go_itself(const Frame& frame)
{
    if (!frame.file.ends_with(".go"))
        return false;
    const std::string_view package = std::string_view(frame.function).substr(0, frame.function.find_first_of("./"));
    return std::find(std::begin(kGoPackages), std::end(kGoPackages), package) != std::end(kGoPackages);
}

bool is_fetched(const Frame& frame)
{
    return std::any_of(std::begin(kForeignFolders), std::end(kForeignFolders),
                       [&](std::string_view folder) { return frame.file.find(folder) != std::string::npos; });
}

// Directories of the system, and those below which there is more than one project, say nothing.
bool is_of_one_project(const std::string& directory)
{
    constexpr std::string_view kSystem[] = {"/usr/include", "/usr/lib", "/usr/share", "/usr/local/go", "/lib"};
    constexpr std::string_view kShared[] = {"/",    "/usr",  "/usr/src", "/usr/local", "/usr/bin", "/usr/sbin",
                                            "/opt", "/home", "/var",     "/srv",       "/tmp"};
    return directory.starts_with('/') && !starts_with_any(directory, kSystem) &&
           std::find(std::begin(kShared), std::end(kShared), directory) == std::end(kShared);
}

// Also below /usr/src: images of containers have programs there.
bool is_below(const Frame& frame, const std::string& directory)
{
    return frame.file.starts_with('/') && frame.line > 0 && is_of_one_project(directory) &&
           !shown_path(frame.file, directory).starts_with('/') && !is_fetched(frame) && !of_go_itself(frame) &&
           !is_runtime(frame.module);
}

using Frames = std::vector<const Frame*>;

// Innermost first. Those below the directory, where there are such: what else has a source may be a library.
Frames own_frames(const Stack& stack, const std::string& exe, const std::string& directory)
{
    Frames below, project;
    for (const Frame& frame : stack.frames) {
        if (is_below(frame, directory))
            below.push_back(&frame);
        if (is_project_frame(frame, exe))
            project.push_back(&frame);
    }
    return below.empty() ? project : below;
}

// "Loop::epoll_mod(int, unsigned)" -> "epoll_mod"
std::string_view own_name(std::string_view function)
{
    function = function.substr(0, function.find('('));
    const size_t last = function.find_last_of(":.");
    return last == std::string_view::npos ? function : function.substr(last + 1);
}

bool named_as_helper(const Frame& frame)
{
    const std::string_view own = own_name(frame.function);
    if (starts_with_any(std::string(own), kLibraryWrappers))
        return true;
    std::string plain;
    for (char c : own)
        if (c != '_')
            plain += static_cast<char>(tolower(static_cast<unsigned char>(c)));
    return std::find(std::begin(kOwnWrappers), std::end(kOwnWrappers), plain) != std::end(kOwnWrappers);
}

}  // namespace

bool is_project_frame(const Frame& frame, const std::string& exe)
{
    if (frame.file.empty() || frame.line <= 0 || starts_with_any(frame.file, kForeignSources) || of_go_itself(frame) ||
        is_runtime(frame.module))
        return false;
    if (is_fetched(frame))
        return false;
    return frame.module == exe || !starts_with_any(frame.module, kForeignModules);
}

GuiltyPlace guilty_place(const Finding& finding)
{
    for (const Stack& stack : finding.stacks) {
        const auto is_helper = [&](const Frame* frame) {
            return named_as_helper(*frame) || std::find(stack.helpers.begin(), stack.helpers.end(),
                                                        Helper{frame->function, frame->file}) != stack.helpers.end();
        };
        const Frames own = own_frames(stack, finding.exe, finding.directory);
        if (own.empty())
            continue;
        const auto at = std::find_if_not(own.begin(), own.end(), is_helper);
        if (at == own.begin() || at == own.end())
            return {own.front(), nullptr};
        return {*at, own.front()};
    }
    return {};
}

const Frame* guilty_frame(const Finding& finding) { return guilty_place(finding).frame; }

const Frame* naming_frame(const Finding& finding)
{
    for (const std::string& directory : {std::string(), finding.directory})
        for (const Stack& stack : finding.stacks) {
            const Frames own = own_frames(stack, finding.exe, directory);
            if (own.empty())
                continue;
            const auto at = std::find_if_not(own.begin(), own.end(),
                                             [](const Frame* frame) { return named_as_helper(*frame); });
            return at == own.end() ? own.front() : *at;
        }
    return nullptr;
}

std::vector<Helper> helpers_among(const std::vector<const Stack*>& armed, const std::string& exe,
                                  const std::string& directory)
{
    std::vector<Frames> callers;  // of each, from the innermost that no list knows
    size_t least = SIZE_MAX;
    for (const Stack* stack : armed) {
        Frames own = own_frames(*stack, exe, directory);
        own.erase(own.begin(),
                  std::find_if_not(own.begin(), own.end(), [](const Frame* frame) { return named_as_helper(*frame); }));
        if (own.empty())
            continue;
        least = std::min(least, own.size());
        callers.push_back(std::move(own));
    }
    if (callers.size() < 2)
        return {};
    const auto same = [&](size_t depth, auto equal) {
        return std::all_of(callers.begin(), callers.end(),
                           [&](const Frames& one) { return equal(*one[depth], *callers[0][depth]); });
    };
    const auto function = [](const Frame& a, const Frame& b) { return a.function == b.function && a.file == b.file; };
    const auto line = [](const Frame& a, const Frame& b) { return a.line == b.line; };
    size_t shared = 0;
    while (shared < least && same(shared, function))
        shared++;
    // All from one function, and nobody else: from several lines of it, the innermost was passed through all the same.
    if (shared == least)
        shared = least > 1 && !same(1, line) ? 1 : 0;
    std::vector<Helper> helpers;
    for (size_t depth = 0; depth < shared; depth++)
        helpers.push_back({callers[0][depth]->function, callers[0][depth]->file});
    return helpers;
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
