// SPDX-License-Identifier: Apache-2.0
// epaudit.toml: what it says is taken, and each mistake is told with file, line, column and a way out.
#include "src/audit/config.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "rules/catalogue.h"

namespace epaudit {
namespace {

std::vector<RuleInfo> rules()
{
    return {
        {"EP101",
         "et-read-not-drained",
         "",
         Level::kConfirmed,
         {{"stall_s", {5, 1, Unit::kSeconds}, "", {"", ""}}},
         {},
         ""},
        {"EP201",
         "busy-epollout",
         "",
         Level::kConfirmed,
         {{"per_s", {100, 100, Unit::kPerSecond}, "", {"", ""}}, {"returns", {100, 100, Unit::kCount}, "", {"", ""}}},
         {},
         ""}};
}

// "message / hint", or "fine".
std::string says(std::string_view text)
{
    auto config = parse_config(text, "epaudit.toml", rules());
    if (config)
        return "fine";
    EXPECT_EQ(config.error().exit, Exit::kUsage);
    return config.error().message + " / " + config.error().hint;
}

TEST(Config, EverythingIsTaken)
{
    auto config = parse_config(R"(
profile = "ci"
fail_on = "never"
risks = true
select = ["EP1", "busy-epollout"]
ignore = ["EP101"]
[thresholds]
busy-epollout.per_s = 200
EP101.stall_s = 0.5
[levels]
busy-epollout = "risk"
[profiles.ci]
base = "test"
thresholds.busy-epollout.returns = 7
[[process]]
exe = "*/health*"
audit = false
[[process]]
comm = "worker"
ignore = ["EP2"]
levels.EP101 = "info"
[[suppress]]
rule = "EP2"
exe = "nginx"
comm = "a"
kind = "tcp"
local = "*:80"
peer = "b"
function = "f*"
fingerprint = "0123"
reason = "because"
expires = 2027-01-31
)",
                               "epaudit.toml", rules());
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->profile, "ci");
    EXPECT_EQ(config->fail_on, "never");
    EXPECT_EQ(config->risks, true);
    EXPECT_EQ(config->select, (std::vector<std::string>{"EP1", "busy-epollout"}));
    EXPECT_EQ(config->ignore, std::vector<std::string>{"EP101"});
    ASSERT_EQ(config->thresholds.size(), 2U);
    EXPECT_EQ(config->levels.at("EP201"), Level::kRisk);
    EXPECT_EQ(config->where.at("fail_on"), "epaudit.toml:3");
    const ProfileConfig& ci = config->profiles.at("ci");
    EXPECT_EQ(ci.base, Profile::kTest);
    ASSERT_EQ(ci.thresholds.size(), 1U);
    EXPECT_EQ(ci.thresholds[0].rule, "EP201");
    EXPECT_EQ(ci.thresholds[0].value, 7);
    EXPECT_EQ(ci.thresholds[0].where, "epaudit.toml:14");
    ASSERT_EQ(config->processes.size(), 2U);
    EXPECT_FALSE(config->processes[0].audit);
    EXPECT_EQ(config->processes[1].levels.at("EP101"), Level::kInfo);
    ASSERT_EQ(config->suppressions.size(), 1U);
    const SuppressEntry& entry = config->suppressions[0];
    EXPECT_EQ(entry.rule + entry.exe + entry.comm + entry.kind + entry.local + entry.peer + entry.function +
                  entry.fingerprint,
              "EP2nginxatcp*:80bf*0123");
    EXPECT_EQ(entry.expires, "2027-01-31");
    EXPECT_EQ(entry.where, "epaudit.toml:22");
}

TEST(Config, EmptyIsFine)
{
    EXPECT_EQ(says(""), "fine");
    EXPECT_EQ(says("# nothing\n"), "fine");
}

