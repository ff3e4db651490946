// SPDX-License-Identifier: Apache-2.0
#include "src/audit/auditor.h"
#include "src/audit/baseline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "src/books/call_sites.h"
#include "src/evidence/fingerprint.h"
#include "src/evidence/place.h"
#include "src/support/nearest.h"

namespace epaudit {
namespace {

constexpr Threshold kPerS{"per_s", {100, 10, Unit::kPerSecond}, "", {"", ""}};
constexpr Threshold kStallS{"stall_s", {5, 1, Unit::kSeconds}, "", {"", ""}};

const RuleInfo kFirst{"EP901", "first-rule", "", Level::kConfirmed, {kPerS, kStallS}, {Seam::kState}, ""};
const RuleInfo kSecond{"EP902", "second-rule", "", Level::kLikely, {}, {Seam::kReadiness, Seam::kWakeups}, ""};

// Says at each audit what the test put on its list.
class Parrot : public Rule {
public:
    Parrot(const RuleInfo& info, std::vector<Finding>& list) : info_(info), list_(list) {}
    const RuleInfo& info() const override { return info_; }
    void audit(const Snapshot&, const Settings&, std::vector<Finding>& out) override
    {
        out.insert(out.end(), list_.begin(), list_.end());
    }

private:
    const RuleInfo& info_;
    std::vector<Finding>& list_;
};

class AuditorTest : public testing::Test {
protected:
    AuditorTest() : auditor_(Profile::kProduction, rules()) { books_.processes[7] = {7, "server", "/usr/sbin/server"}; }

    std::vector<std::unique_ptr<Rule>> rules()
    {
        std::vector<std::unique_ptr<Rule>> list;
        list.push_back(std::make_unique<Parrot>(kFirst, first_));
        list.push_back(std::make_unique<Parrot>(kSecond, second_));
        return list;
    }

    static Finding make(const char* rule, uint64_t file, Level level, uint64_t count = 1)
    {
        Finding f;
        f.rule = rule;
        f.level = level;
        f.count = count;
        f.pid = 7;
        f.fd = {static_cast<int>(file), "tcp", "", ""};
        f.trigger = "edge";
        f.subject_epoll = 1;
        f.subject_file = file;
        return f;
    }

    void look(uint64_t time)
    {
        books_.time = time;
        auditor_.look(books_);
        first_.clear();
        second_.clear();
    }

    std::vector<Finding> first_;
    std::vector<Finding> second_;
    Snapshot books_;
    Auditor auditor_;
};

TEST_F(AuditorTest, OneFindingPerSubjectAtItsHighestLevel)
{
    first_ = {make("EP901", 5, Level::kLikely, 10)};
    look(1000);
    first_ = {make("EP901", 5, Level::kConfirmed, 20)};
    look(2000);
    first_ = {make("EP901", 5, Level::kLikely, 30)};
    look(3000);
    std::vector<Finding> found = auditor_.findings();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].level, Level::kConfirmed);
    EXPECT_EQ(found[0].count, 20u);
    EXPECT_EQ(found[0].first_at, 1000u);
    EXPECT_EQ(found[0].fds, 1u);
    EXPECT_EQ(found[0].comm, "server");
    EXPECT_EQ(found[0].exe, "/usr/sbin/server");
}

TEST_F(AuditorTest, AddressesThatComeAgainAreOtherSubjects)
{
    books_.processes[8] = {8, "worker", "/usr/sbin/worker"};
    first_ = {make("EP901", 1, Level::kLikely)};
    look(1);
    first_ = {make("EP901", 1, Level::kLikely)};
    first_[0].pid = 8;
    look(2);
    first_ = {make("EP901", 1, Level::kLikely)};
    first_[0].subject_ino = 99;  // the same program, another connection
    look(3);
    ASSERT_EQ(auditor_.findings().size(), 2u);
    unsigned fds = 0;
    for (const Finding& finding : auditor_.findings())
        fds += finding.fds;
    EXPECT_EQ(fds, 3u);
    first_ = {make("EP901", 1, Level::kLikely)};
    first_[0].withdrawn = true;
    look(4);
    EXPECT_TRUE(auditor_.findings().empty());
}

