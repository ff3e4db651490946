// SPDX-License-Identifier: Apache-2.0
#include "src/session/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include "src/books/duration.h"
#include "src/report/words.h"
#include "src/support/say.h"
#include "src/support/terminal.h"

namespace epaudit {

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

Progress::Progress(bool wanted) { on_ = wanted && is_capable_terminal(STDERR_FILENO); }

void Progress::show(const ProgressFacts& facts)
{
    if (!on_)
        return;
    // Cut, because a line that wraps cannot be taken back with one carriage return.
    const size_t columns = terminal_size(STDERR_FILENO, {80, 0}).columns;
    say("{}{}", ansi::kLineAgain, cut_to_columns("epaudit: " + progress_text(facts), columns - 1));
    shown_ = true;
}

void Progress::clear()
{
    if (shown_)
        say_text(ansi::kLineAgain);
    shown_ = false;
}

}  // namespace epaudit
