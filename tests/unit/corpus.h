// SPDX-License-Identifier: Apache-2.0
// Logs of tests/corpus with what must be found in them.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "src/audit/auditor.h"

namespace epaudit {

struct CorpusLog {
    std::string name;
    std::string path;  // of the log
    Profile profile = Profile::kProduction;
    std::map<std::string, std::string> findings;  // rule -> level, at or above likely
    std::map<std::string, Level> told;            // rule -> level, below that
    std::map<std::string, std::string> coverage;  // rule -> status
};

// All of them, by name. Files without their other half are reported by a name that starts with '!'.
std::vector<CorpusLog> read_corpus(const std::string& directory);

// The lines of a log, directives carried out.
void corpus_lines(const CorpusLog& log, const std::function<void(const std::string&)>& each);

}  // namespace epaudit