TEST_F(AuditorTest, NewestEvidenceOfTheSameLevel)
{
    first_ = {make("EP901", 5, Level::kLikely, 10)};
    look(1000);
    first_ = {make("EP901", 5, Level::kLikely, 12)};
    first_[0].shape = "newest";
    look(2000);
    EXPECT_EQ(auditor_.findings()[0].shape, "newest");
}

TEST_F(AuditorTest, StacksOnceCapturedStay)
{
    first_ = {make("EP901", 5, Level::kLikely, 10)};
    first_[0].stacks.push_back({"armed at", {}});
    look(1000);
    first_ = {make("EP901", 5, Level::kConfirmed, 12)};
    look(2000);
    EXPECT_EQ(auditor_.findings()[0].stacks.size(), 1u);
}

TEST_F(AuditorTest, StacksThatComeLateAreTakenAndNameTheFunction)
{
    first_ = {make("EP901", 5, Level::kConfirmed, 10)};
    look(1000);
    const std::string before = auditor_.findings()[0].fingerprint;
    first_ = {make("EP901", 5, Level::kLikely, 12)};
    first_[0].stacks.push_back({"armed at", {{"on_connect", "a.cpp", 3}}});
    look(2000);
    ASSERT_EQ(auditor_.findings().size(), 1u);
    EXPECT_EQ(auditor_.findings()[0].level, Level::kConfirmed);
    EXPECT_EQ(auditor_.findings()[0].stacks.size(), 1u);
    EXPECT_NE(auditor_.findings()[0].fingerprint, before);
}

TEST_F(AuditorTest, GateTimeIsThatOfTheGate)
{
    auditor_.set_gate(Level::kConfirmed);
    first_ = {make("EP901", 5, Level::kLikely)};
    look(1000);
    EXPECT_EQ(auditor_.findings()[0].first_at, 0u);
    first_ = {make("EP901", 5, Level::kConfirmed)};
    look(2000);
    EXPECT_EQ(auditor_.findings()[0].first_at, 2000u);
}

TEST_F(AuditorTest, SameFingerprintIsOneFindingWithTheWorstAsExample)
{
    first_ = {make("EP901", 5, Level::kLikely, 99), make("EP901", 6, Level::kConfirmed, 3),
              make("EP901", 8, Level::kConfirmed, 7)};
    look(1000);
    std::vector<Finding> found = auditor_.findings();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].fds, 3u);
    EXPECT_EQ(found[0].fd.number, 8);
    EXPECT_EQ(found[0].level, Level::kConfirmed);
}

TEST_F(AuditorTest, OfEqualsTheLowestNumberIsTheExample)
{
    for (bool other_way : {false, true}) {  // files lie at other addresses in a replay
        first_ = {make("EP901", 5, Level::kConfirmed, 7), make("EP901", 6, Level::kConfirmed, 7)};
        first_[0].fd.number = other_way ? 9 : 4;
        first_[1].fd.number = other_way ? 4 : 9;
        look(other_way ? 2000 : 1000);
        EXPECT_EQ(auditor_.findings()[0].fd.number, 4) << other_way;
    }
}

TEST_F(AuditorTest, SortedByLevelThenRule)
{
    first_ = {make("EP901", 5, Level::kRisk)};
    second_ = {make("EP902", 5, Level::kLikely)};
    look(1000);
    std::vector<Finding> found = auditor_.findings();
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].rule, "EP902");
    EXPECT_EQ(found[1].rule, "EP901");
}

TEST_F(AuditorTest, WithdrawnUnlessConfirmed)
{
    first_ = {make("EP901", 5, Level::kLikely)};
    second_ = {make("EP902", 5, Level::kConfirmed)};
    look(1000);
    first_ = {make("EP901", 5, Level::kInfo)};
    second_ = {make("EP902", 5, Level::kInfo)};
    first_[0].withdrawn = second_[0].withdrawn = true;
    look(2000);
    ASSERT_EQ(auditor_.findings().size(), 1u);
    EXPECT_EQ(auditor_.findings()[0].rule, "EP902");
}

