// SPDX-License-Identifier: Apache-2.0
#include "src/evidence/source_text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "src/evidence/place.h"
#include "src/support/apart.h"
#include "src/support/caller.h"
#include "src/support/regular_file.h"

namespace epaudit {
namespace {

namespace fs = std::filesystem;

constexpr off_t kLargestFile = 8 << 20;
constexpr size_t kLongestName = 16384;
constexpr int kReadMs = 5000;  // a network file system may hang

// Whose rights count, and below which directory names are looked up.
struct Reader {
    uid_t uid = 0;
    gid_t gid = 0;
    Descriptor root;
    std::string name;            // relative to `root`
    bool for_everybody = false;  // only what everybody may read
};

Descriptor open_directory(const std::string& path)
{
    return Descriptor(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

// In a child that is that user already, and has no other rights.
std::string read_whole(const Reader& reader)
{
    const Descriptor file = open_regular_at(
        reader.root.get(), reader.name, Links::kFollow,
        RESOLVE_NO_MAGICLINKS | (reader.for_everybody ? RESOLVE_BENEATH : RESOLVE_IN_ROOT));
    struct stat info {};
    if (!file || fstat(file.get(), &info) || info.st_size > kLargestFile ||
        (reader.for_everybody && !(info.st_mode & S_IROTH)))
        return {};
    std::string text(static_cast<size_t>(info.st_size), '\0');
    const ssize_t got = read(file.get(), text.data(), text.size());
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return text;
}

void read_apart(Channel channel)
{
    alarm(2 * kReadMs / 1000);  // a file system that hangs
    Reader reader;
    std::string message;
    if (!channel.receive(message, &reader.root, kLongestName))
        return;
    Unpacker words(message);
    reader.for_everybody = words.word() != 0;
    reader.name = words.text();
    if (words.ok())
        channel.send(read_whole(reader));
}

const bool kHasWorker = set_worker(ApartWork::kSourceText, read_apart);

std::string read_in_child(const Reader& reader)
{
    Channel child(start_apart(ApartWork::kSourceText, reader.uid, reader.gid));
    std::string text;
    const Packer order = Packer().word(reader.for_everybody).text(reader.name);
    if (!kHasWorker || !child || !child.send(order.bytes(), reader.root.get(), kReadMs) ||
        !child.receive(text, nullptr, kLargestFile, kReadMs))
        return {};
    return text;
}

bool is_below(const std::string& relative)
{
    return !relative.empty() && relative != "." && *fs::path(relative).begin() != "..";
}

// In the working directory, which root has from whoever called it.
std::optional<Reader> reader_in(const std::string& directory, const fs::path& file)
{
    const std::string below = file.lexically_relative(directory).string();
    if (directory.empty() || directory == "/" || !is_below(below))
        return std::nullopt;
    Reader reader{geteuid(), getegid(), open_directory(directory), below, geteuid() == 0};
    if (const auto caller = sudo_caller()) {
        reader.uid = caller->uid;
        reader.gid = caller->gid;
    }
    return reader;
}

std::optional<Reader> reader_of_caller(const fs::path& file)
{
    const auto caller = sudo_caller();
    Reader reader{caller ? caller->uid : geteuid(), caller ? caller->gid : getegid(), open_directory("/"),
                  file.string(), false};
    return reader.uid == 0 ? std::nullopt : std::optional(std::move(reader));
}

// Who may not be looked at belongs to root in /proc, and is none of these.
std::optional<Reader> reader_of_process(uint32_t pid, const fs::path& file)
{
    struct stat owner {};
    const std::string process = fmt::format("/proc/{}", pid);
    if (pid == 0 || stat(process.c_str(), &owner) || owner.st_uid == 0 || (geteuid() != 0 && geteuid() != owner.st_uid))
        return std::nullopt;
    return Reader{owner.st_uid, owner.st_gid, open_directory(process + "/root"), file.string(), false};
}

}  // namespace

std::optional<SourceExcerpt> SourceText::excerpt(const Frame& frame, uint32_t pid, int neighbours) const
{
    if (from_ == From::kNowhere || frame.file.empty() || frame.line <= 0)
        return std::nullopt;
    fs::path file = frame.file;
    if (file.is_relative())
        file = fs::path(directory_) / file;
    file = file.lexically_normal();
    auto reader = reader_in(fs::path(directory_).lexically_normal().string(), file);
    if (!reader && from_ == From::kCaller)
        reader = reader_of_caller(file);
    if (!reader && from_ == From::kProcess)
        reader = reader_of_process(pid, file);
    if (!reader || !reader->root)
        return std::nullopt;
    std::istringstream text(read_in_child(*reader));
    return excerpt_of(frame, text, neighbours);
}

}  // namespace epaudit
