// SPDX-License-Identifier: Apache-2.0
// Every format a report can be written in. Several are written from one report; none of them decides anything.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "src/report/report.h"

namespace epaudit {

struct Format {
    const char* name;  // as in --format NAME=FILE
    const char* says;  // one line of help
    void (*write)(const Report&, std::ostream&);
};

const std::vector<Format>& formats();
const Format* find_format(std::string_view name);  // nullptr: there is none
std::vector<std::string> format_names();

// SARIF 2.1.0, as GitHub and other code scanning services take it.
void write_sarif(const Report& report, std::ostream& out);
// JUnit XML: one test case per rule, so that rules that looked and found nothing are seen to have passed.
void write_junit(const Report& report, std::ostream& out);
// Workflow commands of GitHub Actions: annotations on the lines of a pull request.
void write_github(const Report& report, std::ostream& out);

// One self-contained page.
void write_html(const Report& report, std::ostream& out);

// The whole stream of ndjson.h at once.
void write_ndjson(const Report& report, std::ostream& out);
// A trace for ui.perfetto.dev.
void write_perfetto(const Report& report, std::ostream& out);

// [[suppress]] entries for what is shown.
void write_suppressions(const Report& report, std::ostream& out);

}  // namespace epaudit