TEST_F(AuditorTest, MillionsOfSubjectsStayBounded)
{
    for (uint64_t file = 0; file < 6000; file++)
        first_.push_back(make("EP901", file, Level::kRisk));
    first_.push_back(make("EP901", 7000, Level::kConfirmed));  // worse than all of them
    look(1000);
    std::vector<Finding> found = auditor_.findings();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].fds, 5001u);
    EXPECT_EQ(found[0].level, Level::kConfirmed);
}

// Where in the program it was made: one stack with one frame.
Finding made_in(Finding finding, const char* function)
{
    finding.stacks.push_back({"armed at", {{function, "a.cpp", 3}}});
    return finding;
}

TEST_F(AuditorTest, OfManyDescriptorsOneHasAStackYet)
{
    // Three workers make the same mistake in the same function; the stacks of two have not come.
    first_ = {make("EP901", 5, Level::kConfirmed, 10), made_in(make("EP901", 6, Level::kLikely, 3), "pause"),
              make("EP901", 7, Level::kRisk, 1)};
    look(1000);
    std::vector<Finding> found = auditor_.findings();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].level, Level::kConfirmed);
    EXPECT_EQ(found[0].count, 10u);
    EXPECT_EQ(found[0].fds, 3u);
    ASSERT_EQ(found[0].stacks.size(), 1u);
    EXPECT_EQ(found[0].fingerprint, fingerprint(made_in(found[0], "pause")));
}

TEST_F(AuditorTest, TwoFunctionsAreTwoFindings)
{
    first_ = {made_in(make("EP901", 5, Level::kConfirmed), "pause"),
              made_in(make("EP901", 6, Level::kLikely), "resume"), make("EP901", 6, Level::kLikely)};
    first_[2].subject_epoll = 2;  // the fd of the second, in another epoll, its stack not yet known
    look(1000);
    std::vector<Finding> found = auditor_.findings();
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].fds, 1u);
    EXPECT_EQ(found[1].fds, 2u);
}

TEST_F(AuditorTest, AnotherRuleKindOrTriggerIsAnotherFinding)
{
    first_ = {made_in(make("EP901", 5, Level::kLikely), "pause"), make("EP901", 6, Level::kLikely),
              make("EP901", 7, Level::kLikely)};
    first_[1].fd.kind = "udp";
    first_[2].trigger = "level";
    second_ = {make("EP902", 5, Level::kLikely)};
    look(1000);
    EXPECT_EQ(auditor_.findings().size(), 4u);
}

TEST_F(AuditorTest, TheProcessHasEndedWhenItsLastWordsAreHeard)
{
    first_ = {make("EP901", 5, Level::kLikely)};
    look(1000);
    const std::string before = auditor_.findings()[0].fingerprint;
    books_.processes.clear();
    first_ = {make("EP901", 5, Level::kConfirmed)};
    look(2000);
    ASSERT_EQ(auditor_.findings().size(), 1u);
    EXPECT_EQ(auditor_.findings()[0].fingerprint, before);
    EXPECT_EQ(auditor_.findings()[0].comm, "server");
}

TEST_F(AuditorTest, WhatIsTakenBackLeavesItsRoom)
{
    for (uint64_t file = 0; file < 12000; file++) {  // a week of findings that come and go
        Finding said = make("EP901", file, Level::kLikely);
        first_ = {said};
        look(1000 + file);
        said.withdrawn = true;
        first_ = {said};
        look(1001 + file);
    }
    EXPECT_EQ(auditor_.kept(), 0u);
    EXPECT_EQ(auditor_.kinds(), 0u);
    first_ = {make("EP901", 12000, Level::kLikely)};
    look(20000);
    EXPECT_EQ(auditor_.findings().size(), 1u);
    EXPECT_EQ(auditor_.left_out(), "");
}

