// SPDX-License-Identifier: Apache-2.0
#include "src/support/new_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "src/support/apart.h"
#include "src/support/caller.h"

namespace epaudit {
namespace {

namespace fs = std::filesystem;

constexpr int kMostLinks = 40;  // as the kernel has it

Error cannot_write(const std::string& path, int error)
{
    return usage_error(fmt::format("cannot write {}: {}", path, strerror(error)));
}

std::string parent_of(const std::string& path)
{
    const std::string parent = fs::path(path).parent_path().string();
    return parent.empty() ? "." : parent;
}

// May anybody put a link there but those whom we trust?
bool others_may_write(const std::string& directory)
{
    struct stat info {};
    return stat(directory.c_str(), &info) != 0 || !is_trusted_user(info.st_uid) || (info.st_mode & (S_IWGRP | S_IWOTH));
}

// A single file that is mounted over cannot be replaced, only written.
bool is_mounted(const std::string& path)
{
    struct statx info {};
    return statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &info) == 0 &&
           (info.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) && (info.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

mode_t usual_mode()
{
    const mode_t mask = umask(022);
    umask(mask);
    return 0666 & ~mask;
}

}  // namespace

int write_whole(int fd, std::string_view text)
{
    while (!text.empty()) {
        const ssize_t wrote = write(fd, text.data(), text.size());
        if (wrote > 0) {
            text.remove_prefix(static_cast<size_t>(wrote));
        } else if (wrote == 0) {
            return EIO;
        } else if (errno == EAGAIN) {  // somebody else made it non-blocking
            pollfd room{fd, POLLOUT, 0};
            poll(&room, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

bool is_standard_output(const std::string& path)
{
    return path == "-" || path == "/dev/stdout" || path == "/dev/fd/1" || path == "/proc/self/fd/1";
}

Result<std::string> resolve_links(const std::string& path)
{
    std::string at = path;
    for (int links = 0; links < kMostLinks; links++) {
        struct stat info {};
        if (lstat(at.c_str(), &info) || !S_ISLNK(info.st_mode))
            return at;
        if (!is_trusted_user(info.st_uid) && others_may_write(parent_of(at)))
            return usage_error(fmt::format("{} is a link that somebody else made where others may write: it is not "
                                           "followed",
                                           at),
                               "name the file that is meant");
        std::error_code error;
        const fs::path next = fs::read_symlink(at, error);
        if (error)
            return cannot_write(path, error.value());
        struct stat there {};
        if (next.string().find(":[") != std::string::npos && !stat(at.c_str(), &there))  // /proc/self/fd/5: a pipe
            return at;
        at = next.is_absolute() ? next.string() : (fs::path(parent_of(at)) / next).string();
    }
    return cannot_write(path, ELOOP);
}

NewFile::NewFile(NewFile&& other) noexcept { *this = std::move(other); }

NewFile& NewFile::operator=(NewFile&& other) noexcept
{
    if (this == &other)
        return *this;
    discard();
    path_ = std::exchange(other.path_, {});
    target_ = std::exchange(other.target_, {});
    beside_ = std::exchange(other.beside_, {});
    owned_ = std::exchange(other.owned_, false);
    standard_ = std::exchange(other.standard_, false);
    file_ = std::move(other.file_);
    return *this;
}

int NewFile::fd() const { return standard_ ? STDOUT_FILENO : file_.get(); }

Result<NewFile> NewFile::open(const std::string& path, Access access)
{
    NewFile file;
    file.path_ = path;
    if (is_standard_output(path)) {
        file.standard_ = true;
        return file;
    }
    auto target = resolve_links(path);
    if (!target)
        return target.error();
    file.target_ = std::move(*target);
    if (auto ok = file.open_beside(access); !ok)
        return ok.error();
    return file;
}

Result<> NewFile::open_beside(Access access)
{
    struct stat old {};
    const bool there = lstat(target_.c_str(), &old) == 0;
    const bool plain = there && S_ISREG(old.st_mode);
    if (there && !plain) {
        const int error = open_in_place();
        return error ? Result<>(cannot_write(path_, error)) : Done{};
    }
    if (plain && faccessat(AT_FDCWD, target_.c_str(), W_OK, AT_EACCESS))
        return cannot_write(path_, errno);
    std::string beside = parent_of(target_) + "/.epaudit-XXXXXX";
    if (!plain || !is_mounted(target_))
        file_ = Descriptor(mkostemp(beside.data(), O_CLOEXEC));
    if (!file_) {
        int error = errno;
        if (plain)  // a directory that is closed to us
            error = open_in_place();
        if (error || !plain)
            return cannot_write(path_, error);
        return ftruncate(file_.get(), 0) ? Result<>(cannot_write(path_, errno)) : Done{};
    }
    beside_ = std::move(beside);
    tell_broker_of_output(beside_, target_);
    mode_t mode = access == Access::kOwner ? 0600 : plain ? old.st_mode & 0777 : usual_mode();
    // It stays whose it was. Who may not give files away keeps it.
    if (plain && (old.st_uid != geteuid() || old.st_gid != getegid()) && fchown(file_.get(), old.st_uid, old.st_gid) &&
        errno != EPERM)
        return cannot_write(path_, errno);
    if (fchmod(file_.get(), mode) && errno != EPERM)  // file systems without modes
        return cannot_write(path_, errno);
    return Done{};
}

int NewFile::open_in_place()
{
    file_ = Descriptor(::open(target_.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    return file_ ? 0 : errno;
}

int NewFile::publish()
{
    if (beside_.empty())
        return 0;
    if (const int error = rename_output(beside_, target_))
        return error;
    beside_.clear();
    owned_ = true;
    return 0;
}

int NewFile::finish()
{
    if (standard_)
        return 0;
    // What could not be kept, a network file system may say only now.
    const int kept = dup(file_.get());
    if (kept >= 0 && close(kept) && errno != EINTR)
        return errno;
    const int error = publish();
    owned_ &= error != 0;  // whole: it stays
    return error;
}

void NewFile::remove_old() const
{
    if (!beside_.empty())
        unlink_output(target_);
}

void NewFile::discard()
{
    if (!beside_.empty())
        unlink_output(beside_);
    else if (owned_)
        unlink_output(target_);
    beside_.clear();
    owned_ = false;
    file_.reset();
}

}  // namespace epaudit
