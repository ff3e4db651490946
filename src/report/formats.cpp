// SPDX-License-Identifier: Apache-2.0
#include "src/report/formats.h"

#include <algorithm>
#include <ostream>

#include "src/report/json.h"
#include "src/report/suppressions.h"
#include "src/report/text.h"
#include "src/report/verdict.h"

namespace epaudit {

void write_suppressions(const Report& report, std::ostream& out) { out << suppressions_text(verdict_of(report).shown); }

const std::vector<Format>& formats()
{
    static const std::vector<Format> all{
        {"text", "for people", write_text},
        {"json", "everything, schema epaudit/1", write_json},
        {"ndjson", "the same, a line at a time while it is observed", write_ndjson},
        {"sarif", "SARIF 2.1.0 for code scanning", write_sarif},
        {"junit", "JUnit XML, one test case per rule", write_junit},
        {"html", "one page with charts, no network", write_html},
        {"github", "annotations of GitHub Actions", write_github},
        {"perfetto", "a trace for ui.perfetto.dev", write_perfetto},
        {"suppressions", "entries for epaudit.toml that would suppress it", write_suppressions},
    };
    return all;
}

const Format* find_format(std::string_view name)
{
    auto at = std::find_if(formats().begin(), formats().end(), [&](const Format& f) { return f.name == name; });
    return at == formats().end() ? nullptr : &*at;
}

std::vector<std::string> format_names()
{
    std::vector<std::string> names;
    for (const Format& format : formats())
        names.push_back(format.name);
    return names;
}

}  // namespace epaudit