TEST_F(AuditorTest, KindsOfFindingsStayBounded)
{
    auditor_.set_bounds({10, 400, 100});
    Finding worst = make("EP901", 1, Level::kConfirmed);
    worst.exe = "/usr/bin/worst";
    first_ = {worst};
    look(1);
    for (uint64_t job = 0; job < 1000; job++) {  // programs of a batch system, each with a name of its own
        first_.clear();
        for (uint64_t file = 0; file < 3; file++) {
            Finding one = make("EP901", 10 + 3 * job + file, Level::kLikely);
            one.exe = "/jobs/job-" + std::to_string(job);
            first_.push_back(one);
        }
        look(10 + job);
        ASSERT_LE(auditor_.kinds(), 100u);
        ASSERT_LE(auditor_.kept(), 400u);
    }
    std::vector<Finding> found = auditor_.findings();
    EXPECT_EQ(found.front().exe, "/usr/bin/worst") << "the worst is kept";
    auto is_last = [](const Finding& one) { return one.exe == "/jobs/job-999"; };
    EXPECT_TRUE(std::any_of(found.begin(), found.end(), is_last)) << "and so is the newest";
    EXPECT_NE(auditor_.left_out().find("more kinds of findings than the 100"), std::string::npos);
}

TEST_F(AuditorTest, AllSubjectsTogetherStayBounded)
{
    auditor_.set_bounds({1000, 50, 100});
    for (uint64_t kind = 0; kind < 10; kind++)
        for (uint64_t file = 0; file < 20; file++) {
            Finding one = make("EP901", 100 * kind + file, Level::kLikely);
            one.exe = "/bin/server-" + std::to_string(kind);
            first_.push_back(one);
        }
    look(1);
    look(2);
    EXPECT_LE(auditor_.kept(), 60u);
    EXPECT_EQ(auditor_.findings().size(), 10u) << "one of each is kept all the same";
    EXPECT_NE(auditor_.left_out().find("more descriptors with findings"), std::string::npos);
}

TEST(ToldFindings, ManyAreForgottenButForThoseThatStand)
{
    ToldFindings told;
    Finding stands;
    stands.rule = "EP901";
    stands.level = Level::kLikely;
    stands.fingerprint = fingerprint(stands);
    EXPECT_TRUE(told.tell(stands));
    for (int i = 0; i < 50000; i++) {
        Finding one = stands;
        one.exe = "/jobs/job-" + std::to_string(i);
        one.fingerprint = fingerprint(one);
        ASSERT_TRUE(told.tell(one));
        ASSERT_FALSE(told.tell(stands)) << "asked about at each look";
    }
    EXPECT_LE(told.size(), 20002u);
}

TEST(ToldFindings, AgainWhenTheStackComesAndOnce)
{
    Finding finding;
    finding.rule = "EP901";
    finding.level = Level::kLikely;
    finding.fingerprint = fingerprint(finding);
    ToldFindings told;
    EXPECT_TRUE(told.tell(finding));
    EXPECT_TRUE(told.replaced().empty());
    EXPECT_FALSE(told.tell(finding));
    Finding later = made_in(finding, "pause");
    later.fingerprint = fingerprint(later);
    EXPECT_TRUE(told.tell(later));
    EXPECT_EQ(told.replaced(), finding.fingerprint);
    EXPECT_FALSE(told.tell(later));
    Finding other = made_in(finding, "resume");  // that one was not told before
    other.fingerprint = fingerprint(other);
    EXPECT_TRUE(told.tell(other));
    EXPECT_TRUE(told.replaced().empty());
}

TEST(Fingerprint, StableAcrossRuns)
{
    Finding f;
    f.rule = "EP201";
    f.exe = "/usr/sbin/nginx";
    f.fd.kind = "tcp";
    f.trigger = "level";
    EXPECT_EQ(fingerprint(f), "1e750a90427aa602");  // baselines hold it: it may never change
    Finding other = f;
    other.pid = 99;
    other.fd.number = 12;
    other.fd.peer = "10.0.0.1:1";
    other.epoll_fd = 3;
    other.first_at = 5;
    other.exe = "/opt/nginx/sbin/nginx (deleted)";
    EXPECT_EQ(fingerprint(other), fingerprint(f));
}

