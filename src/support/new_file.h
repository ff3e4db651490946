// SPDX-License-Identifier: Apache-2.0
// A file that is written beside its name and takes it when it is whole: what was there before survives a full disk, a
// crash and a mistake. "-" is standard output; devices and pipes are written to as they are.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "src/support/descriptor.h"
#include "src/support/result.h"

namespace epaudit {

// Writes all of it, also to a descriptor that is non-blocking. 0, or errno.
int write_whole(int fd, std::string_view text);

// "-" and its other names, that lead to wherever standard output does.
bool is_standard_output(const std::string& path);

// Where a name leads in the end, whether or not there is a file. A link that somebody else has put where others may
// write is an error.
Result<std::string> resolve_links(const std::string& path);

class NewFile {
public:
    enum class Access { kUsual, kOwner };  // as the umask has it, or for the owner alone

    // The error says why `path` could not be written later on, as far as that can be known.
    static Result<NewFile> open(const std::string& path, Access access = Access::kUsual);
    NewFile() = default;
    NewFile(NewFile&& other) noexcept;
    NewFile& operator=(NewFile&& other) noexcept;
    ~NewFile() { discard(); }

    const std::string& path() const { return path_; }
    int fd() const;
    int write(std::string_view text) const { return write_whole(fd(), text); }
    // It takes its name, and may be written on. 0, or errno: then what was there before still is.
    int publish();
    // No more is written: publishes it. 0, or errno.
    int finish();
    // From now on it stays when it is discarded, whole or not.
    void keep() { owned_ = false; }
    // What was there before goes, so that nobody takes it for what will be written.
    void remove_old() const;
    // Takes the file away again, its name as well if it has it.
    void discard();

private:
    Result<> open_beside(Access access);
    int open_in_place();

    std::string path_;    // as it was given
    std::string target_;  // where that leads
    std::string beside_;  // the name it has until it is published; empty: it has none of its own
    bool owned_ = false;  // `target_` is a regular file of ours: it goes when it is discarded
    bool standard_ = false;
    Descriptor file_;
};

}  // namespace epaudit
