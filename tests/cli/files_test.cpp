// SPDX-License-Identifier: Apache-2.0
// Files that are written: what was there before, under whatever name, survives mistakes and full disks.
#include "src/session/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "src/recording/writer.h"
#include "src/session/judge.h"
#include "src/session/outputs.h"
#include "src/support/new_file.h"

namespace epaudit {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
protected:
    void SetUp() override
    {
        std::string pattern = testing::TempDir() + "/epaudit-files-XXXXXX";
        ASSERT_TRUE(mkdtemp(pattern.data()));
        directory_ = pattern;
        options_.no_config = true;
        options_.outputs = {{"text", "/dev/null"}};
    }
    void TearDown() override { fs::remove_all(directory_); }

    std::string path(const std::string& name) const { return directory_ + "/" + name; }
    std::string file(const std::string& name, const std::string& text)
    {
        std::ofstream(path(name)) << text;
        return path(name);
    }
    static std::string text_of(const std::string& path)
    {
        std::ostringstream text;
        text << std::ifstream(path).rdbuf();
        return text.str();
    }
    std::string refused()
    {
        auto ok = check_files(options_);
        return ok ? "" : ok.error().message;
    }
    size_t entries() const
    {
        return static_cast<size_t>(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
    }

    std::string directory_;
    AuditOptions options_;
};

// A file size limit is a disk that is full; its signal is ignored, as any write error is reported.
template <typename Body>
int on_a_full_disk(Body body)
{
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        const rlimit nothing{8, 8};
        setrlimit(RLIMIT_FSIZE, &nothing);
        _exit(body());
    }
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

TEST_F(Files, NothingIsWrittenOverWhatIsRead)
{
    const std::string log = file("a.log", "log");
    fs::create_symlink("a.log", path("link"));
    fs::create_hard_link(log, path("hard"));
    const std::string reads[] = {log, path("link"), path("hard"), directory_ + "/./a.log"};
    std::string AuditOptions::*const inputs[] = {&AuditOptions::input, &AuditOptions::config};
    std::string AuditOptions::*const outputs[] = {&AuditOptions::record, &AuditOptions::write_baseline,
                                                  &AuditOptions::ready_file};
    for (const std::string& name : reads)
        for (auto input : inputs)
            for (auto output : outputs) {
                AuditOptions options = options_;
                options.*input = log;
                options.*output = name;
                auto ok = check_files(options);
                ASSERT_FALSE(ok) << name;
                EXPECT_EQ(ok.error().exit, Exit::kUsage);
                EXPECT_NE(ok.error().message.find("would overwrite it"), std::string::npos) << ok.error().message;
            }
    EXPECT_EQ(text_of(log), "log");
}

TEST_F(Files, OutputsNeverShareAFile)
{
    fs::create_symlink("new", path("link"));  // to nothing yet
    for (const char* other : {"new", "./new", "link"}) {
        options_.record = path("new");
        options_.write_baseline = path(other);
        EXPECT_NE(refused().find("would overwrite it"), std::string::npos) << other;
    }
    EXPECT_FALSE(fs::exists(path("new")));
    options_.record.clear();
    options_.write_baseline.clear();
    options_.no_config = false;
    options_.outputs = {{"suppressions", "epaudit.toml"}};
    EXPECT_EQ(refused(), "") << "there is none yet";
    options_.outputs = {{"text", "/dev/null"}};
    options_.baseline = options_.write_baseline = file("b.json", "{}");
    EXPECT_EQ(refused(), "") << "a baseline may be renewed";
}

TEST_F(Files, AMinusIsStandardOutput)
{
    auto output = parse_output("json=-");
    ASSERT_TRUE(output);
    EXPECT_EQ(output->path, "");
    for (auto file : {&AuditOptions::record, &AuditOptions::write_baseline}) {
        AuditOptions options = options_;
        options.*file = "-";
        EXPECT_TRUE(check_files(options));
        options.outputs.clear();  // text, on standard output
        auto ok = check_files(options);
        ASSERT_FALSE(ok);
        EXPECT_NE(ok.error().message.find("cannot share standard output"), std::string::npos) << ok.error().message;
        options.outputs = {*output};
        EXPECT_FALSE(check_files(options));
    }
    EXPECT_EQ(entries(), 0U);
}

TEST_F(Files, StandardInputAndOutputAreFilesAsWell)
{
    const std::string log = file("a.log", "log");
    const pid_t child = fork();
    if (child == 0) {
        dup2(open(log.c_str(), O_RDONLY), STDIN_FILENO);
        dup2(open(path("out").c_str(), O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
        options_.input = "-";
        options_.outputs = {{"text", log}};
        const bool input = refused().find("what is read") != std::string::npos;
        options_.outputs = {{"text", ""}, {"json", path("out")}};
        const bool output = refused().find("two formats") != std::string::npos;
        _exit(input && output ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST_F(Files, WhatWasThereStaysUntilTheNewOneIsWhole)
{
    const std::string old = file("r", "old");
    fs::permissions(old, fs::perms::owner_read | fs::perms::owner_write);
    auto fresh = NewFile::open(old);
    ASSERT_TRUE(fresh);
    EXPECT_EQ(fresh->write("new"), 0);
    EXPECT_EQ(text_of(old), "old");
    EXPECT_EQ(fresh->finish(), 0);
    EXPECT_EQ(text_of(old), "new");
    EXPECT_EQ(fs::status(old).permissions(), fs::perms::owner_read | fs::perms::owner_write) << "as the old one";
    {
        auto dropped = NewFile::open(old);
        ASSERT_TRUE(dropped);
        EXPECT_EQ(dropped->write("never"), 0);
    }
    EXPECT_EQ(text_of(old), "new");
    EXPECT_EQ(entries(), 1U);
}

TEST_F(Files, ALinkIsKeptAndItsFileReplaced)
{
    file("real", "old");
    fs::create_symlink("real", path("link"));
    auto fresh = NewFile::open(path("link"));
    ASSERT_TRUE(fresh);
    EXPECT_EQ(fresh->write("new"), 0);
    EXPECT_EQ(fresh->finish(), 0);
    EXPECT_TRUE(fs::is_symlink(path("link")));
    EXPECT_EQ(text_of(path("real")), "new");
}

TEST_F(Files, ALinkOfSomebodyElseIsNotFollowed)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "only root makes links that are another's";
    const std::string secret = file("secret", "old");
    const std::string open_to_all = path("all");
    fs::create_directory(open_to_all);
    fs::permissions(open_to_all, fs::perms::all);
    fs::create_symlink(secret, open_to_all + "/report");
    ASSERT_EQ(lchown((open_to_all + "/report").c_str(), 65534, 65534), 0);
    auto fresh = NewFile::open(open_to_all + "/report");
    ASSERT_FALSE(fresh);
    EXPECT_EQ(fresh.error().exit, Exit::kUsage);
    EXPECT_NE(fresh.error().message.find("not followed"), std::string::npos) << fresh.error().message;
    EXPECT_EQ(text_of(secret), "old");
    options_.ready_file = open_to_all + "/report";
    EXPECT_FALSE(announce_ready(options_));
    EXPECT_EQ(text_of(secret), "old");
}

TEST_F(Files, AnOldBaselineSurvivesAFullDisk)
{
    const std::string old = file("b.json", R"({"schema":"epaudit-baseline/1","findings":[]})");
    const std::string before = text_of(old);
    options_.baseline = options_.write_baseline = old;
    EXPECT_EQ(on_a_full_disk([&] {
                  auto judge = Judge::open(options_, Profile::kTest);
                  Report report;
                  return !judge ? 1 : (*judge)->keep_baseline(report) ? 2 : 0;
              }),
              0);
    EXPECT_EQ(text_of(old), before);
}

TEST_F(Files, AReportIsWholeOrNotThere)
{
    options_.outputs = {{"json", path("r.json")}};
    EXPECT_EQ(on_a_full_disk([&] {
                  auto outputs = Outputs::open(options_);
                  Report report;
                  return !outputs ? 1 : outputs->write(report) ? 2 : 0;
              }),
              0);
    EXPECT_FALSE(fs::exists(path("r.json"))) << text_of(path("r.json"));
}

TEST_F(Files, AnOldRecordingStaysUntilANewOneBegins)
{
    const std::string old = file("r.rec", "old");
    fs::permissions(old, fs::perms::others_read, fs::perm_options::add);
    {
        auto never_begun = RecordingWriter::create(old);
    }
    EXPECT_EQ(text_of(old), "old");
    {
        auto writer = RecordingWriter::create(old);
        ASSERT_TRUE(writer);
        (*writer)->begin({});
        EXPECT_NE(text_of(old), "old") << "it can be replayed as far as it goes";
        (*writer)->end();
        EXPECT_EQ((*writer)->trouble(), "");
    }
    EXPECT_EQ(entries(), 1U);
    EXPECT_EQ(fs::status(old).permissions(), fs::perms::owner_read | fs::perms::owner_write) << "for its owner alone";
    EXPECT_EQ(on_a_full_disk([&] {
                  auto writer = RecordingWriter::create(path("other"));
                  (*writer)->begin({});
                  (*writer)->end();
                  return (*writer)->trouble().empty() ? 1 : 0;
              }),
              0);
}

}  // namespace
}  // namespace epaudit
