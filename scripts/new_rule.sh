# shellcheck shell=bash
# ./dev new-rule: the files of a new rule. Part of ../dev.

# The id of the rule with this name; nothing when it has no rule.cpp.
rule_id() {
    if [[ -e rules/$1/rule.cpp ]]; then sed -n 's/.*"\(EP[0-9][0-9][0-9]\)".*/\1/p' "rules/$1/rule.cpp" | sed q; fi
}

used_ids() {
    local file
    for file in rules/*/rule.cpp; do rule_id "$(basename "$(dirname "$file")")"; done | sort
}

# $1: empty, a hundred (EP1) or an id.
choose_id() {
    local highest
    case $1 in
        '') highest=$(used_ids | tail -n 1) ;;
        EP[1-9]) highest=$(used_ids | grep "^$1" | tail -n 1 || true) && highest=${highest:-${1}00} ;;
        EP[1-9][0-9][0-9])
            if used_ids | grep -qx "$1"; then die "$1 is taken"; fi
            say "$1"
            return
            ;;
        *) die "'$1' is not an id: EP107, or EP1 for the next free one of that hundred" ;;
    esac
    say "EP$((${highest#EP} + 1))"
}

# Puts the line $2 of the rule with id $3 into the list in file $1: after the last maker with a smaller id.
insert_by_id() {
    local file=$1 line=$2 id=$3 at=-1 other i lines
    mapfile -t lines <"$file"
    for i in "${!lines[@]}"; do
        [[ ${lines[i]} =~ ([a-z0-9_]+)(::make\(\)\)\;|\ \{\ .*\ make\(\)\;\ \})$ ]] || continue
        other=$(rule_id "${BASH_REMATCH[1]//_/-}")
        if [[ $at -lt 0 || -z $other || $other < $id ]]; then at=$((i + 1)); fi
        if [[ -n $other && $other > $id ]]; then
            if [[ $at -eq $((i + 1)) ]]; then at=$i; fi
            break
        fi
    done
    if [[ $at -lt 0 ]]; then die "no list of rules found in $file"; fi
    printf '%s\n' "${lines[@]:0:at}" "$line" "${lines[@]:at}" >"$file"
}

# Writes standard input to $1 with the placeholders filled in.
write_template() {
    mkdir -p "$(dirname "$1")"
    sed -e "s/@NAME@/$NAME/g" -e "s/@ID@/$ID/g" -e "s/@SNAKE@/${NAME//-/_}/g" -e "s/@CAMEL@/$CAMEL/g" >"$1"
    say "  $1"
}

write_rule() {
    write_template "rules/$NAME/rule.cpp" <<'CODE'
// SPDX-License-Identifier: Apache-2.0
#include "rules/catalogue.h"
#include "rules/evidence.h"

namespace epaudit::@SNAKE@ {
namespace {

constexpr Threshold kSeconds{"seconds",
                             {5, 1, Unit::kSeconds},
                             "seconds it must last",
                             {"what is worse when it is lower", "what is worse when it is higher"}};

class @CAMEL@ : public Rule {
public:
    const RuleInfo& info() const override { return info_; }

    void audit(const Snapshot& books, const Settings& settings, std::vector<Finding>& out) override
    {
        for (const Entry& entry : books.entries) {
            if (!suspicious(entry, settings))
                continue;
            Finding finding = begin_finding(info_, books, entry);
            finding.level = Level::kLikely;
            finding.summary = "what is wrong, in one sentence without a full stop";
            finding.fix = "what to change in the program";
            out.push_back(finding);
        }
    }

private:
    // Write the rule here: what the row must show, and what evidence speaks against it.
    static bool suspicious(const Entry&, const Settings&) { return false; }

    const RuleInfo info_{"@ID@",
                         "@NAME@",
                         "what it says, in one line",
                         Level::kLikely,
                         {kSeconds},
                         {Seam::kState},
                         "what it cannot see"};
};

}  // namespace

std::unique_ptr<Rule> make() { return std::make_unique<@CAMEL@>(); }

}  // namespace epaudit::@SNAKE@
CODE
    write_template "rules/$NAME/explain.md" <<'CODE'
# @ID@ @NAME@

## What

What the program does wrong.

## Why it matters

What its users notice.

## How epaudit knows

What must be seen, for how long (`seconds`, 5 s; 1 s in the test profile), and what makes it confirmed.

## Counter-evidence, and what is not flagged

Which correct programs look alike, and what tells them apart.

## How to fix

The change, with the calls by name.

## Blind spots

What it cannot see.
CODE
}

write_unit_test() {
    write_template "tests/unit/${NAME//-/_}_test.cpp" <<'CODE'
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "rules/catalogue.h"

namespace epaudit {
namespace {

std::vector<Finding> audit(const Snapshot& books)
{
    const std::unique_ptr<Rule> rule = @SNAKE@::make();
    std::vector<Finding> findings;
    rule->audit(books, Settings(rule->info(), Profile::kTest), findings);
    return findings;
}

TEST(@CAMEL@, FindsTheBug)
{
    Snapshot books;
    EXPECT_EQ(audit(books).size(), 1U)
        << "write this scenario: fill the books with what the kernel shows of the demo's bug.cpp, and add one"
           " test for every correct program that looks alike (they must yield nothing)";
}

TEST(@CAMEL@, SaysNothingAboutEmptyBooks)
{
    EXPECT_TRUE(audit(Snapshot{}).empty());
}

}  // namespace
}  // namespace epaudit
CODE
}

# Both twins are the same correct echo server; the mistake is to be written into bug.cpp.
write_demo() {
    local twin=$1 expectation=$2
    {
        cat <<'CODE'
// An echo server. Say here what it is for and, in bug.cpp, what the mistake is.
//
CODE
        say "$expectation"
        cat <<'CODE'
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "common/demo.h"

namespace {

void watch(int epoll_fd, int fd) {
  epoll_event ev{};
  ev.events = EPOLLIN;
  ev.data.fd = fd;
  demo::check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl");
}

void echo(int fd) {
  char bytes[256];
  const ssize_t n = recv(fd, bytes, sizeof bytes, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0 || send(fd, bytes, static_cast<size_t>(n), MSG_NOSIGNAL) != n) close(fd);
}

void drive(demo::Client& client) {
  const int connection = client.connect();
  client.send(connection, "hello");
  client.receive(connection);
  client.ready();
  client.receive_all({connection});
}

}  // namespace

int main(int argc, char** argv) {
  demo::Run run(argc, argv);
  const int listener = run.listen();
  run.start_client(drive);
  const int epoll_fd = demo::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  watch(epoll_fd, listener);
  while (!run.deadline().passed()) {
    epoll_event ev{};
    if (epoll_wait(epoll_fd, &ev, 1, run.deadline().remaining_ms()) <= 0) continue;
    if (ev.data.fd != listener) {
      echo(ev.data.fd);
      continue;
    }
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) watch(epoll_fd, fd);
  }
  return run.finish();
}
CODE
    } | write_template "demo_bugs/$NAME/$twin.cpp"
}

new_rule() {
    if [[ $# -lt 1 || ! $1 =~ ^[a-z][a-z0-9]*(-[a-z0-9]+)+$ ]]; then
        die "new-rule NAME [ID]: the name is lower-case words with dashes, as in busy-epollout"
    fi
    NAME=$1
    if [[ -e rules/$NAME || -e demo_bugs/$NAME ]]; then die "there is a rule or a demo '$NAME' already"; fi
    ID=$(choose_id "${2:-}")
    CAMEL=$(sed -E 's/(^|-)([a-z0-9])/\U\2/g' <<<"$NAME")
    say "$ID $NAME:"
    insert_by_id rules/catalogue.h "namespace ${NAME//-/_} { std::unique_ptr<Rule> make(); }" "$ID"
    insert_by_id rules/catalogue.cpp "    rules.push_back(${NAME//-/_}::make());" "$ID"
    say "  rules/catalogue.h, rules/catalogue.cpp (one line each)"
    write_rule
    write_unit_test
    write_demo bug "// expect: $ID likely"
    write_demo fixed "// expect: none"
    if command -v clang-format >/dev/null; then clang-format -i "demo_bugs/$NAME"/*.cpp; fi
    say ""
    say "It builds as it is. ./dev test fails until the rule, the unit test and the mistake in bug.cpp are written."
}
