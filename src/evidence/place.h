// SPDX-License-Identifier: Apache-2.0
// Where a finding lies in the source: which frame of its stacks to point at, and how to write its path so
// that it means something where the report is read.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "src/finding/finding.h"

namespace epaudit {

// The frame to point at: the innermost one of the user's own code, in the first stack that has one. Own are frames below
// the working directory of the program, where there are such, else those of the project (is_project_frame()). Functions that
// only pass epoll_ctl on are stepped over when one of the user's called them: known by their names, or because all of the
// program's calls come through them (Stack::helpers). nullptr: none has a function and a source line.
struct GuiltyPlace {
    const Frame* frame = nullptr;
    const Frame* helper = nullptr;  // the innermost that was stepped over; nullptr: none was
};
GuiltyPlace guilty_place(const Finding& finding);
const Frame* guilty_frame(const Finding& finding);

// The frame whose function a finding is known by from run to run. Helpers are those known by name only, and the working
// directory counts only where nothing else tells: whether a second caller was seen, and from where a program was started,
// differs between runs of one program.
const Frame* naming_frame(const Finding& finding);

// The functions through which all of a program's calls of epoll_ctl come, of which there is one stack for each place, and
// which are called from more than one place: who calls them decides. Innermost first; mostly there are none.
std::vector<Helper> helpers_among(const std::vector<const Stack*>& armed, const std::string& exe,
                                  const std::string& directory);

// Not of a system library, a language's run-time, a package or a header below /usr.
bool is_project_frame(const Frame& frame, const std::string& exe);

// Below `directory`: relative to it, so that annotations land; else as it is. Lexical: the file need not exist.
std::string shown_path(const std::string& path, const std::string& directory);

// The guilty line and its neighbours in the text of its file; nothing where it has no such line or is not text.
std::optional<SourceExcerpt> excerpt_of(const Frame& frame, std::istream& in, int neighbours = 2);

}  // namespace epaudit
