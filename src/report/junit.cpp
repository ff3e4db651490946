// SPDX-License-Identifier: Apache-2.0
// JUnit XML: the subset all readers share. A rule fails when it has a finding at or above the gate, passes with
// its findings as output when they are below it, and is skipped when it could not see. One more test case says
// whether the data is complete, because otherwise the others may not count as passed.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <ostream>
#include <sstream>

#include "src/report/formats.h"
#include "src/report/markup.h"
#include "src/report/text.h"
#include "src/report/verdict.h"
#include "src/report/words.h"

namespace epaudit {
namespace {

struct Case {
    std::string classname;
    std::string name;
    std::string element;  // failure, error, skipped; empty: passed
    std::string type;
    std::string message;
    std::string body;  // of the element, or output of a test that passed
};

std::string block_of(const std::vector<const Finding*>& findings, const Report& report)
{
    Options plain;
    plain.directory = report.options.directory;
    std::ostringstream text;
    for (const Finding* finding : findings) {
        write_finding(*finding, plain, text);
        text << '\n';
    }
    return text.str();
}

Case rule_case(const Report& report, const Verdict& verdict, const RuleCoverage& rule)
{
    Case one{"epaudit." + rule.rule.substr(0, 3), rule.rule + " " + rule.name, "", "", "", ""};
    std::vector<const Finding*> mine;
    for (const Finding* finding : verdict.shown)
        if (finding->rule == rule.rule)
            mine.push_back(finding);
    auto worst = std::find_if(mine.begin(), mine.end(), [&](const Finding* f) { return at_gate(report, *f); });
    one.body = block_of(mine, report);
    if (worst != mine.end()) {
        one.element = "failure";
        one.type = level_name((*worst)->level);
        one.message = clean((*worst)->summary);
    } else if (rule.status == Status::kUnavailable) {
        one.element = "skipped";
        one.message = clean(rule.reason);
    } else if (rule.status == Status::kDegraded) {
        one.body = "degraded: " + clean(rule.reason) + "\n" + one.body;
    }
    return one;
}

Case off_case(const RuleOff& rule)
{
    return {
        "epaudit." + rule.rule.substr(0, 3), rule.rule + " " + rule.name, "skipped", "", "off: " + clean(rule.by), ""};
}

Case observation_case(const Report& report, const Verdict& verdict)
{
    Case one{"epaudit", "observation is complete", "", "", "", ""};
    for (const InconclusiveReason& reason : verdict.reasons)
        one.body += clean(reason.words()) + "\n";
    for (const std::string& note : report.observation.notes)
        one.body += clean(note) + "\n";
    for (const PolicyRemark& remark : report.remarks)
        one.body += clean(remark.where + ": " + remark.text) + "\n";
    if (!report.config.empty())
        one.body += "configuration: " + clean(report.config) + "\n";
    for (const std::string& program : report.unjudged)
        one.body += "not judged: " + clean(program) + "\n";
    for (const Finding* known : verdict.known)
        one.body += fmt::format("known: {} {} by {}\n", known->rule, known->name,
                                clean(known->suppression ? known->suppression->where : ""));
    if (!verdict.sound() || !verdict.reasons.empty()) {
        one.element = "error";
        one.type = verdict.sound() ? "inconclusive" : state_name(verdict.state);
        one.message = clean(verdict.words());
    }
    return one;
}

void write_case(const Case& one, std::ostream& out)
{
    fmt::print(out, "    <testcase classname=\"{}\" name=\"{}\" time=\"0\"", xml_escaped(one.classname),
               xml_escaped(one.name));
    if (one.element.empty() && one.body.empty()) {
        out << "/>\n";
        return;
    }
    out << ">\n";
    if (one.element.empty()) {
        fmt::print(out, "      <system-out>{}</system-out>\n", xml_escaped(one.body));
    } else {
        fmt::print(out, "      <{}", one.element);
        if (!one.type.empty())
            fmt::print(out, " type=\"{}\"", xml_escaped(one.type));
        fmt::print(out, " message=\"{}\">{}</{}>\n", xml_escaped(one.message), xml_escaped(one.body), one.element);
    }
    out << "    </testcase>\n";
}

}  // namespace

void write_junit(const Report& report, std::ostream& out)
{
    const Verdict verdict = verdict_of(report);
    std::vector<Case> cases{observation_case(report, verdict)};
    for (const RuleCoverage& rule : report.coverage)
        cases.push_back(rule_case(report, verdict, rule));
    for (const RuleOff& rule : report.rules_off)
        cases.push_back(off_case(rule));
    auto number = [&](std::string_view element) {
        return std::count_if(cases.begin(), cases.end(), [&](const Case& one) { return one.element == element; });
    };
    const std::string counts = fmt::format(R"(tests="{}" failures="{}" errors="{}" skipped="{}" time="{:.3f}")",
                                           cases.size(), number("failure"), number("error"), number("skipped"),
                                           report.observation.seconds);
    out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    fmt::print(out, "<testsuites name=\"epaudit\" {}>\n  <testsuite name=\"epaudit\" {}", counts, counts);
    if (report.started)
        fmt::print(out, " timestamp=\"{}\"", iso_time(report.started));
    out << ">\n    <properties>\n";
    for (const auto& [name, value] : {std::pair<const char*, std::string>{"verdict", state_name(verdict.state)},
                                      {"verdict.text", clean(verdict.text)},
                                      {"verdict.exit", std::to_string(verdict.exit)}})
        fmt::print(out, "      <property name=\"{}\" value=\"{}\"/>\n", name, xml_escaped(value));
    out << "    </properties>\n";
    for (const Case& one : cases)
        write_case(one, out);
    out << "  </testsuite>\n</testsuites>\n";
}

}  // namespace epaudit
