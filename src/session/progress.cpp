// SPDX-License-Identifier: Apache-2.0
#include "src/session/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "src/report/words.h"
#include "src/support/say.h"

namespace epaudit {
namespace {

size_t terminal_width()
{
    winsize size{};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string progress_text(const ProgressFacts& facts)
{
    std::string text = fmt::format("{}  {} events/s  {}  {}", seconds_text(facts.seconds),
                                   number_text(facts.postings_per_s), plural(facts.registrations, "registration"),
                                   plural(facts.findings, "finding"));
    if (facts.cost)
        text += "  costs " + short_cost_text(*facts.cost);
    if (facts.detached)
        text += "  not watching now: budget";
    return text;
}

Progress::Progress(bool wanted)
{
    const char* terminal = getenv("TERM");
    on_ = wanted && isatty(STDERR_FILENO) && !(terminal && strcmp(terminal, "dumb") == 0);
}

void Progress::show(const ProgressFacts& facts)
{
    if (!on_)
        return;
    // Cut, because a line that wraps cannot be taken back with one carriage return.
    say("\r\x1b[K{}", ("epaudit: " + progress_text(facts)).substr(0, terminal_width() - 1));
    shown_ = true;
}

void Progress::clear()
{
    if (shown_)
        say("\r\x1b[K");
    shown_ = false;
}

}  // namespace epaudit
