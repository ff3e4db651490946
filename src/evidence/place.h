// SPDX-License-Identifier: Apache-2.0
// Where a finding lies in the source: which frame of its stacks to point at, and how to write its path so
// that it means something where the report is read.
#pragma once

#include <iosfwd>
#include <string>

#include "src/finding/finding.h"

namespace epaudit {

// The frame to point at: the innermost one of the project, in the first stack that has one. Frames of system
// libraries, of a language's run-time, of packages and of headers under /usr are not the project's. Functions that only pass
// epoll_ctl on, by their names, are stepped over when one of the project called them. nullptr: none has a
// function and a source line of the project.
const Frame* guilty_frame(const Finding& finding);

bool is_project_frame(const Frame& frame, const std::string& exe);

// Below `directory`: relative to it, so that annotations land; else as it is. Lexical: the file need not exist.
std::string shown_path(const std::string& path, const std::string& directory);

// The guilty line and its neighbours in the text of its file; nothing where it has no such line or is not text.
std::optional<SourceExcerpt> excerpt_of(const Frame& frame, std::istream& in, int neighbours = 2);

}  // namespace epaudit
