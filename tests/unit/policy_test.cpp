// SPDX-License-Identifier: Apache-2.0
#include "src/audit/policy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "rules/catalogue.h"
#include "src/audit/auditor.h"
#include "src/evidence/fingerprint.h"
#include "src/report/suppressions.h"

namespace epaudit {
namespace {

const std::vector<RuleCoverage> kLooked{{"EP201", "busy-epollout", Status::kAvailable, ""},
                                        {"EP301", "half-close-missed", Status::kAvailable, ""}};

Finding found(const char* rule, const char* name, const char* exe = "/usr/sbin/nginx")
{
    Finding finding;
    finding.rule = rule;
    finding.name = name;
    finding.level = Level::kConfirmed;
    finding.exe = exe;
    finding.comm = "worker";
    finding.fd = {7, "tcp", "10.0.0.1:80", "10.0.0.2:999"};
    finding.trigger = "level";
    finding.fingerprint = fingerprint(finding);
    return finding;
}

Config config_of(const std::string& text)
{
    auto config = parse_config(text, "epaudit.toml", catalogue());
    EXPECT_TRUE(config) << config.error().message;
    return config ? *config : Config{};
}

Policy policy_of(const std::string& text, const std::string& today = "2026-11-21")
{
    return Policy(config_of(text), std::nullopt, today);
}

std::string remarks_of(const Policy& policy)
{
    std::string text;
    for (const PolicyRemark& remark : policy.remarks(kLooked))
        text += remark.what + " " + remark.where + ": " + remark.text + "\n";
    return text;
}

size_t suppressed(const std::string& entry, Finding finding = found("EP201", "busy-epollout"))
{
    Policy policy = policy_of("[[suppress]]\nreason = \"r\"\n" + entry);
    return policy.judge({std::move(finding)}).suppressed.size();
}

TEST(Policy, NothingSaidNothingChanged)
{
    Policy policy;
    const Judged judged = policy.judge({found("EP201", "busy-epollout")});
    EXPECT_EQ(judged.findings.size(), 1U);
    EXPECT_EQ(remarks_of(policy), "");
}

TEST(Policy, ASuppressionMatchesByAllItSays)
{
    EXPECT_EQ(suppressed("rule = 'EP201'"), 1U);
    EXPECT_EQ(suppressed("rule = 'busy-epollout'"), 1U);
    EXPECT_EQ(suppressed("rule = 'EP2'"), 1U);
    EXPECT_EQ(suppressed("rule = 'EP202'"), 0U);
    EXPECT_EQ(suppressed("rule = 'EP201'\nexe = 'nginx'"), 1U);
    EXPECT_EQ(suppressed("rule = 'EP201'\nexe = '/usr/sbin/*'"), 1U);
    EXPECT_EQ(suppressed("rule = 'EP201'\nexe = 'ngin'"), 0U);
    EXPECT_EQ(suppressed("rule = 'EP201'\nexe = 'nginx'", found("EP201", "busy-epollout", "/opt/nginx (deleted)")), 1U);
    EXPECT_EQ(suppressed("rule = 'EP201'\ncomm = 'w?rker'\nkind = 'tcp'\nlocal = '*:80'\npeer = '10.*'"), 1U);
    EXPECT_EQ(suppressed("rule = 'EP201'\nlocal = '*:81'"), 0U);
    EXPECT_EQ(suppressed("rule = 'EP201'\nkind = 'unix'"), 0U);
    EXPECT_EQ(suppressed("rule = 'EP201'\npeer = '11.*'"), 0U);
    EXPECT_EQ(suppressed("rule = 'EP201'\ncomm = 'x'"), 0U);
    EXPECT_EQ(suppressed("rule = 'EP201'\nfingerprint = '0000000000000000'"), 0U);
    EXPECT_EQ(suppressed("rule = 'EP201'\nfingerprint = '" + found("EP201", "busy-epollout").fingerprint + "'"), 1U);
    EXPECT_EQ(suppressed("rule = 'EP201'\nfunction = 'on_*'"), 0U);
    Finding with_stack = found("EP201", "busy-epollout");
    with_stack.stacks = {{"armed here", {{"epoll_ctl", "", 0}, {"on_connect", "a.cpp", 3}}}};
    EXPECT_EQ(suppressed("rule = 'EP201'\nfunction = 'on_*'", with_stack), 1U);
}

TEST(Policy, SuppressedFindingsKeepTheReason)
{
    Policy policy = policy_of("\n[[suppress]]\nrule = 'EP201'\nreason = 'fixed in 2.4'\n");
    const Judged judged = policy.judge({found("EP201", "busy-epollout"), found("EP301", "half-close-missed")});
    ASSERT_EQ(judged.suppressed.size(), 1U);
    EXPECT_EQ(judged.suppressed[0].suppression->reason, "fixed in 2.4");
    EXPECT_EQ(judged.suppressed[0].suppression->where, "epaudit.toml:2");
    ASSERT_EQ(judged.findings.size(), 1U);
    EXPECT_EQ(judged.findings[0].rule, "EP301");
    EXPECT_EQ(remarks_of(policy), "");
}

TEST(Policy, UnusedSuppressionsAreTold)
{
    Policy policy = policy_of(
        "[[suppress]]\nrule = 'EP301'\nreason = 'r'\n[[suppress]]\nrule = 'EP401'\nreason = 'r'\n");
    policy.judge({found("EP201", "busy-epollout")});
    EXPECT_EQ(remarks_of(policy), "unused suppression epaudit.toml:1: the suppression of EP301 matched nothing\n")
        << "EP401 did not look: it is not blamed";
}

TEST(Policy, ExpiredSuppressionsDoNotHoldAndAreTold)
{
    const std::string text = "[[suppress]]\nrule = 'EP201'\nreason = 'r'\nexpires = 2026-11-21\n";
    Policy last_day = policy_of(text, "2026-11-21");
    EXPECT_EQ(last_day.judge({found("EP201", "busy-epollout")}).suppressed.size(), 1U);
    Policy next_day = policy_of(text, "2026-11-22");
    EXPECT_EQ(next_day.judge({found("EP201", "busy-epollout")}).findings.size(), 1U);
    EXPECT_EQ(remarks_of(next_day),
              "expired suppression epaudit.toml:1: the suppression of EP201 expired on 2026-11-21\n");
}

TEST(Policy, LevelsAreLoweredNeverRaised)
{
    Policy policy = policy_of("[levels]\nEP201 = 'risk'\nhalf-close-missed = 'confirmed'\n");
    Finding likely = found("EP301", "half-close-missed");
    likely.level = Level::kLikely;
    const Judged judged = policy.judge({found("EP201", "busy-epollout"), likely});
    EXPECT_EQ(judged.findings[0].level, Level::kRisk);
    EXPECT_EQ(judged.findings[1].level, Level::kLikely);
}

TEST(Policy, UnitContainerAndPodAreNamedLikeTheProgram)
{
    Finding finding = found("EP201", "busy-epollout");
    EXPECT_EQ(suppressed("rule = 'EP201'\nunit = '*'", finding), 0U);  // in none
    EXPECT_EQ(suppressed("rule = 'EP201'\ncontainer = '*'", finding), 0U);
    finding.workload = {"web.service", {"3f4a0c1d9be8", "api", "acme/api:7", "docker"}, "shop/api-0"};
    EXPECT_EQ(suppressed("rule = 'EP201'\nunit = 'web.service'\ncontainer = 'api'\npod = 'shop/*'", finding), 1U);
    EXPECT_EQ(suppressed("rule = 'EP201'\ncontainer = '3f4a*'", finding), 1U);
    EXPECT_EQ(suppressed("rule = 'EP201'\ncontainer = 'db'", finding), 0U);
    EXPECT_EQ(suppressed("rule = 'EP201'\nunit = 'web'", finding), 0U);
    EXPECT_EQ(suppressed("rule = 'EP201'\npod = 'shop'", finding), 0U);

    Policy policy = policy_of("[[process]]\npod = 'shop/*'\naudit = false\n");
    EXPECT_TRUE(policy.judge({finding}).findings.empty());
    EXPECT_EQ(policy.judge({found("EP201", "busy-epollout")}).findings.size(), 1U);
    ProcessInfo program{1, "worker", "/usr/sbin/nginx"};
    EXPECT_EQ(policy.left_out_by(program, catalogue()), "");
    program.workload = finding.workload;
    EXPECT_EQ(policy.left_out_by(program, catalogue()), "epaudit.toml:1");
}

TEST(Policy, ProcessesAreLeftOutOrTreatedTheirOwnWay)
{
    Policy policy = policy_of(
        "[[process]]\nexe = 'healthcheck'\naudit = false\n"
        "[[process]]\nexe = '*/nginx'\nignore = ['EP3']\nlevels.EP201 = 'info'\n");
    const Judged judged = policy.judge({found("EP201", "busy-epollout", "/bin/healthcheck"),
                                        found("EP301", "half-close-missed"), found("EP201", "busy-epollout"),
                                        found("EP301", "half-close-missed", "/bin/other")});
    ASSERT_EQ(judged.findings.size(), 2U);
    EXPECT_EQ(judged.findings[0].level, Level::kInfo);
    EXPECT_EQ(judged.findings[1].exe, "/bin/other");
}

TEST(Policy, GeneratedEntriesSuppressWhatTheyWereMadeFrom)
{
    Finding odd = found("EP201", "busy-epollout", "/opt/we*rd \"[x]\\\n/na*me[1]\"");
    odd.stacks = {{"armed here", {{"List<int*>::add", "a.cpp", 3}}}};
    const std::string text = suppressions_text({&odd});
    Policy policy = policy_of(text);
    EXPECT_EQ(policy.judge({odd}).suppressed.size(), 1U) << text;
    EXPECT_EQ(policy.judge({found("EP201", "busy-epollout")}).suppressed.size(), 0U) << text;
}

TEST(Baseline, WrittenAndReadBack)
{
    auto baseline = Baseline::parse(baseline_text({found("EP201", "busy-epollout")}), "baseline.json");
    ASSERT_TRUE(baseline) << baseline.error().message;
    Policy policy({}, *baseline, "2026-11-21");
    Finding again = found("EP201", "busy-epollout");
    again.pid = 99;
    again.fd.number = 1000;
    const Judged judged = policy.judge({again, found("EP201", "busy-epollout", "/bin/other")});
    ASSERT_EQ(judged.suppressed.size(), 1U);
    EXPECT_EQ(judged.suppressed[0].suppression->by, "baseline");
    EXPECT_EQ(judged.findings.size(), 1U);
    EXPECT_EQ(remarks_of(policy), "");
}

TEST(Baseline, StaleEntriesAreTold)
{
    auto baseline = Baseline::parse(baseline_text({found("EP201", "busy-epollout"), found("EP401", "thundering-herd")}),
                                    "b.json");
    ASSERT_TRUE(baseline);
    Policy policy({}, *baseline, "2026-11-21");
    policy.judge({});
    EXPECT_EQ(remarks_of(policy), "stale baseline entry b.json: EP201 busy-epollout of nginx (" +
                                      found("EP201", "busy-epollout").fingerprint +
                                      ") is no longer seen (fixed, or not exercised in this run)\n");
}

TEST(Baseline, AFunctionThatIsNotKnownOnOneSideIsNoDifference)
{
    Finding with_stack = found("EP201", "busy-epollout");
    with_stack.stacks = {{"armed here", {{"on_connect", "a.cpp", 3}}}};
    with_stack.fingerprint = fingerprint(with_stack);
    EXPECT_NE(with_stack.fingerprint, found("EP201", "busy-epollout").fingerprint);
    auto without = Baseline::parse(baseline_text({found("EP201", "busy-epollout")}), "b.json");
    auto with = Baseline::parse(baseline_text({with_stack}), "b.json");
    ASSERT_TRUE(without && with);
    EXPECT_TRUE(without->covers(with_stack));
    EXPECT_TRUE(with->covers(found("EP201", "busy-epollout")));
    Finding elsewhere = with_stack;
    elsewhere.stacks[0].frames[0].function = "on_close";
    elsewhere.fingerprint = fingerprint(elsewhere);
    EXPECT_FALSE(with->covers(elsewhere));
}

TEST(Baseline, DamagedFilesAreRefused)
{
    const std::pair<const char*, const char*> cases[] = {
        {"", "b.json is not JSON"},
        {"[1]", "b.json is not JSON"},
        {"{}", "b.json is not a baseline of schema epaudit-baseline/1"},
        {R"({"schema":"epaudit-baseline/2","findings":[]})", "b.json is not a baseline of schema epaudit-baseline/1"},
        {R"({"schema":"epaudit-baseline/1"})", "b.json has no list of findings"},
        {R"({"schema":"epaudit-baseline/1","findings":[1]})", "b.json: finding 1 has no 'fingerprint'"},
        {R"({"schema":"epaudit-baseline/1","findings":[{"fingerprint":"a","rule":3}]})",
         "b.json: finding 1 has no 'rule'"},
    };
    for (const auto& [text, expected] : cases) {
        auto baseline = Baseline::parse(text, "b.json");
        ASSERT_FALSE(baseline) << text;
        EXPECT_EQ(baseline.error().message, expected);
        EXPECT_NE(baseline.error().hint, "");
    }
    auto missing = Baseline::read("/nonexistent/b.json");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().message, "cannot read the baseline /nonexistent/b.json: No such file or directory");
}

// A file name is any bytes. What epaudit writes down it reads again, and it covers what it was written for.
TEST(Policy, BytesThatAreNotUtf8SurviveARoundTrip)
{
    for (const char* exe : {"/srv/caf\xe9", "/srv/\xff\xfe*?", "/srv/\xe2\x82", "/srv/\xed\xa0\x80"}) {
        Finding finding = found("EP201", "busy-epollout", exe);
        finding.stacks = {{"armed here", {{"f\xe9", "/srv/a.cpp", 3, exe}}}};
        finding.fingerprint = fingerprint(finding);
        const std::string text = suppressions_text({&finding});
        auto config = parse_config(text, "epaudit.toml", catalogue());
        ASSERT_TRUE(config) << config.error().message << "\n" << text;
        Policy policy(std::move(*config), std::nullopt, "2026-11-21");
        EXPECT_EQ(policy.judge({finding}).suppressed.size(), 1U) << text;

        auto baseline = Baseline::parse(baseline_text({finding}), "b.json");
        ASSERT_TRUE(baseline);
        EXPECT_TRUE(baseline->covers(finding));
        finding.fingerprint = "another";  // a function that had no name before
        finding.stacks.clear();
        EXPECT_TRUE(baseline->covers(finding)) << "by what it is";
    }
}

// As whoever writes an entry by hand copies it from a report, where each such byte is U+FFFD.
TEST(Policy, ANameCopiedFromAReportMatchesBytesThatAreNotUtf8)
{
    Finding finding = found("EP201", "busy-epollout", "/srv/caf\xe9");
    finding.comm = "w\xff\xfe";
    finding.fd.local = "/run/\xff.sock";
    for (const char* entry : {"exe = \"caf\uFFFD\"", "exe = \"/srv/caf\uFFFD\"", "comm = \"w\uFFFD\uFFFD\"",
                              "comm = \"w*\"", "local = \"/run/\uFFFD.sock\""}) {
        auto config = parse_config(fmt::format("[[suppress]]\nrule = \"EP201\"\n{}\nreason = \"r\"\n", entry),
                                   "epaudit.toml", catalogue());
        ASSERT_TRUE(config) << config.error().message << "\n" << entry;
        Policy policy(std::move(*config), std::nullopt, "2026-11-21");
        EXPECT_EQ(policy.judge({finding}).suppressed.size(), 1U) << entry;
        Finding other = finding;
        other.exe = "/srv/cafe";
        other.comm = "v";
        other.fd.local = "/run/a.sock";
        EXPECT_EQ(policy.judge({other}).suppressed.size(), 0U) << entry;
    }
}

}  // namespace
}  // namespace epaudit
