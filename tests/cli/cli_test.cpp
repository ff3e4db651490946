// SPDX-License-Identifier: Apache-2.0
// The commands' own parts, without BPF: what they refuse, what they overwrite, whom they mean.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "rules/catalogue.h"
#include "src/session/judge.h"
#include "src/session/outputs.h"
#include "src/session/target.h"
#include "src/session/tracer.h"
#include "src/support/say.h"

namespace epaudit {
namespace {

namespace fs = std::filesystem;

class Cli : public testing::Test {
protected:
    void SetUp() override
    {
        std::string pattern = testing::TempDir() + "/epaudit-cli-XXXXXX";
        ASSERT_TRUE(mkdtemp(pattern.data()));
        directory_ = pattern;
        options_.no_config = true;
    }
    void TearDown() override { fs::remove_all(directory_); }

    std::string file(const std::string& name, const std::string& text)
    {
        std::ofstream(path(name)) << text;
        return path(name);
    }
    std::string path(const std::string& name) const { return directory_ + "/" + name; }
    static std::string text_of(const std::string& path)
    {
        std::ostringstream text;
        text << std::ifstream(path).rdbuf();
        return text.str();
    }
    std::string refused()
    {
        auto outputs = Outputs::open(options_);
        return outputs ? "" : outputs.error().message;
    }

    std::string directory_;
    AuditOptions options_;
};

TEST_F(Cli, AReportDoesNotOverwriteWhatIsReadOrWrittenBesideIt)
{
    const std::string log = file("a.log", "log");
    fs::create_symlink(log, path("link"));
    fs::create_hard_link(log, path("hard"));
    for (const char* name : {"a.log", "link", "hard", "./a.log"}) {
        options_.outputs = {{"text", path(name)}};
        options_.input = log;
        EXPECT_NE(refused().find("what is read"), std::string::npos) << name;
        options_.input.clear();
        options_.baseline = log;
        EXPECT_NE(refused().find("the baseline"), std::string::npos) << name;
        options_.baseline.clear();
        options_.no_config = false;
        options_.config = log;
        EXPECT_NE(refused().find("the configuration"), std::string::npos) << name;
        options_.no_config = true;
        options_.config.clear();
        EXPECT_EQ(text_of(log), "log") << name;
    }
    // A recording and a baseline that do not exist yet.
    options_.outputs = {{"json", path("new")}};
    options_.record = path("./new");
    EXPECT_NE(refused().find("the recording"), std::string::npos);
    options_.record.clear();
    options_.write_baseline = path("new");
    EXPECT_NE(refused().find("the baseline that is written"), std::string::npos);
    EXPECT_FALSE(fs::exists(path("new")));
}

TEST_F(Cli, TwoFormatsNeverShareAFile)
{
    fs::create_symlink("a.json", path("link"));
    for (const char* other : {"a.json", "./a.json", "link"}) {
        options_.outputs = {{"json", path("a.json")}, {"html", path(other)}};
        EXPECT_NE(refused().find("two formats"), std::string::npos) << other;
        EXPECT_FALSE(fs::exists(path("a.json"))) << other;
    }
    options_.outputs = {{"json", "/dev/null"}, {"html", "/dev/null"}};
    EXPECT_EQ(refused(), "");
}

TEST_F(Cli, ADocumentIsAloneOnStandardOutput)
{
    for (const char* document : {"json", "ndjson", "sarif", "junit", "html", "perfetto"}) {
        options_.outputs = {{document, ""}, {"text", ""}};
        EXPECT_NE(refused().find("cannot share standard output"), std::string::npos) << document;
        options_.outputs = {{document, ""}};
        EXPECT_EQ(refused(), "") << document;
    }
    options_.outputs = {{"text", ""}, {"github", ""}, {"suppressions", ""}};
    EXPECT_EQ(refused(), "");
}

TEST_F(Cli, AnOldReportIsGoneOnceANewOneIsUnderWay)
{
    const std::string old = file("r.json", "old");
    options_.outputs = {{"json", old}};
    EXPECT_EQ(refused(), "");
    EXPECT_FALSE(fs::exists(old));  // nothing was written
}

TEST_F(Cli, ThreadsLeadToTheirProcess)
{
    const auto self = static_cast<uint32_t>(getpid());
    uint32_t tid = 0;
    Result<Pids> found = Pids{};
    std::thread([&] {
        tid = static_cast<uint32_t>(gettid());
        found = parse_pids(fmt::format("{},{}", tid, self));
    }).join();
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->pids, std::vector<uint32_t>{self});
    ASSERT_EQ(found->notes.size(), 1U);
    EXPECT_EQ(found->notes[0], fmt::format("{} is a thread of process {}, all of which is watched", tid, self));
    EXPECT_TRUE(parse_pids(std::to_string(self))->notes.empty());
    EXPECT_EQ(parse_pids("1,2,").error().message, "an entry of '1,2,' is empty");
    EXPECT_EQ(parse_pids("abc").error().message, "'abc' is not a process id");
    EXPECT_EQ(parse_pids("999999999").error().exit, Exit::kCannotObserve);
}

TEST_F(Cli, NoRuleIsNoAudit)
{
    auto error = [&] {
        auto judge = Judge::open(options_, Profile::kTest);
        if (!judge)
            return judge.error().message;
        auto ok = (*judge)->check_rules();
        return ok ? std::string() : ok.error().message + " | " + ok.error().hint;
    };
    EXPECT_EQ(error(), "");
    options_.select = {"EP201"};
    options_.ignore = {"EP201"};
    EXPECT_NE(error().find("no rule is on"), std::string::npos) << error();
    EXPECT_NE(error().find("--ignore"), std::string::npos) << error();
    options_.select.clear();
    options_.ignore = {"EP1", "EP2", "EP3", "EP4", "EP5", "EP6"};
    EXPECT_NE(error().find("no rule is on"), std::string::npos);
    options_.ignore.clear();
    options_.no_config = false;
    options_.config = file("e.toml", "ignore = ['EP1','EP2','EP3','EP4','EP5','EP6']\n");
    EXPECT_NE(error().find("e.toml:1"), std::string::npos) << error();
}

TEST_F(Cli, NoProgramIsNoAudit)
{
    options_.no_config = false;
    options_.config = file("e.toml",
                           "[[process]]\nexe = 'healthcheck'\naudit = false\n"
                           "[[process]]\ncomm = 'quiet'\nignore = ['EP1','EP2','EP3','EP4','EP5','EP6']\n");
    auto judge = Judge::open(options_, Profile::kTest);
    ASSERT_TRUE(judge);
    const ProcessInfo health{1, "health", "/usr/bin/healthcheck"}, quiet{2, "quiet", "/bin/q"}, other{3, "s", "/bin/s"};
    auto refused = (*judge)->check_programs({health, quiet});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().exit, Exit::kUsage);
    EXPECT_NE(refused.error().message.find("e.toml:1"), std::string::npos) << refused.error().message;
    EXPECT_TRUE((*judge)->check_programs({health, other}));
    EXPECT_TRUE((*judge)->check_programs({}));
    EXPECT_EQ((*judge)->left_out(other), "");
}

