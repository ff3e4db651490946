# Most of the time of a build goes into reading the same few library headers again and again. nlohmann/json.hpp is not one of
# them: what it makes of its templates it makes anew for each file that reads it, precompiled or not, and few need it.
set(EPAUDIT_LIBRARY_HEADERS <algorithm> <cstdint> <functional> <map> <memory> <optional> <set> <span> <string> <string_view>
    <utility> <vector> <fmt/format.h>)