TEST(Config, EachMistakeHasItsPlaceAndAWayOut)
{
    const std::pair<const char*, const char*> cases[] = {
        {"treshold = 1\n", "epaudit.toml:1:1: unknown key 'treshold' / did you mean 'thresholds'?"},
        {"zzz = 1\n",
         "epaudit.toml:1:1: unknown key 'zzz' / known here: profile, fail_on, risks, select, ignore, thresholds, "
         "levels, profiles, process, suppress"},
        {"\n\nfail_on = \"likly\"\n", "epaudit.toml:3:11: 'likly' is no value of 'fail_on' / did you mean 'likely'?"},
        {"fail_on = \"zzzzzz\"\n",
         "epaudit.toml:1:11: 'zzzzzz' is no value of 'fail_on' / choose from: confirmed, likely, risk, never"},
        {"fail_on = 1\n", "epaudit.toml:1:11: 'fail_on' must be a string / "},
        {"risks = \"yes\"\n", "epaudit.toml:1:9: 'risks' must be true or false / "},
        {"profile = 7\n", "epaudit.toml:1:11: 'profile' must be a string / "},
        {"profile = \"prodction\"\n", "epaudit.toml:1:11: unknown profile 'prodction' / did you mean 'production'?"},
        {"profile = \"zzzzzzz\"\n", "epaudit.toml:1:11: unknown profile 'zzzzzzz' / there are: production, test"},
        {"select = \"EP1\"\n", "epaudit.toml:1:10: 'select' must be a list of rules / write [\"EP201\", \"EP4\"]"},
        {"select = [1]\n", "epaudit.toml:1:11: 'select' must be a list of strings / "},
        {"ignore = [\"EP101\",\n  \"bussy-epollout\"]\n",
         "epaudit.toml:2:3: unknown rule 'bussy-epollout' / did you mean 'busy-epollout'?"},
        {"ignore = [\"EP9\"]\n", "epaudit.toml:1:11: unknown rule 'EP9' / `epaudit rules` lists them"},
        {"thresholds = 1\n", "epaudit.toml:1:14: 'thresholds' must be a table / write [thresholds]"},
        {"[thresholds]\nbusy-epolout.per_s = 1\n",
         "epaudit.toml:2:1: unknown rule 'busy-epolout' / did you mean 'busy-epollout'?"},
        {"[thresholds]\nbusy-epollout = 1\n",
         "epaudit.toml:2:17: 'busy-epollout' must be a table / write busy-epollout.NAME = NUMBER"},
        {"[thresholds]\nbusy-epollout.pers = 1\n",
         "epaudit.toml:2:15: rule busy-epollout has no threshold 'pers' / did you mean 'per_s'? it has: per_s, "
         "returns"},
        {"[thresholds]\nbusy-epollout.per_s = \"1\"\n", "epaudit.toml:2:23: 'per_s' must be a number, 0 or more / "},
        {"[thresholds]\nbusy-epollout.per_s = -1\n", "epaudit.toml:2:23: 'per_s' must be a number, 0 or more / "},
        {"[thresholds]\nbusy-epollout.per_s = nan\n", "epaudit.toml:2:23: 'per_s' must be a number, 0 or more / "},
        {"[levels]\nbusy = \"risk\"\n", "epaudit.toml:2:1: unknown rule 'busy' / did you mean 'busy-epollout'?"},
        {"[levels]\nherds = \"risk\"\n", "epaudit.toml:2:1: unknown rule 'herds' / `epaudit rules` lists them"},
        {"[levels]\nEP201 = \"hgh\"\n",
         "epaudit.toml:2:9: 'hgh' is no value of 'EP201' / choose from: confirmed, likely, risk, info"},
        {"[profiles.test]\n", "epaudit.toml:1:11: profile 'test' is built in / give yours another name and a base"},
        {"[profiles.ci]\nbsae = \"test\"\n", "epaudit.toml:2:1: unknown key 'bsae' / did you mean 'base'?"},
        {"[profiles.ci]\nbase = \"tset\"\n", "epaudit.toml:2:8: 'tset' is no value of 'base' / did you mean 'test'?"},
        {"profiles = 1\n", "epaudit.toml:1:12: 'profiles' must be a table / write [profiles]"},
        {"[process]\nexe = \"a\"\n", "epaudit.toml:1:1: 'process' must be a list of tables / write [[process]]"},
        {"[[process]]\naudit = false\n",
         "epaudit.toml:1:1: this process says not which: by exe, comm, unit, container or pod / write exe = "
         "\"*/NAME\""},
        {"[[process]]\nexe = 1\n", "epaudit.toml:2:7: 'exe' must be a string / "},
        {"[[process]]\nexe = \"a\"\naudti = false\n", "epaudit.toml:3:1: unknown key 'audti' / did you mean 'audit'?"},
        {"[suppress]\n", "epaudit.toml:1:1: 'suppress' must be a list of tables / write [[suppress]]"},
        {"[[suppress]]\nreason = \"a\"\n", "epaudit.toml:1:1: this suppression names no rule / write rule = \"EP301\""},
        {"[[suppress]]\nrule = \"EP201\"\n",
         "epaudit.toml:1:1: this suppression has no reason / write reason = \"why it is accepted\""},
        {"[[suppress]]\nrule = \"EP201\"\nreason = \" \"\n",
         "epaudit.toml:1:1: this suppression has no reason / write reason = \"why it is accepted\""},
        {"[[suppress]]\nrule = \"EP777\"\n", "epaudit.toml:2:8: unknown rule 'EP777' / `epaudit rules` lists them"},
        {"[[suppress]]\nrule = \"EP201\"\nexpires = \"2027-01-31\"\n",
         "epaudit.toml:3:11: 'expires' must be a date without quotes: 2027-01-31 / "},
        {"[[suppress]]\nrule = \"EP201\"\nresaon = \"a\"\n",
         "epaudit.toml:3:1: unknown key 'resaon' / did you mean 'reason'?"},
    };
    for (const auto& [text, expected] : cases)
        EXPECT_EQ(says(text), expected) << text;
}