Report watched_for(double seconds, Judge& judge, const Sight& sight)
{
    Report report;
    report.observation.seconds = seconds;
    judge.fill(report, sight);
    return report;
}

std::string patience_of(const Report& report)
{
    for (const std::string& note : report.observation.notes)
        if (note.starts_with("watched "))
            return note;
    return "";
}

TEST_F(Cli, TooShortForARuleIsSaid)
{
    options_.select = {"EP301", "EP302", "EP201"};
    auto judge = Judge::open(options_, Profile::kProduction);
    ASSERT_TRUE(judge);
    EXPECT_EQ(patience_of(watched_for(10, **judge, Sight{})),
              "watched 10.0 s: EP301 and EP302 need 300 s: use --profile test or a longer observation (--duration)");
    EXPECT_EQ(patience_of(watched_for(301, **judge, Sight{})), "");
    EXPECT_NE(patience_of(watched_for(0.5, **judge, Sight{})).find("300 s, EP201 needs 1 s"), std::string::npos);
    Sight blind;
    blind.kernel_state = false;  // they cannot look at all, and that is said elsewhere
    EXPECT_EQ(patience_of(watched_for(10, **judge, blind)), "");
    options_.set = {"half-close-missed.half_close_s=5"};
    judge = Judge::open(options_, Profile::kProduction);
    EXPECT_NE(patience_of(watched_for(10, **judge, Sight{})).find("EP302 needs 300 s"), std::string::npos);
    judge = Judge::open(options_, Profile::kTest);
    EXPECT_EQ(patience_of(watched_for(10, **judge, Sight{})), "");
}

