// SPDX-License-Identifier: Apache-2.0
// Where reports go. Files are opened before anything is observed, so that a typing error does not cost an hour; a report
// has its name once it is whole, and one of an earlier run is never taken for this one's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/report/formats.h"
#include "src/report/ndjson.h"
#include "src/session/options.h"
#include "src/support/new_file.h"
#include "src/support/result.h"

namespace epaudit {

// "json=report.json", "text". The error lists the formats.
Result<Output> parse_output(const std::string& spec);

class Judge;

class Outputs {
public:
    // Nothing wanted: text on standard output.
    static Result<Outputs> open(const AuditOptions& options);

    // While the observation goes on, for formats that are streams. `report` holds what is known at the beginning.
    bool streams() const;
    Result<> begin(const Report& report);
    Result<> progress(const RateSample* sample, const std::vector<Finding>& findings, const std::string& directory);
    // Writes the report in each format.
    Result<> write(Report& report);

private:
    struct Target {
        const Format* format = nullptr;
        NewFile file;  // not an ofstream: the target must not inherit it
        std::unique_ptr<NdjsonStream> stream;
    };
    Outputs() = default;
    static Result<> put(Target& target, const std::string& text);

    std::vector<Target> targets_;
    bool colour_ = false;
};

// Tells whoever started us, by the file that was asked for, that nothing goes unseen from now on.
Result<> announce_ready(const AuditOptions& options);

// Writes down what was found and what it comes to, and answers the exit code. An error when nothing could be judged.
Result<int> conclude(Judge& judge, Outputs& outputs, Report& report);

}  // namespace epaudit
