// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/corpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "src/strace/text_source.h"

namespace epaudit {
namespace {

namespace fs = std::filesystem;

void read_expectation(const fs::path& path, CorpusLog& log)
{
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string first, second;
        words >> first >> second;
        if (first == "profile")
            log.profile = second == "test" ? Profile::kTest : Profile::kProduction;
        else if (first == "risk")
            log.told[second] = Level::kRisk;
        else if (first == "info")
            log.told[second] = Level::kInfo;
        else if (first == "unavailable" || first == "degraded")
            log.coverage[second] = first;
        else if (first.substr(0, 2) == "EP")
            log.findings[first] = second;
    }
}

void replace(std::string& line, const std::string& what, const std::string& by)
{
    for (size_t at = line.find(what); at != std::string::npos; at = line.find(what, at + by.size()))
        line.replace(at, what.size(), by);
}

// Expands @step, @repeat, {t}, {tt}, {r}.
class Expander {
public:
    explicit Expander(const std::function<void(const std::string&)>& each) : each_(each) {}

    void line(const std::string& text)
    {
        if (text.rfind("@repeat ", 0) == 0) {
            times_ = std::stoul(text.substr(8));
            repeating_ = true;
        } else if (text == "@end") {
            for (unsigned long i = 0; i < times_; i++)
                for (const std::string& one : body_)
                    emit(one);
            body_.clear();
            repeating_ = false;
        } else if (repeating_) {
            body_.push_back(text);
        } else if (text.rfind("@step ", 0) == 0) {
            step_us_ = std::stoul(text.substr(6));
        } else {
            emit(text);
        }
    }

private:
    void emit(std::string line)
    {
        if (line.find('{') != std::string::npos) {
            now_us_ += step_us_;
            uint64_t day = now_us_ % (86400ULL * 1000000);
            replace(line, "{t}", fmt::format("{}.{:06}", now_us_ / 1000000, now_us_ % 1000000));
            replace(line, "{tt}",
                    fmt::format("{:02}:{:02}:{:02}.{:06}", day / 3600000000, day / 60000000 % 60, day / 1000000 % 60,
                                day % 1000000));
            replace(line, "{r}", fmt::format("{}.{:06}", step_us_ / 1000000, step_us_ % 1000000));
        }
        each_(line);
    }

    const std::function<void(const std::string&)>& each_;
    std::vector<std::string> body_;
    unsigned long times_ = 0;
    bool repeating_ = false;
    uint64_t now_us_ = 1700000000ULL * 1000000;
    uint64_t step_us_ = 100;
};

}  // namespace

std::vector<CorpusLog> read_corpus(const std::string& directory)
{
    std::vector<CorpusLog> corpus;
    for (const auto& entry : fs::directory_iterator(directory)) {
        std::string file = entry.path().filename();
        size_t dot = file.find(".log");
        if (dot == std::string::npos)
            continue;
        CorpusLog log;
        log.name = file.substr(0, dot);
        log.path = entry.path();
        fs::path expectation = entry.path().parent_path() / (log.name + ".expect");
        if (fs::exists(expectation))
            read_expectation(expectation, log);
        else
            log.name = "!" + log.name;
        corpus.push_back(std::move(log));
    }
    std::sort(corpus.begin(), corpus.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return corpus;
}

void corpus_lines(const CorpusLog& log, const std::function<void(const std::string&)>& each)
{
    auto source = TextSource::open(log.path, nullptr);
    if (!source)
        return;
    Expander expander(each);
    for (std::string_view line; (*source)->next(line) != TextSource::Next::kEnd;)
        expander.line(std::string(line));
}

}  // namespace epaudit
