// SPDX-License-Identifier: Apache-2.0
// One observation from its first look to its exit code, of a source that is made up: the engine that live capture, logs
// and recordings share.
#include "src/session/engine.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "tests/unit/scenario.h"

namespace epaudit {
namespace {

namespace fs = std::filesystem;

class EngineTest : public testing::Test {
protected:
    void SetUp() override
    {
        std::string pattern = testing::TempDir() + "/epaudit-engine-XXXXXX";
        ASSERT_TRUE(mkdtemp(pattern.data()));
        directory_ = pattern;
        options_.no_config = true;
        options_.quiet = true;
        options_.outputs = {{"json", path("report.json")}};
    }
    void TearDown() override { fs::remove_all(directory_); }

    std::string path(const std::string& name) const { return directory_ + "/" + name; }
    std::string text_of(const std::string& name) const
    {
        std::ostringstream text;
        text << std::ifstream(path(name)).rdbuf();
        return text.str();
    }
    nlohmann::json report_json() const { return nlohmann::json::parse(text_of("report.json")); }

    std::unique_ptr<Engine> open()
    {
        auto engine = Engine::open(options_, Profile::kTest);
        EXPECT_TRUE(engine) << (engine ? "" : engine.error().message);
        return engine ? std::move(*engine) : nullptr;
    }
    // What a source does each time it has read the books.
    static Result<> look(Engine& engine, Scenario& program)
    {
        Snapshot books = program.snapshot();
        engine.auditor().look(books);
        return engine.looked(std::move(books));
    }
    // EPOLLOUT is armed with nothing to write: `looks` quarters of a second of a core that burns.
    static Result<> spins(Engine& engine, Scenario& program, int looks)
    {
        program.cpu(0.9).add(7, EPOLLIN | EPOLLOUT, FILE_TCP);
        for (int i = 0; i < looks; i++) {
            program.spin(7, EPOLLOUT, 2500, 100);
            if (auto ok = look(engine, program); !ok)
                return ok;
        }
        return Done{};
    }
    static Result<int> end(Engine& engine, double seconds)
    {
        Report report;
        report.command = {"server"};
        report.observation.hooks = "tracepoint";
        report.observation.seconds = seconds;
        engine.fill(report, Sight{});
        return engine.conclude(report);
    }

    std::string directory_;
    AuditOptions options_;
};

TEST_F(EngineTest, WhatTheRulesFindIsInTheReportAndInTheExitCode)
{
    auto engine = open();
    Scenario program;
    ASSERT_TRUE(spins(*engine, program, 8));
    EXPECT_EQ(engine->findings(), 1u);
    EXPECT_EQ(engine->epolls_seen(), 1u);
    EXPECT_EQ(engine->registrations_seen(), 1u);
    auto code = end(*engine, 2);
    ASSERT_TRUE(code) << code.error().message;
    EXPECT_EQ(*code, 1);
    const auto report = report_json();
    ASSERT_EQ(report["findings"].size(), 1u);
    EXPECT_EQ(report["findings"][0]["rule"], "EP201");
    EXPECT_EQ(report["verdict"]["exit"], 1);
}

TEST_F(EngineTest, AnEpollThatIsGoneAtTheEndWasSeen)
{
    auto engine = open();
    {
        Scenario program;
        ASSERT_TRUE(spins(*engine, program, 8));
    }
    ASSERT_TRUE(engine->looked(Snapshot{}));
    EXPECT_EQ(engine->epolls_seen(), 1u);
    EXPECT_EQ(engine->findings(), 1u);
}

TEST_F(EngineTest, WhereNoEpollWasThereIsNoReport)
{
    auto engine = open();
    ASSERT_TRUE(engine->looked(Snapshot{}));
    auto code = end(*engine, 2);
    ASSERT_FALSE(code);
    EXPECT_EQ(code.error().exit, Exit::kCannotObserve);
    EXPECT_FALSE(fs::exists(path("report.json")));
}

TEST_F(EngineTest, WhatIsWrittenDownAsBaselineIsKnownInTheNextRun)
{
    options_.write_baseline = path("baseline.json");
    {
        auto engine = open();
        Scenario program;
        ASSERT_TRUE(spins(*engine, program, 8));
        auto code = end(*engine, 2);
        ASSERT_TRUE(code) << code.error().message;
        EXPECT_EQ(*code, 0);
        EXPECT_EQ(report_json()["suppressed"].size(), 1u);
    }
    options_.write_baseline.clear();
    options_.baseline = path("baseline.json");
    auto engine = open();
    Scenario program;
    ASSERT_TRUE(spins(*engine, program, 8));
    EXPECT_EQ(engine->findings(), 0u);
    EXPECT_EQ(*end(*engine, 2), 0);
}

TEST_F(EngineTest, AStreamTellsOfAFindingBeforeTheEnd)
{
    options_.outputs = {{"ndjson", path("stream")}};
    auto engine = open();
    ASSERT_TRUE(engine->streams());
    ASSERT_TRUE(engine->begin(Report{}));
    Scenario program;
    ASSERT_TRUE(spins(*engine, program, 8));
    EXPECT_NE(text_of("stream").find("\"rule\":\"EP201\""), std::string::npos);
    EXPECT_EQ(text_of("stream").find("\"type\":\"end\""), std::string::npos);
    EXPECT_EQ(*end(*engine, 2), 1);
    EXPECT_NE(text_of("stream").find("\"type\":\"end\""), std::string::npos);
}

// Posted sources cannot stop at once: the trouble is still there at the end.
TEST_F(EngineTest, AStreamThatCannotBeWrittenIsAnErrorToTheEnd)
{
    options_.outputs = {{"ndjson", "/dev/full"}};
    auto engine = open();
    Scenario program;
    EXPECT_FALSE(spins(*engine, program, 8));
    EXPECT_FALSE(look(*engine, program));
    auto code = end(*engine, 2);
    ASSERT_FALSE(code);
    EXPECT_NE(code.error().message.find("/dev/full"), std::string::npos) << code.error().message;
}

TEST_F(EngineTest, WithoutARuleNothingIsOpened)
{
    options_.ignore = {"EP1", "EP2", "EP3", "EP4", "EP5", "EP6"};
    auto engine = Engine::open(options_, Profile::kTest);
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().exit, Exit::kUsage);
    EXPECT_TRUE(fs::is_empty(directory_));
}

}  // namespace
}  // namespace epaudit
