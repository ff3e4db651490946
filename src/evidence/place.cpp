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

// "Loop::epoll_mod(int, unsigned)" -> "epoll_mod"
std::string_view own_name(std::string_view function)
{
    function = function.substr(0, function.find('('));
    const size_t last = function.find_last_of(":.");
    return last == std::string_view::npos ? function : function.substr(last + 1);
}

bool passes_on(const Frame& frame)
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
    if (std::any_of(std::begin(kForeignFolders), std::end(kForeignFolders),
                    [&](std::string_view folder) { return frame.file.find(folder) != std::string::npos; }))
        return false;
    return frame.module == exe || !starts_with_any(frame.module, kForeignModules);
}

const Frame* guilty_frame(const Finding& finding)
{
    for (const Stack& stack : finding.stacks) {
        const Frame* wrapper = nullptr;
        for (const Frame& frame : stack.frames) {
            if (!is_project_frame(frame, finding.exe))
                continue;
            if (!passes_on(frame))
                return &frame;
            if (!wrapper)
                wrapper = &frame;
        }
        if (wrapper)
            return wrapper;
    }
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