TEST_F(Cli, EveryRuleThatWaitsSaysForHowLong)
{
    for (const auto& rule : make_rules()) {
        bool waits = false, patient = false;
        for (const Threshold& one : rule->info().thresholds) {
            const bool time = one.defaults.unit == Unit::kSeconds;
            waits |= time;
            patient |= one.patience;
            EXPECT_TRUE(time || !one.patience) << rule->info().id << "." << one.name;
        }
        EXPECT_EQ(waits, patient) << rule->info().id;
    }
}

TEST_F(Cli, ABaselineIsReplacedWholeOrNotAtAll)
{
    options_.write_baseline = path("missing/b.json");
    EXPECT_FALSE(Judge::open(options_, Profile::kTest));
    options_.write_baseline = directory_;
    EXPECT_FALSE(Judge::open(options_, Profile::kTest));
    options_.write_baseline = path("b.json");
    auto judge = Judge::open(options_, Profile::kTest);
    ASSERT_TRUE(judge);
    EXPECT_FALSE(fs::exists(path("b.json")));
    Report report;
    Finding finding;
    finding.rule = "EP201";
    finding.level = Level::kConfirmed;
    report.findings = {finding};
    ASSERT_TRUE((*judge)->keep_baseline(report));
    EXPECT_TRUE(report.findings.empty());
    ASSERT_EQ(report.suppressed.size(), 1U);
    EXPECT_NE(text_of(path("b.json")).find("EP201"), std::string::npos);
    EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1);

    options_.write_baseline = "/dev/full";
    judge = Judge::open(options_, Profile::kTest);
    ASSERT_TRUE(judge);
    report = {};
    report.findings = {finding};
    EXPECT_FALSE((*judge)->keep_baseline(report));
    EXPECT_EQ(report.findings.size(), 1U) << "what could not be written down counts";
    EXPECT_TRUE(report.suppressed.empty());
}

TEST_F(Cli, AnEmptyBaselineIsSaidToBeEmpty)
{
    options_.baseline = file("b.json", "");
    auto judge = Judge::open(options_, Profile::kTest);
    ASSERT_FALSE(judge);
    EXPECT_NE(judge.error().message.find("is empty"), std::string::npos) << judge.error().message;
}

// In a child, whose standard descriptors are its own.
template <typename Body>
int in_child(Body body)
{
    const pid_t child = fork();
    if (child == 0)
        _exit(body());
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

TEST_F(Cli, AClosedDescriptorIsNotGivenToAReport)
{
    EXPECT_EQ(in_child([] {
                  for (int fd : {0, 1, 2})
                      close(fd);
                  secure_standard_descriptors();
                  say("nobody hears this\n");
                  char byte = 0;
                  if (open("/dev/null", O_RDWR) < 3)
                      return 1;
                  if (write(1, "x", 1) >= 0 || read(0, &byte, 1) >= 0)
                      return 2;  // using them still fails
                  return (fcntl(2, F_GETFD) & FD_CLOEXEC) ? 0 : 3;
              }),
              0);
}

TEST_F(Cli, AFullStandardErrorEndsNothing)
{
    EXPECT_EQ(in_child([] {
                  const int full = open("/dev/full", O_WRONLY);
                  dup2(full, 2);
                  say("epaudit: {}\n", "no room for this");
                  return 0;
              }),
              0);
}

TEST_F(Cli, StraceIsLookedForWherePathSays)
{
    const char* path = getenv("PATH");
    const std::string before = path ? path : "";
    setenv("PATH", directory_.c_str(), 1);
    const auto missing = find_strace();
    const std::string tool = file("strace", "#!/bin/sh\n");
    const auto not_executable = find_strace();
    fs::permissions(tool, fs::perms::owner_all);
    const auto found = find_strace();
    setenv("PATH", before.c_str(), 1);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().exit, Exit::kCannotObserve);
    EXPECT_NE(missing.error().hint.find("apt install strace"), std::string::npos);
    EXPECT_FALSE(not_executable);
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, tool);
    EXPECT_NE(traced_calls().find("?epoll_wait,"), std::string::npos);
}

}  // namespace
}  // namespace epaudit
