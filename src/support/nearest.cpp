// SPDX-License-Identifier: Apache-2.0
#include "src/support/nearest.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace epaudit {
namespace {

size_t edit_distance(std::string_view a, std::string_view b)
{
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[b.size()];
}

std::string only_one_with(std::string_view part, const std::vector<std::string>& candidates)
{
    auto has = [part](const std::string& candidate) { return candidate.find(part) != std::string::npos; };
    if (part.size() < 3 || std::count_if(candidates.begin(), candidates.end(), has) != 1)
        return {};
    return *std::find_if(candidates.begin(), candidates.end(), has);
}

}  // namespace

std::string nearest(std::string_view wanted, const std::vector<std::string>& candidates)
{
    std::string best;
    size_t best_distance = std::max<size_t>(2, wanted.size() / 3) + 1;
    for (const std::string& candidate : candidates) {
        size_t distance = edit_distance(wanted, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best.empty() ? only_one_with(wanted, candidates) : best;
}

std::string did_you_mean(std::string_view wanted, const std::vector<std::string>& candidates, std::string otherwise)
{
    const std::string near = nearest(wanted, candidates);
    return near.empty() ? std::move(otherwise) : fmt::format("did you mean '{}'?", near);
}

}  // namespace epaudit