TEST(Fingerprint, DiffersByRuleProgramKindAndTrigger)
{
    Finding f;
    f.rule = "EP201";
    f.exe = "/a";
    f.fd.kind = "tcp";
    f.trigger = "level";
    Finding rule = f, exe = f, kind = f, trigger = f;
    rule.rule = "EP202";
    exe.exe = "/b";
    kind.fd.kind = "unix";
    trigger.trigger = "edge";
    for (const Finding* other : {&rule, &exe, &kind, &trigger})
        EXPECT_NE(fingerprint(*other), fingerprint(f));
}

TEST_F(AuditorTest, SetByIdAndByName)
{
    ASSERT_TRUE(auditor_.set("first-rule.per_s=250"));
    EXPECT_EQ((*auditor_.settings("EP901"))[kPerS], 250);
    ASSERT_TRUE(auditor_.set("EP901.stall_s=0.5"));
    EXPECT_EQ(auditor_.settings("first-rule")->ns(kStallS), 500 * NSEC_PER_MSEC);
}

// What is no Threshold does not compile: a name's typing error least of all.
template <typename Name>
concept NamesThreshold = requires(const Settings& settings, Name name)
{
    settings[name];
}
|| requires(const Settings& settings, Name name) { settings.ns(name); };
static_assert(NamesThreshold<Threshold>);
static_assert(!NamesThreshold<const char*> && !NamesThreshold<std::string>);

// The same text elsewhere in memory, as the linker may leave it.
TEST(Settings, ThresholdsAreKnownByTextWhereTheAddressDiffers)
{
    char name[] = "per_s";
    EXPECT_EQ(Settings(kFirst, Profile::kTest)[(Threshold{name, {0, 0, Unit::kPerSecond}, "", {"", ""}})], 10);
}

TEST(SettingsDeathTest, AThresholdOfAnotherRuleIsRefused)
{
    const Settings second(kSecond, Profile::kTest);
    EXPECT_DEATH(second[kPerS], "undeclared threshold 'per_s'");
    EXPECT_DEATH(second.ns(kStallS), "undeclared threshold 'stall_s'");
}

TEST_F(AuditorTest, ProfilesChooseTheDefaults)
{
    EXPECT_EQ((*auditor_.settings("EP901"))[kPerS], 100);
    Auditor test(Profile::kTest, rules());
    EXPECT_EQ((*test.settings("EP901"))[kPerS], 10);
}

TEST_F(AuditorTest, SetErrorsSayWhatToDo)
{
    auto complain = [&](const char* assignment) {
        Result<> result = auditor_.set(assignment);
        EXPECT_FALSE(result) << assignment;
        EXPECT_EQ(result.error().exit, Exit::kUsage);
        return result.error().message + " / " + result.error().hint;
    };
    EXPECT_EQ(complain("frist-rule.per_s=1"), "unknown rule 'frist-rule' / did you mean 'first-rule'?");
    EXPECT_EQ(complain("zzz.per_s=1"), "unknown rule 'zzz' / `epaudit rules` lists them");
    EXPECT_EQ(complain("EP901.per_sec=1"),
              "rule first-rule has no threshold 'per_sec' / did you mean 'per_s'? It has: per_s, stall_s");
    EXPECT_EQ(
        complain("EP901.per_s=ten"),
        "'ten' in 'EP901.per_s=ten' is not a number / thresholds are numbers, 0 or more, with '.' for the decimal "
        "point");
    for (const char* bad : {"", "EP901", "EP901.per_s", "per_s=1", "EP901.per_s=", "EP901.per_s=1x", "EP901.per_s=-1",
                            "EP901.per_s=nan", "EP901.per_s=inf", "=.", ".="})
        complain(bad);
    EXPECT_EQ((*auditor_.settings("EP901"))[kPerS], 100);
}

