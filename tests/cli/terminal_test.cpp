// SPDX-License-Identifier: Apache-2.0
// Terminals: how wide text is, what is sent to which terminal, explain pages, and the values of options.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "src/cli/values.h"
#include "src/report/page.h"
#include "src/report/words.h"
#include "src/support/descriptor.h"
#include "src/support/terminal.h"

namespace epaudit {
namespace {

// The end of a pseudo terminal that a program has, so many columns wide.
class Terminal {
public:
    explicit Terminal(unsigned short columns, unsigned short rows = 24) : ours_(posix_openpt(O_RDWR | O_NOCTTY))
    {
        grantpt(ours_.get());
        unlockpt(ours_.get());
        its_ = Descriptor(open(ptsname(ours_.get()), O_RDWR | O_NOCTTY));
        const winsize size{rows, columns, 0, 0};
        EXPECT_EQ(ioctl(its_.get(), TIOCSWINSZ, &size), 0);
    }
    int fd() const { return its_.get(); }

private:
    Descriptor ours_;
    Descriptor its_;
};

// A variable of the environment, as it was before when this ends.
class Setting {
public:
    Setting(const char* name, const char* value) : name_(name)
    {
        if (const char* before = getenv(name))
            before_ = before, was_set_ = true;
        value ? setenv(name, value, 1) : unsetenv(name);
    }
    ~Setting() { was_set_ ? setenv(name_, before_.c_str(), 1) : unsetenv(name_); }

private:
    const char* name_;
    std::string before_;
    bool was_set_ = false;
};

TEST(TerminalTest, ColumnsAreThoseOfTheTerminal)
{
    EXPECT_EQ(columns("plain"), 5u);
    EXPECT_EQ(columns("\xe6\x97\xa5\xe6\x9c\xac"), 4u);  // two characters of Japanese, two columns each
    EXPECT_EQ(columns("e\xcc\x81"), 1u);                 // e and a combining accent
    EXPECT_EQ(columns("caf\xe9"), 4u);                   // a byte of Latin-1
    EXPECT_EQ(cut_to_columns("\xe6\x97\xa5\xe6\x9c\xac", 3), "\xe6\x97\xa5");
    EXPECT_EQ(cut_to_columns("e\xcc\x81x", 1), "e\xcc\x81");
    for (const std::string& line :
         wrap(std::string(3, 'a') +
                  " \xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5"
                  "\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac",
              21))
        EXPECT_LE(columns(line), 21u) << line;
}

TEST(TerminalTest, ColourIsForTerminalsThatCan)
{
    const Terminal terminal(80);
    const Descriptor file(open("/dev/null", O_WRONLY));
    const Setting term("TERM", "xterm"), no_color("NO_COLOR", nullptr);
    EXPECT_TRUE(wants_colour("auto", terminal.fd()));
    EXPECT_FALSE(wants_colour("auto", file.get()));
    EXPECT_TRUE(wants_colour("always", file.get()));
    EXPECT_FALSE(wants_colour("never", terminal.fd()));
    {
        const Setting dumb("TERM", "dumb");
        EXPECT_FALSE(wants_colour("auto", terminal.fd()));
        EXPECT_FALSE(is_capable_terminal(terminal.fd()));
        EXPECT_TRUE(wants_colour("always", terminal.fd()));
    }
    {
        const Setting empty("NO_COLOR", "");  // counts as not set
        EXPECT_TRUE(wants_colour("auto", terminal.fd()));
    }
    const Setting set("NO_COLOR", "1");
    EXPECT_FALSE(wants_colour("auto", terminal.fd()));
    EXPECT_TRUE(wants_colour("always", terminal.fd()));
}

TEST(TerminalTest, TextIsAsWideAsTheTerminalWithinReason)
{
    EXPECT_EQ(text_width(Terminal(72).fd()), 72u);
    EXPECT_EQ(text_width(Terminal(30).fd()), 60u);
    EXPECT_EQ(text_width(Terminal(300).fd()), 120u);
    EXPECT_EQ(text_width(Terminal(0).fd()), 100u);  // a terminal that does not know
    EXPECT_EQ(text_width(Descriptor(open("/dev/null", O_WRONLY)).get()), 100u);
}

constexpr const char* kPage =
    "# EP999 name\n\n## What\n\nOne `call()` is *not* enough, nor a * b, of EP2*; this goes\n"
    "on.\n\n- first, which is long enough to need two of the lines\n- second\n\n    code(*p);\n";

TEST(TerminalTest, APageIsSet)
{
    EXPECT_EQ(page_text(kPage, 40, false),
              "EP999 name\n\nWHAT\n  One call() is not enough, nor a * b,\n  of EP2*; this goes on.\n\n"
              "  - first, which is long enough to need\n    two of the lines\n  - second\n\n    code(*p);\n");
    const std::string styled = page_text(kPage, 40, true);
    EXPECT_NE(styled.find("\x1b[1mWHAT\x1b[0m\n"), std::string::npos) << styled;
}

// What is refused, or what it became.
std::string checked(const CLI::Validator& validator, std::string text)
{
    const std::string wrong = validator(text);
    return wrong.empty() ? text : wrong;
}

TEST(TerminalTest, DurationsHaveUnits)
{
    const CLI::Validator any = duration(0, 1e9);
    for (const auto& [text, seconds] :
         {std::pair{"90", "90"}, {"90s", "90"}, {"500ms", "0.5"}, {"2m", "120"}, {"1.5h", "5400"}})
        EXPECT_EQ(checked(any, text), seconds);
    for (const char* text : {"", "s", "1x", "-1", "0", "nan", "inf", "1e999h", "1 minute"})
        EXPECT_EQ(checked(any, text).substr(0, 17), "invalid duration ") << text;
    EXPECT_EQ(checked(duration(0.05, 86400), "10ms"), "'10ms' is too short: 50 ms at least");
    EXPECT_EQ(checked(duration(0.05, 86400), "25h"), "'25h' is too long: 24 h 0 min at most");
}

TEST(TerminalTest, ValuesThatAreRefusedSayWhichThereAre)
{
    const CLI::Validator when = one_of({"auto", "always", "never"});
    EXPECT_EQ(checked(when, "always"), "always");
    EXPECT_EQ(checked(when, "alwys"), "invalid value 'alwys'\ndid you mean 'always'?");
    EXPECT_EQ(checked(when, "xml"), "invalid value 'xml'\nit is one of: auto, always or never");
    EXPECT_EQ(checked(whole_number(16, 16777216), "1e6"),
              "invalid number '1e6': a whole number from 16 to 16,777,216 is wanted");
    EXPECT_EQ(checked(whole_number(16, 16777216), "65536"), "65536");
}

}  // namespace
}  // namespace epaudit
