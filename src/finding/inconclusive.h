// SPDX-License-Identifier: Apache-2.0
// Why "nothing was found" may not be taken for "nothing is wrong". Any such reason makes a report without findings
// inconclusive (exit 4), and its verdict names the first. Who knows of one says so in one of three places:
//
//   Observation::lost          data that was lost, by name and number; loss_text() and loss_remedy() have the words
//   Observation::inconclusive  what a source or a command knows: a log too short to tell, events nobody could place
//   Finding::inconclusive      what a rule suspects and cannot prove: something hung already when we came
#pragma once

#include <string>

namespace epaudit {

enum class Inconclusive {
    kLost,           // data was lost
    kUnplaced,       // events belong to no registration that is known
    kHungFromStart,  // something hung when the observation began, and still does
    kTooShort,       // what was seen points to a fault, and is too short to tell
    kUnjudged,       // most of what was reported could not be judged
    kNotRecorded,    // the recording that was asked for is not whole
};

struct InconclusiveReason {
    Inconclusive why = Inconclusive::kLost;
    std::string text;    // what happened: a clause without full stop
    std::string remedy;  // what to do about it: an imperative; may be empty

    std::string words() const { return remedy.empty() ? text : text + ": " + remedy; }
};

inline const char* inconclusive_name(Inconclusive why)
{
    switch (why) {
    case Inconclusive::kLost: return "lost";
    case Inconclusive::kUnplaced: return "unplaced";
    case Inconclusive::kHungFromStart: return "hung-from-start";
    case Inconclusive::kTooShort: return "too-short";
    case Inconclusive::kUnjudged: return "unjudged";
    case Inconclusive::kNotRecorded: return "not-recorded";
    }
    return "?";
}

}  // namespace epaudit
