// SPDX-License-Identifier: Apache-2.0
// The parts of the JSON report, for formats that hold the same objects: one line each in ndjson.
#pragma once

#include <nlohmann/json.hpp>

#include "src/report/report.h"
#include "src/report/verdict.h"

namespace epaudit {

using Json = nlohmann::ordered_json;

double rounded(double value);  // to six digits: without it 0.1 + 0.2 prints seventeen
Json coverage_json(const std::vector<RuleCoverage>& coverage);
Json observation_json(const Observation& seen);
Json container_json(const Container& container);
// "unit", "container" and "pod", as far as they are known.
Json workload_json(const Workload& workload);
Json target_json(const Report& report);
Json child_json(const Child& child);
Json verdict_json(const Verdict& verdict);
// {"configuration": ...}: the file in force, rules that are off, programs that are not judged.
Json configuration_json(const Report& report);
// Paths below `directory` become relative to it.
Json finding_json(const Finding& finding, const std::string& directory);

}  // namespace epaudit