TEST_F(AuditorTest, SelectAndIgnore)
{
    ASSERT_TRUE(auditor_.select({"EP901"}));
    EXPECT_EQ(auditor_.rules_on(), 1u);
    second_ = {make("EP902", 5, Level::kConfirmed)};
    look(1);
    EXPECT_TRUE(auditor_.findings().empty());
    ASSERT_TRUE(auditor_.select({"EP9"}));
    EXPECT_EQ(auditor_.rules_on(), 2u);
    ASSERT_TRUE(auditor_.ignore({"second-rule"}));
    EXPECT_EQ(auditor_.rules_on(), 1u);
    EXPECT_FALSE(auditor_.ignore({"EP77"}));
    EXPECT_FALSE(auditor_.select({"E"}));
}

TEST_F(AuditorTest, CoverageFromNeeds)
{
    Sight sight;
    for (const RuleCoverage& c : auditor_.coverage(sight))
        EXPECT_EQ(c.status, Status::kAvailable);
    sight.kernel_state = sight.readiness = false;
    sight.why = "strace log";
    std::vector<RuleCoverage> list = auditor_.coverage(sight);
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list[0].status, Status::kUnavailable);
    EXPECT_NE(list[0].reason.find("strace log"), std::string::npos);
    EXPECT_EQ(list[1].status, Status::kDegraded);
    sight.wakeups = false;
    EXPECT_EQ(auditor_.coverage(sight)[1].status, Status::kUnavailable);
}

TEST(Levels, NamesComeBack)
{
    for (Level level : {Level::kInfo, Level::kRisk, Level::kLikely, Level::kConfirmed})
        EXPECT_EQ(parse_level(level_name(level)), level);
    EXPECT_EQ(parse_level("sure"), std::nullopt);
}

TEST(Nearest, OnlyWhenClose)
{
    EXPECT_EQ(nearest("busy-epolout", {"busy-epollout", "eof-spin"}), "busy-epollout");
    EXPECT_EQ(nearest("nothing-like-it", {"busy-epollout", "eof-spin"}), "");
    EXPECT_EQ(nearest("x", {}), "");
}

// One rule, which says one and the same thing of epoll 5 at each look, and where the calls that it asks for were made.
template <typename Sites>
struct OnEpoll5 {
    explicit OnEpoll5(std::vector<StackRole> stacks, uint32_t pid = 0)
        : info{"EP903", "third-rule", "", Level::kLikely, {}, {}, "", std::move(stacks)}
    {
        says[0].rule = "EP903";
        says[0].level = Level::kLikely;
        says[0].pid = pid;
        says[0].subject_epoll = 5;
        std::vector<std::unique_ptr<Rule>> rules;
        rules.push_back(std::make_unique<Parrot>(info, says));
        auditor.emplace(Profile::kTest, std::move(rules));
        books.epolls[5].created_at = 40;
        books.call_sites = sites;
    }

    void look() { auditor->look(books); }
    Finding finding() const { return auditor->findings().at(0); }

    RuleInfo info;
    std::vector<Finding> says = std::vector<Finding>(1);
    std::optional<Auditor> auditor;
    Snapshot books;
    std::shared_ptr<Sites> sites = std::make_shared<Sites>();
};

// Of an epoll as a whole: which one, and since when it exists.
class EpollSites : public CallSites {
public:
    const Stack* find(StackRole role, const sweep_record& entry) override
    {
        asked_ = {entry.key.epoll, entry.registration.added_at, entry.file_id};
        return role == StackRole::kBlocked ? &stack_ : nullptr;
    }
    std::vector<uint64_t> asked_;

private:
    Stack stack_{"blocked in", {{"nap", "server.cpp", 11}}};
};

