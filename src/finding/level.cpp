// SPDX-License-Identifier: Apache-2.0
#include "src/finding/finding.h"

namespace epaudit {
namespace {

constexpr Level kLevels[] = {Level::kInfo, Level::kRisk, Level::kLikely, Level::kConfirmed};

}  // namespace

const char* level_name(Level level)
{
    switch (level) {
    case Level::kInfo: return "info";
    case Level::kRisk: return "risk";
    case Level::kLikely: return "likely";
    case Level::kConfirmed: return "confirmed";
    }
    return "info";
}

const char* lane_name(Lane lane)
{
    switch (lane) {
    case Lane::kDelivered: return "delivered";
    case Lane::kRead: return "read";
    case Lane::kWrite: return "write";
    case Lane::kControl: return "epoll_ctl";
    case Lane::kOther: break;
    }
    return "other";
}

std::optional<Level> parse_level(std::string_view name)
{
    for (Level level : kLevels) {
        if (name == level_name(level))
            return level;
    }
    return std::nullopt;
}

}  // namespace epaudit