TEST(Config, WhatIsNotTomlIsToldWithItsPlace)
{
    for (const char* text : {"[#]\n", "[=", "[[.a]]", "[ # a\n", "[\xc3\xa4]", "a\xc3\x9a = 1\n", "a = \xc2\x9a\n",
                             "a = \n", "[a\n", "a = 1\na = 2\n", "\xff\xfe", "a = 'x\n"}) {
        const std::string told = says(text);
        EXPECT_TRUE(told.starts_with("epaudit.toml:")) << told;
        EXPECT_NE(told.find("https://toml.io"), std::string::npos) << told;
    }
}

TEST(Config, ControlCharactersAndBrokenUtf8AreRefusedBeforeTheParserSeesThem)
{
    using namespace std::string_view_literals;
    const std::pair<std::string_view, const char*> cases[] = {
        {"[\x08\n"sv, "epaudit.toml:1:2: control character 0x08"},
        {"a = 1\n\n b\x7f = 2\n"sv, "epaudit.toml:3:3: control character 0x7f"},
        {"\0"sv, "epaudit.toml:1:1: control character 0x00"},
        {"profile = 'a\rb'\n"sv, "epaudit.toml:1:13: control character 0x0d"},
        {"risks = true\r"sv, "epaudit.toml:1:13: control character 0x0d"},
        {"# \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x1b\n"sv,
         "epaudit.toml:1:6: control character 0x1b"},  // columns are characters
        {"\xff\xfe"sv, "epaudit.toml:1:1: byte 0xff is not UTF-8"},
        {"# \xc0\xaf"sv, "epaudit.toml:1:3: byte 0xc0 is not UTF-8"},  // not the shortest form
        {"# \xe0\x80\xaf"sv, "epaudit.toml:1:3: byte 0xe0 is not UTF-8"},
        {"# \xf0\x80\x80\xaf"sv, "epaudit.toml:1:3: byte 0xf0 is not UTF-8"},
        {"# \xed\xa0\x80"sv, "epaudit.toml:1:3: byte 0xed is not UTF-8"},      // a surrogate
        {"# \xf4\x90\x80\x80"sv, "epaudit.toml:1:3: byte 0xf4 is not UTF-8"},  // beyond U+10FFFF
        {"# \xf8\x88\x80\x80\x80"sv, "epaudit.toml:1:3: byte 0xf8 is not UTF-8"},
        {"# \xe2\x82"sv, "epaudit.toml:1:3: byte 0xe2 is not UTF-8"},  // cut
        {"# \xe2\x28\xa1"sv, "epaudit.toml:1:3: byte 0xe2 is not UTF-8"},
        {"# \x80"sv, "epaudit.toml:1:3: byte 0x80 is not UTF-8"},
    };
    for (const auto& [text, expected] : cases) {
        const std::string told = says(text);
        EXPECT_TRUE(told.starts_with(std::string(expected) + " / ")) << told;
        EXPECT_NE(told.find("https://toml.io"), std::string::npos) << told;
    }
    for (std::string_view text :
         {"risks = true\r\n"sv, "\xef\xbb\xbfrisks = true\n"sv, "\trisks = true # \xc3\xa4\xf4\x8f\xbf\xbf\n"sv,
          "profile = \"\"\"\\\n  test\"\"\" # \xc3\x9a\n"sv})
        EXPECT_EQ(says(text), "fine") << text;
}

TEST(Config, AMissingFileIsAnError)
{
    auto config = read_config("/nonexistent/epaudit.toml", rules());
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().message, "cannot read /nonexistent/epaudit.toml: No such file or directory");
    auto folder = read_config("/", rules());
    EXPECT_FALSE(folder);
}

TEST(Config, TheWholeCatalogueMayBeNamed)
{
    for (const RuleInfo& info : catalogue())
        EXPECT_TRUE(
            parse_config(std::string("ignore = [\"") + info.name + "\", \"" + info.id + "\"]", "a", catalogue()))
            << info.id;
}

}  // namespace
}  // namespace epaudit