TEST(AuditorStacks, OfAnEpollNoneOfWhoseRegistrationsIsShown)
{
    OnEpoll5<EpollSites> run({StackRole::kBlocked, StackRole::kWait});
    run.books.time = 100;
    run.look();
    std::vector<Finding> findings = run.auditor->findings();
    ASSERT_EQ(findings.size(), 1u);
    ASSERT_EQ(findings[0].stacks.size(), 1u);
    EXPECT_EQ(findings[0].stacks[0].what, "blocked in");
    EXPECT_EQ(findings[0].fingerprint, fingerprint(findings[0])) << "it names the function";
    EXPECT_NE(findings[0].fingerprint, placeless_fingerprint(findings[0]));
    EXPECT_EQ(run.sites->asked_, (std::vector<uint64_t>{5, 40, 0}));
}

// A server whose calls of epoll_ctl all go through one function, and whose second caller comes late.
class ThroughAHelper : public CallSites {
public:
    const Stack* find(StackRole role, const sweep_record&) override
    {
        return role == StackRole::kArmed ? &listener_ : nullptr;
    }
    std::vector<const Stack*> armed_in(uint32_t pid) override
    {
        asked_ += 1;
        if (pid != 7)
            return {};
        return second_ ? std::vector<const Stack*>{&listener_, &client_} : std::vector<const Stack*>{&listener_};
    }
    uint64_t places_in(uint32_t) const override { return second_ ? 2 : 1; }
    bool second_ = false;
    unsigned asked_ = 0;

private:
    Stack listener_{"armed here", {{"watch_fd", "server.c", 11}, {"main", "server.c", 40}}};
    Stack client_{"armed here", {{"watch_fd", "server.c", 11}, {"on_accept", "server.c", 21}}};
};

TEST(AuditorStacks, ASecondCallerShowsAHelper)
{
    OnEpoll5<ThroughAHelper> run({StackRole::kArmed}, 7);
    run.look();
    run.look();
    EXPECT_EQ(run.sites->asked_, 1U) << "nothing has come since";
    const Finding first = run.finding();
    EXPECT_EQ(guilty_frame(first)->function, "watch_fd");
    run.sites->second_ = true;
    run.look();
    const Finding then = run.finding();
    EXPECT_EQ(guilty_frame(then)->function, "main");
    EXPECT_EQ(then.fingerprint, first.fingerprint);
    EXPECT_EQ(run.auditor->findings().size(), 1U);
}

// The stack of the epoll_ctl is there at once, that of the write comes when somebody writes again, which may be never.
class WrittenLate : public CallSites {
public:
    const Stack* find(StackRole role, const sweep_record&) override
    {
        if (role == StackRole::kWrite)
            return written_ ? &write_ : nullptr;
        return role == StackRole::kArmed ? &armed_ : nullptr;
    }
    bool written_ = false;

private:
    Stack armed_{"armed here", {{"on_accept", "server.c", 21}}};
    Stack write_{"last written here", {{"send_reply", "server.c", 60}}};
};

TEST(AuditorStacks, NoOtherStackStandsInForTheGuiltyWrite)
{
    OnEpoll5<WrittenLate> run({StackRole::kWrite, StackRole::kArmed});
    run.look();
    const Finding early = run.finding();
    ASSERT_EQ(early.stacks.size(), 1u);
    EXPECT_EQ(guilty_frame(early)->function, "on_accept") << "the best place to look at, so far";
    EXPECT_EQ(early.fingerprint, placeless_fingerprint(early)) << "or this run has one, and the next another";
    auto baseline = Baseline::parse(baseline_text({early}), "early");
    ASSERT_TRUE(baseline);
    run.sites->written_ = true;
    run.look();
    const Finding late = run.finding();
    EXPECT_EQ(guilty_frame(late)->function, "send_reply");
    EXPECT_EQ(late.fingerprint, fingerprint(late));
    EXPECT_TRUE(baseline->covers(late)) << "the same fault, whose stack had not come when the baseline was written";
    auto again = Baseline::parse(baseline_text({late}), "late");
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->covers(early));
}

}  // namespace
}  // namespace epaudit
