// SPDX-License-Identifier: Apache-2.0
// Logs of healthy programs (tests/corpus/healthy-*) are silent at every length: cut anywhere at both ends, and whole
// turns of their loops repeated until a spin of that length would be judged. EPAUDIT_HEALTHY=DIR sweeps the logs of
// another folder, and every line of them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <regex>

#include "rules/catalogue.h"
#include "src/strace/import.h"
#include "src/strace/text_source.h"

namespace epaudit {
namespace {

namespace fs = std::filesystem;

constexpr size_t kWindow = 240;         // lines of a cut
constexpr size_t kRepeats = 500;        // of a fragment,
constexpr size_t kMostRepeated = 3000;  // up to so many lines
constexpr auto kBound = std::chrono::seconds(60);

struct Log {
    std::string name;
    std::vector<std::string> lines;
};

const char* elsewhere() { return std::getenv("EPAUDIT_HEALTHY"); }

std::vector<Log> healthy_logs()
{
    std::vector<Log> logs;
    for (const auto& entry : fs::directory_iterator(elsewhere() ? elsewhere() : EPAUDIT_SOURCE_DIR "/tests/corpus")) {
        const std::string name = entry.path().filename();
        if (name.find(".log") == std::string::npos || (!elsewhere() && name.rfind("healthy-", 0) != 0) ||
            name == "healthy-requests.log")  // has directives
            continue;
        auto source = TextSource::open(entry.path(), nullptr);
        if (!source)
            continue;
        Log& log = logs.emplace_back();
        log.name = name;
        for (std::string_view line; (*source)->next(line) == TextSource::Next::kLine;)
            log.lines.emplace_back(line);
    }
    std::sort(logs.begin(), logs.end(), [](const Log& a, const Log& b) { return a.name < b.name; });
    return logs;
}

// What is said of these lines at likely or above; empty: nothing.
std::string alarms(const Log& log, size_t from, size_t to, size_t times)
{
    Auditor auditor(Profile::kProduction, make_rules());
    StraceImport import(auditor, 65536);
    while (times--)
        for (size_t i = from; i < to; i++)
            import.line(log.lines[i]);
    import.finish();
    std::string told;
    for (const Finding& finding : auditor.findings())
        if (finding.level >= Level::kLikely)
            told += fmt::format("{} {}: {} [{}]\n", finding.rule, level_name(finding.level), finding.summary,
                                finding.shape);
    return told;
}

class HealthyLog : public testing::TestWithParam<Log> {
protected:
    void SetUp() override { began_ = std::chrono::steady_clock::now(); }
    void TearDown() override
    {
        EXPECT_TRUE(elsewhere() || std::chrono::steady_clock::now() - began_ < kBound) << "took too long";
    }

    std::chrono::steady_clock::time_point began_;
};

void PrintTo(const Log& log, std::ostream* out) { *out << log.name; }

TEST_P(HealthyLog, IsSilentCutAnywhere)
{
    const Log& log = GetParam();
    ASSERT_GT(log.lines.size(), 50U);
    const size_t size = log.lines.size();
    EXPECT_EQ(alarms(log, 0, size, 1), "");
    const size_t step = elsewhere() ? 1 : std::max<size_t>(1, size / 120);
    for (size_t at = 0; at < size; at += step) {
        EXPECT_EQ(alarms(log, at, std::min(at + kWindow, size), 1), "") << "lines from " << at + 1;
        EXPECT_EQ(alarms(log, at > kWindow ? at - kWindow : 0, at, 1), "") << "lines to " << at;
    }
    for (size_t at = 0; at < size; at += std::max<size_t>(1, size / 5))
        EXPECT_EQ(alarms(log, at, size, 1), "") << "from line " << at + 1;
}

// A fragment that holds the answers to all that it reports, one for one: what is repeated is healthy then.
bool answers_itself(const std::vector<std::string>& lines, size_t from, size_t to)
{
    static const std::regex wait(R"(epoll_p?wait2?\(.*\) += (\d+))"), event(R"(\{(?:events=)?(EPOLL[A-Z|]+), )"),
        data(R"(u64=(\d+))");
    static const std::regex used(
        R"((read|readv|recv|recvfrom|recvmsg|accept4?|write|writev|send|sendto|sendmsg|sendfile|close|shutdown|connect)\((\d+).*\) += (-?\d+))");
    std::vector<std::pair<std::string, bool>> open;  // data, output alone
    size_t reports = 0;
    std::smatch match;
    for (size_t i = from; i < to; i++) {
        const std::string& line = lines[i];
        if (line.find("unfinished") != std::string::npos || line.find("resumed") != std::string::npos)
            return false;
        if (std::regex_search(line, match, wait) && match[1] != "0") {
            auto masks = std::sregex_iterator(line.begin(), line.end(), event);
            auto numbers = std::sregex_iterator(line.begin(), line.end(), data);
            for (; masks != std::sregex_iterator() && numbers != std::sregex_iterator(); ++masks, ++numbers) {
                open.emplace_back((*numbers)[1], (*masks)[1] == "EPOLLOUT");
                reports++;
            }
        } else if (std::regex_search(line, match, used)) {
            const bool took = match[1].str()[0] == 'r' || match[1].str()[0] == 'a';
            const bool ends = match[1] == "close";
            if (!ends && match[3].str()[0] == '-')
                continue;
            std::erase_if(open, [&](const auto& one) {
                const bool pointer = one.first.size() > 6;
                return (one.first == match[2] || pointer) &&
                       (ends || (took ? match[3] != "0" && !one.second : one.second));
            });
        }
    }
    return reports && open.empty();
}

TEST_P(HealthyLog, IsSilentWhenItsTurnsAreRepeated)
{
    const Log& log = GetParam();
    std::vector<size_t> waits;
    for (size_t i = 0; i < log.lines.size(); i++)
        if (log.lines[i].find("epoll_wait(") != std::string::npos ||
            log.lines[i].find("epoll_pwait") != std::string::npos)
            waits.push_back(i);
    size_t fragments = 0;
    const size_t most = elsewhere() ? SIZE_MAX : 40;
    const size_t step = elsewhere() ? 1 : std::max<size_t>(1, waits.size() / 60);
    for (size_t i = 0; i + 1 < waits.size() && fragments < most; i += step) {
        for (size_t turns : {1, 3, 8}) {
            const size_t from = waits[i], to = waits[std::min(i + turns, waits.size() - 1)];
            if (to <= from || !answers_itself(log.lines, from, to))
                continue;
            fragments++;
            const size_t times = std::min(kRepeats, std::max(kMostRepeated / (to - from), size_t{20}));
            EXPECT_EQ(alarms(log, from, to, times), "")
                << "lines " << from + 1 << " to " << to << ", " << times << " times:\n"
                << log.lines[from];
        }
    }
    RecordProperty("fragments", static_cast<int>(fragments));
}

INSTANTIATE_TEST_SUITE_P(Logs, HealthyLog, testing::ValuesIn(healthy_logs()), [](const auto& log) {
    std::string name = log.param.name;
    for (char& c : name)
        c = isalnum(static_cast<unsigned char>(c)) ? c : '_';
    return name;
});

}  // namespace
}  // namespace epaudit
